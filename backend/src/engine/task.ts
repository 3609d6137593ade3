/**
 * Tasks: what the engine computes from packets. A task type is one file in tasks/ and one line in tasks/index.ts.
 *
 * Contract: a task keeps only state that adds up between flushes (counts, maxima, sketch cells) plus bounded look-ahead
 * state (half-seen transactions). `flush` writes what was gathered since the flush before and empties it. Rows that
 * come late simply make another row for their window. No task allocates per packet.
 */
import type { TSchema, Static } from '@sinclair/typebox';
import type { RowSink } from './row-sink.js';
import type { FlowTable } from './flow-table/index.js';
import type { PacketSelection } from './packet-selection.js';

export { PacketEvent, createSelection } from './packet-selection.js';
export type { PacketSelection } from './packet-selection.js';

export interface TaskContext {
  readonly flowTable: FlowTable;
  /** where rows go, at any time between flushes */
  readonly rows: RowSink;
  readonly probe: string;
  /** width of a counter window, seconds */
  readonly counterWindowSeconds: number;
  /** width of a flow window, seconds */
  readonly flowWindowSeconds: number;
  /** width of a sketch window, seconds */
  readonly sketchWindowSeconds: number;
  /** false for `analyze`: only the report is wanted, so keep nothing per window */
  readonly windows: boolean;
  /** true for `analyze`: keep what `report` needs */
  readonly report: boolean;
  /** most entries of each list in a report */
  readonly reportTop: number;
}

export interface Task<Report = unknown> {
  process(selection: PacketSelection): void;
  /** Write rows for everything since the last flush and empty it. Only called when context.windows. */
  flush(): void;
  /** At the end of the stream: give up waiting for partners of half-seen transactions (they become rows of their own). */
  finish(): void;
  /** packets that had to be counted in a window not theirs, since the start of the run; absent where that cannot be */
  readonly misplacedPackets?: number;
  /** The whole run's result of this partition, structured-clonable; merged with other partitions' by the task type. */
  report(): Report;
}

export interface TaskType<Schema extends TSchema = TSchema, Report = unknown> {
  readonly type: string;
  /** options in the configuration, besides `type`; every one has a default, bounds and a description */
  readonly schema: Schema;
  create(options: Static<Schema>, context: TaskContext): Task<Report>;
  /** Put the partitions' reports together. */
  merge(reports: Report[]): Report;
}

/** Keeps the types of a task module together. */
export const defineTask = <Schema extends TSchema, Report>(task: TaskType<Schema, Report>): TaskType<Schema, Report> =>
  task;
