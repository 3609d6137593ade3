/** The partitions' streams in JetStream: made once by whoever comes first, compared and corrected by everybody after. */
import { DiscardPolicy, JetStreamApiError, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig, StreamInfo } from '@nats-io/jetstream';
import { BusError } from './bus.js';
import type { StreamDrift, StreamState } from './bus.js';
import { messagesMax, streamDefaults } from './options.js';
import type { StreamOptions } from './options.js';
import { partitionSubject, streamName } from './subjects.js';

const nanosecondsPerMs = 1_000_000;

/** NATS' codes of errors that mean something here. */
export const natsError = {
  streamNotFound: 10059,
  streamNameInUse: 10058,
  consumerNotFound: 10014,
  noMoreStorage: 10047,
  storageExceeded: 10052,
  streamStoreFailed: 10077,
  insufficientResources: 10023,
  messageTooLarge: 10054,
} as const;

export const natsCode = (error: unknown): number => (error instanceof JetStreamApiError ? error.code : 0);

/** What can be set only when a stream is made. */
const fixed = ['storage', 'retention'] as const;
const adjustable = [
  'subjects',
  'description',
  'discard',
  'max_bytes',
  'max_msg_size',
  'max_msgs',
  'max_age',
  'duplicate_window',
  'num_replicas',
] as const;

type Wanted = Pick<StreamConfig, (typeof fixed)[number] | (typeof adjustable)[number]>;

function wantedConfig(partition: number, options: StreamOptions): Wanted {
  const { messageBytesMax, duplicateWindowMs, replicas } = { ...streamDefaults, ...options };
  return {
    // The number of partitions stands here, so that who is configured with another number is told.
    description: `NetSpectra packets, partition ${partition} of ${options.partitions}`,
    subjects: [partitionSubject(partition)],
    storage: StorageType.File,
    // Nothing leaves before it is acknowledged, which is a purge up to a sequence: see jetstream-consumer.ts.
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    // Not both: with both, servers look at one only (nats-server issue 4771).
    max_msgs: messagesMax(options),
    max_bytes: -1,
    max_msg_size: messageBytesMax,
    max_age: 0,
    duplicate_window: duplicateWindowMs * nanosecondsPerMs,
    num_replicas: replicas,
  };
}

/** Make or correct the streams of all partitions. */
export async function ensureStreams(manager: JetStreamManager, options: StreamOptions): Promise<StreamDrift[]> {
  const drifts: StreamDrift[] = [];
  for (let partition = 0; partition < options.partitions; partition += 1) {
    drifts.push(...(await ensureStream(manager, partition, options)));
  }
  return drifts;
}

async function ensureStream(
  manager: JetStreamManager,
  partition: number,
  options: StreamOptions,
): Promise<StreamDrift[]> {
  const name = streamName(partition);
  const wanted = wantedConfig(partition, options);
  const info = await findOrMake(manager, name, wanted);
  if (!info) return [];
  const found = info.config;
  const cut = /partition \d+ of (\d+)$/.exec(found.description ?? '')?.[1];
  if (cut !== undefined && Number(cut) !== options.partitions)
    throw new BusError(
      'NS_BUS_CONFIGURATION',
      `stream ${name} was made for ${cut} partitions and ${options.partitions} are configured; the number is fixed: configure ${cut}, or drain and delete the streams`,
    );
  const differ = <Setting extends keyof Wanted>(setting: Setting): boolean =>
    JSON.stringify(found[setting]) !== JSON.stringify(wanted[setting]);
  const drift = (setting: keyof Wanted, corrected: boolean): StreamDrift => ({
    stream: name,
    setting,
    wanted: JSON.stringify(wanted[setting]),
    found: JSON.stringify(found[setting] ?? null),
    corrected,
  });
  const stuck = fixed.filter(differ).map((setting) => drift(setting, false));
  const changed = adjustable.filter(differ);
  if (changed.length === 0) return stuck;
  // A lower bound would delete what is beyond it at once; while the stream is not far below, it stays as it is.
  const keepBound = found.max_msgs > wanted.max_msgs && info.state.messages * 2 > wanted.max_msgs;
  const kept = (setting: keyof Wanted): boolean => keepBound && setting === 'max_msgs';
  try {
    const { storage: _storage, retention: _retention, ...update } = wanted;
    await manager.streams.update(name, keepBound ? { ...update, max_msgs: found.max_msgs } : update);
    return [...stuck, ...changed.map((setting) => drift(setting, !kept(setting)))];
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    return [...stuck, ...changed.map((setting) => drift(setting, false))];
  }
}

/** The stream as it was there; null when the stream was made now. */
async function findOrMake(
  manager: JetStreamManager,
  name: string,
  wanted: Wanted,
): Promise<Pick<StreamInfo, 'config' | 'state'> | null> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (natsCode(error) !== natsError.streamNotFound) throw error;
  }
  try {
    await manager.streams.add({ name, ...wanted });
    return null;
  } catch (error) {
    // Somebody else made it in between, not quite as we would.
    if (natsCode(error) === natsError.streamNameInUse) return await manager.streams.info(name);
    if (error instanceof JetStreamApiError)
      throw new BusError(
        'NS_BUS_STREAM',
        `stream ${name} cannot be made: ${error.message}; see docs/bus.md for sizes`,
        {
          cause: error,
        },
      );
    throw error;
  }
}

/** What stands in the streams now; one that is not there yet is empty. */
export async function streamStates(manager: JetStreamManager, options: StreamOptions): Promise<StreamState[]> {
  const states: StreamState[] = [];
  for (let partition = 0; partition < options.partitions; partition += 1) {
    try {
      const { state, config } = await manager.streams.info(streamName(partition));
      states.push({
        partition,
        messages: state.messages,
        bytes: state.bytes,
        firstSequence: state.first_seq,
        lastSequence: state.last_seq,
        messagesMax: config.max_msgs,
      });
    } catch (error) {
      if (natsCode(error) !== natsError.streamNotFound) throw error;
      states.push({ partition, messages: 0, bytes: 0, firstSequence: 1, lastSequence: 0, messagesMax: 0 });
    }
  }
  return states;
}
