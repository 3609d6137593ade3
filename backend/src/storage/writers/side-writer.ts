/** Writers that stand beside the one that decides: what they cannot take or are late with must never hold that one up. */
import type { DependencyStatus } from '../../health.js';
import type { Flush, TableName, Writer } from '../../tables/index.js';

/** Its `write` takes a flush at once, never rejects, and holds a bounded amount. */
export interface SideWriter extends Writer {
  /** for /readyz: not being ok is a warning, because answers do not need it */
  status(): DependencyStatus;
  /** Write what is held, as far as that goes within its bound of time; the rest is counted as dropped. */
  close(): Promise<void>;
}

/** Where a writer says what an operator should know. */
export interface WriterLogger {
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

/** A flush without the tables that a writer does not want: what waits holds only what it must. */
export function onlyTables(flush: Flush, wanted: ReadonlySet<TableName>): Flush {
  return { ...flush, blocks: flush.blocks.filter(({ table, rows }) => rows > 0 && wanted.has(table)) };
}
