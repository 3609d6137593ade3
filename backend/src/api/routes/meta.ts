/** The meta of an answer: where it came from and how far it can be trusted. */
import type { AnswerMeta, TimeRange } from '@netspectra/query';
import { planProbeStats, probeStatsOf } from '../planner/index.js';
import type { Answered, ProbeStats } from '../planner/index.js';
import type { QueryParameters } from '../query-store.js';
import type { RouteContext } from './context.js';

/** AnswerMeta with what the API adds: the statement that ran. */
export interface ApiAnswerMeta extends AnswerMeta {
  /** values stay parameters */
  readonly sql: string;
  readonly params: QueryParameters;
  /** further statements of the same answer: earlier periods, the dimensions of explain */
  readonly further?: readonly { readonly sql: string; readonly params: QueryParameters }[];
}

/** Trust data of a time range, asked once for all queries of a request. */
export interface Trust extends ProbeStats {
  /** event time up to which all is stored, ms; null when nothing is */
  readonly watermarkMs: number | null;
}

export async function askTrust(context: RouteContext, range: TimeRange, signal: AbortSignal): Promise<Trust> {
  const [{ columns }, frontier] = await Promise.all([
    context.runner.run('probe_stats', planProbeStats(range), signal),
    context.frontier(signal),
  ]);
  const stats = probeStatsOf(columns);
  return { ...stats, watermarkMs: frontier?.closedMs ?? stats.lastPacketMs };
}

/** Trust data of two ranges together. */
export async function trustOfBoth(
  context: RouteContext,
  ranges: readonly [TimeRange, TimeRange],
  signal: AbortSignal,
): Promise<Trust> {
  const [a, b] = await Promise.all([askTrust(context, ranges[0], signal), askTrust(context, ranges[1], signal)]);
  return {
    ...a,
    samplingRate: Math.max(a.samplingRate, b.samplingRate),
    drops: {
      kernelDropped: a.drops.kernelDropped + b.drops.kernelDropped,
      undecodable: a.drops.undecodable + b.drops.undecodable,
      flowsFolded: a.drops.flowsFolded + b.drops.flowsFolded,
      latePackets: a.drops.latePackets + b.drops.latePackets,
    },
  };
}

/** What an answer says of itself; of several statements together where it took several. */
export type AnswerFacts = Omit<Answered, 'frames'> & { readonly nextCursor?: string | null };

/** The meta of an answer. */
export function metaOf(facts: AnswerFacts, trust: Trust): ApiAnswerMeta {
  const [first = { sql: '', params: {} }, ...further] = facts.statements;
  return {
    tables: facts.tables,
    plan: facts.plan,
    watermarkMs: trust.watermarkMs,
    partial: trust.watermarkMs === null || facts.range.toMs > trust.watermarkMs,
    samplingRate: trust.samplingRate,
    drops: trust.drops,
    errorBounds: facts.errorBounds,
    truncated: facts.truncated,
    fromMs: facts.range.fromMs,
    toMs: facts.range.toMs,
    ...(facts.before === undefined ? {} : { before: facts.before }),
    intervalMs: facts.intervalMs,
    ...(facts.sampleMs === undefined ? {} : { sampleMs: facts.sampleMs }),
    filter: facts.filter,
    rowsRead: facts.rowsRead,
    elapsedMs: Math.round(facts.elapsedMs * 10) / 10,
    ...(facts.nextCursor === undefined ? {} : { nextCursor: facts.nextCursor }),
    sql: first.sql,
    params: first.params,
    ...(further.length > 0 ? { further } : {}),
  };
}
