/**
 * Small records that are changed only by who knows their last revision: what leases are made of. In NATS a key-value
 * bucket, in memory a map.
 */
import { Kvm } from '@nats-io/kv';
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { BusError } from './bus.js';
import type { JetStreamBus } from './jetstream-bus.js';
import { describeStreamError } from './jetstream-errors.js';
import { natsCode } from './jetstream-streams.js';

export interface StoredRecord {
  /** '' when it was removed: a record that was there differs from one that never was */
  readonly text: string;
  /** changes with every write of the key */
  readonly revision: number;
}

/** Keys are words of letters, digits, `-`, `_`, `/` and `=`, joined by dots. Everything may reject with a BusError. */
export interface Records {
  get(key: string): Promise<StoredRecord | null>;
  /** Keys that begin so, deleted ones left out. */
  keys(prefix: string): Promise<readonly string[]>;
  /**
   * Write, if the record is as it was.
   * @param revision of the record that is to be replaced; null: there must be none, or one that was removed
   * @returns the new revision; null: somebody else wrote in between
   */
  put(key: string, text: string, revision: number | null): Promise<number | null>;
  /** Remove, if the record is as it was. */
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
    keys: async (prefix) =>
      [...records].filter(([key, { text }]) => key.startsWith(prefix) && text !== '').map(([key]) => key),
    async put(key, text, revision) {
      const found = records.get(key);
      if ((found?.revision ?? null) !== revision && (revision !== null || found?.text !== '')) return null;
      revisions += 1;
      records.set(key, { text, revision: revisions });
      return revisions;
    },
    async remove(key, revision) {
      if (records.get(key)?.revision !== revision) return false;
      revisions += 1;
      records.set(key, { text: '', revision: revisions });
      return true;
    },
  };
}

/** Records in a bucket of NATS, which is made when it is not there. */
export function createNatsRecords(bus: JetStreamBus, bucket: string, replicas = 1): Records {
  let opened: { readonly nats: NatsConnection; readonly kv: Promise<KV> } | null = null;
  const open = async (): Promise<KV> => {
    const nats = await bus.ready(timeoutMs);
    if (opened?.nats !== nats) {
      const kv = new Kvm(nats).create(bucket, { history: 1, replicas, maxValueSize: textBytesMax, timeout: timeoutMs });
      opened = { nats, kv };
      kv.catch(() => (opened = null));
    }
    return opened.kv;
  };
  const asked = async <Result>(work: (kv: KV) => Promise<Result>): Promise<Result> => {
    try {
      return await work(await open());
    } catch (error) {
      opened = null; // the bucket may be gone: it is made again by the next who asks
      throw error instanceof BusError ? error : describeStreamError(error, `KV_${bucket}`);
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
    keys: (prefix) =>
      asked(async (kv) => {
        const found: string[] = [];
        for await (const key of await kv.keys()) if (key.startsWith(prefix)) found.push(key);
        return found;
      }),
    put: (key, text, revision) =>
      asked((kv) => unlessChanged(revision === null ? kv.create(key, text) : kv.update(key, text, revision))),
    remove: (key, revision) =>
      asked(async (kv) => (await unlessChanged(kv.delete(key, { previousSeq: revision }).then(() => true))) ?? false),
  };
}
