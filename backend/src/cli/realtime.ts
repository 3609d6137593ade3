/** The real-time state of the configuration, its metrics, and an engine's word that it is alive. */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from '../config/index.js';
import { UserError } from '../errors.js';
import { Realtime } from '../realtime/index.js';
import type { EngineBeat, RedisState } from '../realtime/index.js';
import { counted, gauged } from './metrics.js';

/** Three fit into the time after which an engine counts as gone. */
const beatMillis = 3_000;

/** What the metrics are made of; read when they are asked for. */
export type RealtimeFigures = Pick<Realtime, 'inProcess' | 'redis'>;

/** A file of the configuration under a key, or nothing when none is named. */
function text<Key extends string>(path: string, file: string, key: Key): Partial<Record<Key, string>> {
  if (file === '') return {};
  try {
    return { [key]: readFileSync(file, 'utf8') } as Record<Key, string>;
  } catch (cause) {
    throw new UserError('NS_CONFIG_NOT_FOUND', `${path}: ${file} cannot be read; check its name and mode`, { cause });
  }
}

/**
 * Open real-time state, and connect to Redis when one is configured. Resolves when the first try is over, well or not: a Redis
 * that is away is told in the log, tried again for ever, and hinders nothing.
 * @param engines engines run in this process; without them and without Redis there is nothing to know; close it in the end, or Redis keeps the process alive
 * @throws UserError NS_CONFIG_NOT_FOUND, NS_CONFIG_INVALID for certificates that cannot be used
 */
export async function openConfiguredRealtime(config: Config, logger: Logger, engines: boolean): Promise<Realtime> {
  const { url, user, password, prefix, tls } = config.redis;
  let redis: RedisState | null = null;
  if (url !== '') {
    const files = {
      ...text('redis.tls.ca_file', tls.ca_file, 'ca'),
      ...text('redis.tls.cert_file', tls.cert_file, 'cert'),
      ...text('redis.tls.key_file', tls.key_file, 'key'),
    };
    // Loaded where it is wanted: the client takes 4 MB in every thread.
    const { RedisState } = await import('../realtime/redis-state.js');
    redis = new RedisState({ url, user, password, prefix, tls: files, log: logger });
    await redis.tried;
  }
  return new Realtime(engines, redis);
}

/** @returns a function that ends it */
export function beatRegularly(realtime: Realtime, beat: () => EngineBeat): () => void {
  const tell = (): void => realtime.observeEngine(beat());
  tell();
  const timer = setInterval(tell, beatMillis);
  timer.unref();
  return () => clearInterval(timer);
}

export function registerRealtimeMetrics(registry: Registry, { inProcess, redis }: RealtimeFigures): void {
  gauged(
    registry,
    'netspectra_realtime_redis_connected',
    'Whether Redis takes and answers; 0 also when none is configured',
    () => (redis?.ready ? 1 : 0),
  );
  const counter = (name: string, help: string, read: () => number): void => counted(registry, name, help, read);
  counter(
    'netspectra_realtime_flushes_told_total',
    'Flushes whose sums Redis has taken',
    () => redis?.counters.told ?? 0,
  );
  counter(
    'netspectra_realtime_flushes_dropped_total',
    'Flushes that Redis was not told of, because it was away or slow for too long; the store has them',
    () => redis?.counters.dropped ?? 0,
  );
  counter(
    'netspectra_realtime_commands_failed_total',
    'Commands that Redis refused, or whose connection broke',
    () => redis?.counters.failed ?? 0,
  );
  gauged(
    registry,
    'netspectra_realtime_flushes_waiting',
    'Flushes that Redis is to be told of',
    () => redis?.counters.waiting ?? 0,
  );
  counter(
    'netspectra_realtime_left_out_total',
    'Hosts, seconds, probes and engines that were not kept in this process because a bound was met',
    () => inProcess?.counters.leftOut ?? 0,
  );
}
