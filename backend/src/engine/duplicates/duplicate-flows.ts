/**
 * Of a probe whose packets may be copies of what another probe has brought already: how many of each flow are, so that the probe
 * is listed with the flows it saw. Rows of `flows` say so, and count nothing else.
 *
 * This flow table sees the same packets in the same order as the processor's own, and each counts in one of the two: so both
 * tell a flow's client, and name it, alike. Copies are given to no task.
 */
import { FlowTable } from '../flow-table/index.js';
import type { PacketSelection } from '../packet-selection.js';
import type { RowSink } from '../row-sink.js';
import { writeDuplicateRow } from '../tasks/flow.js';

export interface DuplicateFlowsOptions {
  /** most flows; the smallest fold into "other" */
  readonly maxFlows: number;
  readonly windowSeconds: number;
  readonly idleTimeoutSeconds: number;
  /** where rows go; null: nowhere, flows are not configured to be written */
  readonly rows: RowSink | null;
}

export interface DuplicateCounts {
  readonly packets: number;
  readonly bytes: number;
}

/** Room at the start: there is a table for each stream of a probe. */
const initialFlows = 1_024;

export class DuplicateFlows {
  private readonly flowTable: FlowTable;
  private packets = 0;
  private bytes = 0;

  constructor({ maxFlows, windowSeconds, idleTimeoutSeconds, rows }: DuplicateFlowsOptions) {
    this.flowTable = new FlowTable({ maxFlows, windowSeconds, idleTimeoutSeconds, initialFlows });
    if (rows)
      this.flowTable.onRow = (flow, reason) => writeDuplicateRow(rows, this.flowTable, flow, reason, windowSeconds);
  }

  /** Packets that are no copies. Overwrites what the selection says about flows. */
  follow(selection: PacketSelection): void {
    this.flowTable.track(selection, 0);
  }

  /** Count copies. Overwrites what the selection says about flows. */
  count(selection: PacketSelection): void {
    const { batch, rows, count } = selection;
    this.flowTable.track(selection);
    let bytes = 0;
    for (let i = 0; i < count; i += 1) bytes += batch.wireLength[rows[i]!]!;
    this.packets += count;
    this.bytes += bytes;
  }

  /** Most flows from now on. */
  set maxFlows(maxFlows: number) {
    this.flowTable.maxFlows = maxFlows;
  }

  /** Flows without packets for long are forgotten. @param seconds packet time */
  expire(seconds: number): void {
    this.flowTable.expire(seconds);
  }

  /** Write rows of what was counted. @returns sums since the last call */
  flush(): DuplicateCounts {
    this.flowTable.flush();
    const { packets, bytes } = this;
    this.packets = 0;
    this.bytes = 0;
    return { packets, bytes };
  }
}
