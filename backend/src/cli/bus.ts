/** The bus of the configuration. */
import { readFileSync } from 'node:fs';
import { BusError, createJetStreamBus } from '@netspectra/collector/bus';
import type { BusErrorCode, ConnectionOptions, JetStreamBus } from '@netspectra/collector/bus';
import type { Logger } from 'pino';
import type { Config } from '../config/index.js';
import { UserError } from '../errors.js';

/**
 * Begin to connect to the bus that the configuration names.
 * @param name how this process is called in the server's lists
 * @throws UserError NS_CONFIG_NOT_FOUND when a file it names cannot be read, NS_CONFIG_INVALID
 */
export function openConfiguredBus(config: Config, name: string, logger: Logger): JetStreamBus {
  const { bus } = config;
  const tls = {
    ...text('bus.tls.ca_file', bus.tls.ca_file, 'ca'),
    ...text('bus.tls.cert_file', bus.tls.cert_file, 'cert'),
    ...text('bus.tls.key_file', bus.tls.key_file, 'key'),
  };
  const connection: ConnectionOptions = {
    servers: bus.servers,
    name,
    ...(bus.user !== '' && { user: bus.user, password: bus.password }),
    ...(bus.token !== '' && { token: bus.token }),
    ...text('bus.nkey_file', bus.nkey_file, 'nkey'),
    ...text('bus.credentials_file', bus.credentials_file, 'credentials'),
    ...(Object.keys(tls).length > 0 && { tls }),
  };
  const streams = {
    partitions: bus.partitions,
    replicas: bus.replicas,
    bytesMax: bus.stream_bytes,
    messageBytesMax: bus.message_bytes,
  };
  try {
    return createJetStreamBus({ connection, streams, log: logger });
  } catch (error) {
    throw busUserError(error);
  }
}

/**
 * Make the streams that are missing. Who may not make streams finds them made by an engine.
 * @param fatal errors with which there is no going on: they are thrown (BusError), others are a line in the log
 */
export async function prepareStreams(
  bus: JetStreamBus,
  logger: Logger,
  fatal: readonly BusErrorCode[] = [],
): Promise<void> {
  try {
    for (const drift of await bus.ensureStreams()) {
      logger.warn(drift, drift.corrected ? 'a setting of a stream was set right' : 'a stream has another setting');
    }
  } catch (error) {
    if (error instanceof BusError && fatal.includes(error.code)) throw error;
    logger.warn({ reason: error instanceof Error ? error.message : String(error) }, 'the streams were not looked at');
  }
}

/** A BusError in the words of the command line; anything else as it is. */
export function busUserError(error: unknown): unknown {
  if (!(error instanceof BusError)) return error;
  const code = error.code === 'NS_BUS_CONFIGURATION' ? 'NS_CONFIG_INVALID' : 'NS_BUS_UNAVAILABLE';
  return new UserError(code, error.message, { cause: error });
}

/** The content of a file of the configuration under a key, or nothing when none is named. */
function text<Key extends string>(path: string, file: string, key: Key): Partial<Record<Key, string>> {
  if (file === '') return {};
  try {
    return { [key]: readFileSync(file, 'utf8') } as Record<Key, string>;
  } catch (cause) {
    throw new UserError('NS_CONFIG_NOT_FOUND', `${path}: ${file} cannot be read; check its name and mode`, { cause });
  }
}
