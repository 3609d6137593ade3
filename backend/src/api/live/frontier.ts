/** How far everything is stored: from the process itself where an engine runs in it, else from the accounts in the store. */
import { frontierOf } from '../../realtime/index.js';
import type { StreamProgress } from '../../realtime/index.js';
import { planProbeStats, probeStatsOf } from '../planner/index.js';
import type { Columns } from '../planner/index.js';
import type { QueryRunner } from '../runner.js';
import type { StatusProvider } from '../status.js';
import type { LiveFrontier } from './windows.js';

/** Streams that stored nothing for so long do not matter any more, seconds. */
const recentSeconds = 600;

const sql = `
SELECT max(partition_count) AS partitions_max, count() AS partitions_seen, min(done) AS complete_all, min(until_ms) AS until_min,
       max(until_ms) AS until_max, toUnixTimestamp(now()) - toUnixTimestamp(max(stored_last)) AS silent_seconds
FROM (
  SELECT probe, epoch, partition, max(partitions) AS partition_count, max(complete) AS done, max(stored_at) AS stored_last,
         toUnixTimestamp64Milli(max(greatest(timestamp, last_packet))) AS until_ms
  FROM probe_stats WHERE stored_at >= now() - {recent_seconds:UInt32} GROUP BY probe, epoch, partition
) GROUP BY probe, epoch ORDER BY until_max DESC LIMIT 10000`;

const progressOf = (columns: Columns, row: number): StreamProgress => ({
  partitions: columns.number('partitions_max', row) ?? 0,
  seen: columns.number('partitions_seen', row) ?? 0,
  complete: columns.number('complete_all', row) === 1,
  untilMs: columns.number('until_min', row) ?? 0,
  newestMs: columns.number('until_max', row) ?? 0,
  silentMs: (columns.number('silent_seconds', row) ?? 0) * 1000,
});

interface FrontierSources {
  readonly runner: QueryRunner;
  readonly status: StatusProvider;
}
/** How far everything is stored; null: nothing is, or that is not known now. */
export type AskFrontier = (signal: AbortSignal) => Promise<LiveFrontier | null>;

async function askFrontier(context: FrontierSources, signal: AbortSignal): Promise<LiveFrontier | null> {
  const { runner } = context;
  const { columns } = await runner.run('probe_stats', { sql, params: { recent_seconds: recentSeconds } }, signal);
  if (columns.rows > 0) {
    const { closedMs, atRest } = frontierOf(Array.from({ length: columns.rows }, (_, row) => progressOf(columns, row)));
    return closedMs === null ? null : { closedMs, atRest };
  }
  const past = await runner.run('probe_stats', planProbeStats({ fromMs: 0, toMs: 1 }), signal);
  const { lastPacketMs } = probeStatsOf(past.columns);
  return lastPacketMs === null ? null : { closedMs: lastPacketMs, atRest: true };
}

/** The frontier, asked once for everybody within `millis`. */
export function sharedFrontier(context: FrontierSources, millis: number): AskFrontier {
  let asked: { readonly at: number; readonly answer: Promise<LiveFrontier | null> } | undefined;
  return async (signal) => {
    const { watermarkMs, atRest = false } = context.status();
    if (watermarkMs !== null) return { closedMs: watermarkMs, atRest };
    const now = performance.now();
    if (asked && now - asked.at < millis / 2) {
      // Who asked may have left, and taken the question along.
      const answer = await asked.answer.catch(() => undefined);
      if (answer !== undefined) return answer;
    }
    const answer = askFrontier(context, signal);
    asked = { at: now, answer };
    return answer;
  };
}
