/** What the probes say about themselves in a range: the trust data that stands in every answer's meta. */
import type { DropCounts, TimeRange } from '@netspectra/query';
import type { QueryParameters } from '../query-store.js';
import { Binder } from './bind.js';
import type { Columns } from './columns.js';

export interface ProbeStats {
  readonly drops: DropCounts;
  /** latest packet in the store, of any time, milliseconds; null when there is none */
  readonly lastPacketMs: number | null;
  /** highest sampling rate in the range; 1 when every packet was kept */
  readonly samplingRate: number;
}

/** The statement: sums of the reports whose packets lie in the range, and the latest packet of all. */
export function planProbeStats(range: TimeRange): { sql: string; params: QueryParameters } {
  const binder = new Binder();
  const from = `fromUnixTimestamp64Milli(${binder.bind('from', 'Int64', range.fromMs)})`;
  const to = `fromUnixTimestamp64Milli(${binder.bind('to', 'Int64', range.toMs)})`;
  const inRange = `first_packet < ${to} AND last_packet >= ${from}`;
  const sums = ['kernel_dropped', 'undecodable', 'flows_folded', 'late_packets'].map(
    (name) => `sumIf(${name}, ${inRange}) AS s_${name}`,
  );
  return {
    sql: `SELECT ${sums.join(', ')}, count() AS reports, maxIf(sampling_rate, ${inRange}) AS s_sampling, toUnixTimestamp64Milli(max(last_packet)) AS s_last FROM probe_stats`,
    params: binder.params,
  };
}

/** The statement's one row. */
export function probeStatsOf(columns: Columns): ProbeStats {
  const sum = (name: string): number => columns.number(`s_${name}`, 0) ?? 0;
  const reports = columns.number('reports', 0) ?? 0;
  return {
    drops: {
      kernelDropped: sum('kernel_dropped'),
      undecodable: sum('undecodable'),
      flowsFolded: sum('flows_folded'),
      latePackets: sum('late_packets'),
    },
    lastPacketMs: reports === 0 ? null : columns.number('s_last', 0),
    samplingRate: Math.max(1, columns.number('s_sampling', 0) ?? 1),
  };
}
