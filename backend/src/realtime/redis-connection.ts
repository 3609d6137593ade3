/**
 * The connection to Redis. node-redis (`@redis/client`, Redis' own client, without those of Redis modules) rather than ioredis,
 * whose makers call it maintained but recommend node-redis for what is new.
 *
 * It is tried again for ever, after 0.1 to 5 seconds; why it fails is logged once until the reason changes.
 */
import { createClient } from '@redis/client';
import { UserError } from '../errors.js';

/** What of a logger is needed; pino's fits. */
export interface RealtimeLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

export interface RedisTarget {
  /** redis://host:port or rediss://host:port, perhaps with /database */
  readonly url: string;
  /** empty: none, or Redis' `default` */
  readonly user: string;
  readonly password: string;
  /** PEM */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

const connectMillisMax = 3_000;
/** Redis answers a PING each second, or the connection is given up. */
const pingMillis = 1_000;
const silentMillisMax = 5_000;
const againMillisMax = 5_000;

export type RedisClient = ReturnType<typeof makeClient>;

function makeClient({ url, user, password, tls }: RedisTarget) {
  const socket = {
    connectTimeout: connectMillisMax,
    socketTimeout: silentMillisMax,
    reconnectStrategy: (retries: number): number => Math.min(againMillisMax, 100 * 2 ** Math.min(retries, 10)),
  };
  return createClient({
    url,
    ...(user !== '' && { username: user }),
    ...(password !== '' && { password }),
    socket: url.startsWith('rediss:') ? { ...socket, ...tls, tls: true as const } : socket,
    // What is to be told waits in our own log, which has a bound, and not in the client.
    disableOfflineQueue: true,
    commandsQueueMaxLength: 4_096,
    pingInterval: pingMillis,
    name: 'netspectra',
  });
}

/** A reason in words that say what to do; never the password. */
export function redisReason(error: unknown): string {
  const { message = '', code = '' } = (error ?? {}) as { message?: string; code?: string };
  if (/WRONGPASS|NOAUTH|invalid username-password|without any password configured/i.test(message)) {
    return 'it refuses these credentials: check redis.user and redis.password';
  }
  if (/NOPERM/.test(message)) return `the user may not do this: ${message.slice(0, 200)}`;
  if (code === 'CERT_HAS_EXPIRED') return "the server's certificate has expired: renew it, or set this machine's clock";
  if (/SELF_SIGNED|UNABLE_TO_|CERT_|DEPTH_ZERO/.test(code)) {
    return "the server's certificate is not signed by the configured CA: check redis.tls.ca_file, and that it is the server that was meant";
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return "the server's certificate is for another name than redis.url says";
  if (code === 'ECONNREFUSED') return 'nothing listens there: check redis.url, and that the server runs';
  if (/ERR_SSL|EPROTO/.test(code))
    return 'it does not speak TLS as asked: check whether redis.url begins with redis:// or rediss://';
  return (message || code || 'it does not answer').slice(0, 200);
}

export interface RedisConnection {
  readonly client: RedisClient;
  /** commands are taken now */
  readonly ready: () => boolean;
  /** why not; null when ready */
  readonly reason: () => string | null;
  /** Resolves when the first try is over, well or not. */
  readonly tried: Promise<void>;
  close(): void;
}

/**
 * Begin to connect.
 * @param onReady called each time when commands are taken again
 * @throws UserError NS_CONFIG_INVALID when certificates and keys cannot be used
 */
export function connectRedis(target: RedisTarget, log: RealtimeLog, onReady: () => void): RedisConnection {
  const where = target.url;
  let client: RedisClient;
  try {
    client = makeClient(target);
  } catch (error) {
    throw new UserError('NS_CONFIG_INVALID', `redis: ${(error as Error).message}`, { cause: error });
  }
  let reason: string | null = 'not connected yet';
  let logged: string | null = null;
  let closed = false;
  let done = (): void => {};
  const tried = new Promise<void>((resolve) => (done = resolve));
  client.on('error', (error: unknown) => {
    reason = redisReason(error);
    done();
    if (closed || reason === logged) return;
    logged = reason;
    log.warn({ redis: where }, `Redis is away, real-time state is kept in this process only: ${reason}`);
  });
  client.on('ready', () => {
    reason = null;
    logged = null;
    done();
    log.info({ redis: where }, 'Redis keeps real-time state');
    onReady();
  });
  client.connect().catch(() => {}); // it was told as an `error`
  return {
    client,
    ready: () => client.isReady,
    reason: () => (client.isReady ? null : (reason ?? 'the connection was lost')),
    tried,
    close: () => {
      closed = true;
      done();
      client.destroy();
    },
  };
}
