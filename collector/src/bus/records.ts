/**
 * Small records that are changed only by who knows their last revision: what leases are made of. In NATS a key-value
 * bucket, in memory a map.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { BusError } from './bus.js';
import type { JetStreamBus } from './jetstream-bus.js';
import { describeStreamError } from './jetstream-errors.js';
import { natsCode } from './jetstream-streams.js';

export interface StoredRecord {
  /** '' when somebody deleted it in a way that leaves a mark: a record that was there differs from one that never was */
  readonly text: string;
  /** changes with every write of the key */
  readonly revision: number;
}

/** Keys are words of letters, digits, `-`, `_`, `/` and `=`, joined by dots. Everything may reject with a BusError. */
export interface Records {
  get(key: string): Promise<StoredRecord | null>;
  /** Keys that begin with these words (`engine.`), each once, as they stand at one moment; `get` tells whether one is deleted. */
  keys(prefix: string): Promise<readonly string[]>;
  /**
   * Write, if the record is as it was.
   * @param revision of the record that is to be replaced; null: there must be none, or one that was removed
   * @returns the new revision; null: somebody else wrote in between
   */
  put(key: string, text: string, revision: number | null): Promise<number | null>;
  /** Remove without a trace, if the record is as it was. */
  remove(key: string, revision: number): Promise<boolean>;
}

const wrongLastSequence = 10071;
const wrongLastSequenceUnknown = 10164;
const timeoutMs = 3000;
const textBytesMax = 512 << 10;

/** Records in memory: of one process. */
export function createMemoryRecords(): Records {
  const records = new Map<string, StoredRecord>();
  let revisions = 0;
  return {
    get: async (key) => records.get(key) ?? null,
    keys: async (prefix) => [...records.keys()].filter((key) => key.startsWith(prefix)),
    async put(key, text, revision) {
      const found = records.get(key);
      if ((found?.revision ?? null) !== revision && (revision !== null || found?.text !== '')) return null;
      revisions += 1;
      records.set(key, { text, revision: revisions });
      return revisions;
    },
    async remove(key, revision) {
      if (records.get(key)?.revision !== revision) return false;
      return records.delete(key);
    },
  };
}

/** Records in a bucket of NATS, which is made when it is not there. */
export function createNatsRecords(bus: JetStreamBus, bucket: string, replicas = 1): Records {
  const stream = `KV_${bucket}`;
  const subjects = `$KV.${bucket}.`;
  let opened: { nats: NatsConnection; kv: Promise<KV>; manager: Promise<JetStreamManager> } | null = null;
  const open = async () => {
    const nats = await bus.ready(timeoutMs);
    if (opened?.nats !== nats) {
      const kv = new Kvm(nats).create(bucket, { history: 1, replicas, maxValueSize: textBytesMax, timeout: timeoutMs });
      const manager = jetstreamManager(nats, { checkAPI: false, timeout: timeoutMs });
      opened = { nats, kv, manager };
      for (const one of [kv, manager]) one.catch(() => (opened = null));
    }
    return opened;
  };
  const asked = async <Result>(work: (kv: KV, manager: JetStreamManager) => Promise<Result>): Promise<Result> => {
    try {
      const { kv, manager } = await open();
      return await work(await kv, await manager);
    } catch (error) {
      opened = null; // the bucket may be gone: it is made again by the next who asks
      throw error instanceof BusError ? error : describeStreamError(error, stream);
    }
  };
  const unlessChanged = async <Result>(work: Promise<Result>): Promise<Result | null> => {
    try {
      return await work;
    } catch (error) {
      if ([wrongLastSequence, wrongLastSequenceUnknown].includes(natsCode(error))) return null;
      throw error;
    }
  };
  return {
    get: (key) =>
      asked(async (kv) => {
        const entry = await kv.get(key);
        return entry && { text: entry.operation === 'PUT' ? entry.string() : '', revision: entry.revision };
      }),
    // Not `kv.keys`: it watches, so that a record which is written meanwhile comes twice, and while records are written all
    // the time it does not end.
    keys: (prefix) =>
      asked(async (_, manager) => {
        const { state } = await manager.streams.info(stream, { subjects_filter: `${subjects}${prefix}>` });
        return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(subjects.length));
      }),
    put: (key, text, revision) =>
      asked((kv) => unlessChanged(revision === null ? kv.create(key, text) : kv.update(key, text, revision))),
    // A deletion would leave a mark for every engine there ever was. A later record than this one is not purged.
    remove: (key, revision) =>
      asked(async (_, manager) => {
        const { purged } = await manager.streams.purge(stream, { filter: subjects + key, seq: revision + 1 });
        return purged > 0;
      }),
  };
}
