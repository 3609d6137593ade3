/** The meta of an answer: where it came from and how far it can be trusted. */
import type { AnswerMeta, ErrorBound, QueryTable, TimeRange } from '@netspectra/query';
import { planProbeStats, probeStatsOf } from '../planner/index.js';
import type { ProbeStats } from '../planner/index.js';
import type { QueryParameters } from '../query-store.js';
import type { StatementResult } from '../runner.js';
import type { RouteContext } from './context.js';

/** AnswerMeta with what the API adds: the statement that ran. */
export interface ApiAnswerMeta extends AnswerMeta {
  /** values stay parameters */
  readonly sql: string;
  readonly params: QueryParameters;
}

/** Trust data of a time range, asked once for all queries of a request. */
export interface Trust extends ProbeStats {
  /** event time up to which all is stored, ms; null when nothing is */
  readonly watermarkMs: number | null;
  readonly samplingRate: number;
}

export async function askTrust(context: RouteContext, range: TimeRange, signal: AbortSignal): Promise<Trust> {
  const { columns } = await context.runner.run('probe_stats', planProbeStats(range), signal);
  const stats = probeStatsOf(columns);
  const { watermarkMs, samplingRate } = context.status();
  return { ...stats, watermarkMs: watermarkMs ?? stats.lastPacketMs, samplingRate };
}

export interface AnswerFacts {
  readonly table: QueryTable;
  readonly sql: string;
  readonly params: QueryParameters;
  readonly range: TimeRange;
  readonly intervalMs: number | null;
  readonly filter: string | null;
  readonly errorBounds: readonly ErrorBound[];
  readonly truncated: boolean;
  readonly result: StatementResult;
  readonly nextCursor?: string | null;
}

export const metaOf = (facts: AnswerFacts, trust: Trust): ApiAnswerMeta => ({
  tables: [facts.table],
  plan: facts.table,
  watermarkMs: trust.watermarkMs,
  partial: trust.watermarkMs === null || facts.range.toMs > trust.watermarkMs,
  samplingRate: trust.samplingRate,
  drops: trust.drops,
  errorBounds: facts.errorBounds,
  truncated: facts.truncated,
  fromMs: facts.range.fromMs,
  toMs: facts.range.toMs,
  intervalMs: facts.intervalMs,
  filter: facts.filter,
  rowsRead: facts.result.rowsRead,
  elapsedMs: Math.round(facts.result.elapsedMs * 10) / 10,
  ...(facts.nextCursor === undefined ? {} : { nextCursor: facts.nextCursor }),
  sql: facts.sql,
  params: facts.params,
});
