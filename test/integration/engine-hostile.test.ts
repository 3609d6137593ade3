/**
 * `netspectra engine` among publishers that mean harm: what is malformed, oversized, replayed, under a foreign name or with
 * numbers out of this world is refused or passed over, counted by its reason, within bounded memory; and what an honest probe
 * publishes meanwhile is in the store to the packet.
 */
import { connect, headers } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testMessage } from '../../backend/src/cluster/testing.js';
import { hasNats } from '../kit/nats.js';
import { startLiveCluster } from '../kit/live-cluster.js';
import type { LiveCluster, Monitored } from '../kit/live-cluster.js';
import { until } from './process.js';

const partitions = 2;
const packetBytes = 100;
const megabyte = 1 << 20;
/** Streams that an engine remembers here, per partition. */
const streamsMax = 8;
/** Strangers per partition: many times what is remembered. Thousands are the same, and take longer to store. */
const strangers = 24;
/** What hostile messages may cost: a stream that is remembered takes about 7 MB, and one that was let go as much until it is collected. */
const memoryGrowthMax = 320 * megabyte;
const messageBytesMax = 64 * 1024;

describe.runIf(hasNats)('an engine among hostile publishers', () => {
  let cluster: LiveCluster;
  let engine: Monitored;
  let nats: NatsConnection;
  let honestPackets: number;
  let honestSequence: number;
  let memoryBefore: number;
  let memoryMost: number;
  let watching: NodeJS.Timeout;

  beforeEach(async () => {
    cluster = await startLiveCluster({
      partitions,
      configuration: `authorization { users: [
        { user: anybody, password: a },
        { user: evil, password: e, permissions: { publish: ["netspectra.packets.*.evil"], subscribe: ["_INBOX.>"] } } ] }
        no_auth_user: anybody`,
      env: {
        NETSPECTRA_ENGINE_LEASE: '10s',
        NETSPECTRA_ENGINE_MAX_STREAMS: String(streamsMax),
        NETSPECTRA_ENGINE_HOLE_TIMEOUT: '1s',
        NETSPECTRA_BUS_MESSAGE_BYTES: '64KB',
      },
    });
    engine = await cluster.engine();
    nats = await connect({ servers: cluster.nats.url, reconnectTimeWait: 100, maxReconnectAttempts: -1 });
    await until(
      'it has the partitions',
      async () => (await engine.metric('netspectra_engine_partitions')) === partitions,
    );
    honestPackets = 0;
    honestSequence = 0;
    await honest();
    await honestStored();
    memoryBefore = memoryMost = engine.memoryBytes();
    watching = setInterval(() => (memoryMost = Math.max(memoryMost, engine.memoryBytes())), 50);
  });
  afterEach(async () => {
    clearInterval(watching);
    await nats.close();
    await cluster.close();
  });

  /** Publish bytes under a name on a subject, as anybody can who is let. @returns what the server says */
  async function publish(
    subject: string,
    name: string | null,
    bytes: Uint8Array,
  ): Promise<{ readonly duplicate?: boolean; readonly error?: { readonly description: string } }> {
    const named = headers();
    if (name !== null) named.set('Nats-Msg-Id', name);
    return (await nats.request(subject, bytes, { headers: named, timeout: 10_000 })).json();
  }

  const subjectOf = (probe: string, partition = 0): string => `netspectra.packets.${partition}.${probe}`;
  const bytesOf = (probe: string, epoch: bigint, sequence: number, packets: number, partition = 0): Uint8Array =>
    testMessage({ probe, epoch, sequence, partition }, packets, { partitions }).bytes;
  /** A message that is what it says. */
  const send = (probe: string, epoch: bigint, sequence: number, packets = 1, partition = 0) =>
    publish(
      subjectOf(probe, partition),
      `${probe}:${epoch}:${sequence}`,
      bytesOf(probe, epoch, sequence, packets, partition),
    );

  /** The honest probe's next message in each partition. */
  async function honest(): Promise<void> {
    for (let partition = 0; partition < partitions; partition += 1) {
      const packets = 10 + (honestSequence % 7);
      expect(await send('honest', 1n, honestSequence, packets, partition)).not.toHaveProperty('error');
      honestPackets += packets;
    }
    honestSequence += 1;
  }
  const honestStored = (): Promise<void> =>
    until('all of the honest probe is stored', async () => (await cluster.stored('honest')).packets >= honestPackets);
  const refused = (reason: string): Promise<number> =>
    engine.metric('netspectra_engine_refused_messages_total', `reason="${reason}"`);

  /** The engine lives, and has all of the honest probe and nothing more. */
  async function expectUnharmed(): Promise<void> {
    for (let i = 0; i < 3; i += 1) await honest();
    await honestStored();
    expect(await cluster.stored('honest')).toEqual({ packets: honestPackets, bytes: honestPackets * packetBytes });
    expect(engine.child.exitCode).toBeNull();
    expect(memoryMost - memoryBefore).toBeLessThan(memoryGrowthMax);
    expect(engine.stderr()).not.toMatch(/internal error|\n\s+at /);
    // Also what was refused leaves the stream.
    await until('the streams are empty', async () =>
      (await cluster.bus.streams()).every(({ messages }) => messages === 0),
    );
  }

  it('refuses what is malformed, oversized, nameless or under a foreign name, each with its reason', async () => {
    const good = (sequence: number): Uint8Array => bytesOf('evil', 7n, sequence, 5);
    const rowsField = 0x40;
    const millionRows = Buffer.concat([good(1), Buffer.from([rowsField, 0xc0, 0x84, 0x3d])]);
    const cases: readonly (readonly [reason: string, subject: string, name: string | null, bytes: Uint8Array])[] = [
      ['no_id', subjectOf('evil'), null, good(0)],
      ['no_id', subjectOf('evil'), 'evil', good(0)],
      ['no_id', subjectOf('evil'), 'evil:7:9007199254740992', good(0)],
      ['no_id', subjectOf('evil'), 'evil:18446744073709551616:0', good(0)],
      ['no_id', subjectOf('evil'), '%FF%FE:7:0', good(0)],
      ['no_id', subjectOf('evil'), '%00:7:0', good(0)],
      ['foreign_probe', subjectOf('evil'), `honest:1:${honestSequence + 100}`, bytesOf('honest', 1n, 100, 5)],
      ['malformed', subjectOf('evil'), 'evil:7:0', Buffer.from('no batch at all')],
      ['column_length', subjectOf('evil'), 'evil:7:1', millionRows],
      ['foreign_header', subjectOf('evil'), 'evil:7:2', bytesOf('honest', 1n, 0, 5)],
      ['foreign_header', subjectOf('evil'), 'evil:7:3', bytesOf('evil', 7n, 3, 5, 1)],
      ['foreign_header', subjectOf('evil'), 'evil:7:4', bytesOf('evil', 8n, 4, 5)],
      ['foreign_header', subjectOf('evil'), 'evil:7:5', bytesOf('evil', 7n, 6, 5)],
      [
        'foreign_header',
        subjectOf('evil'),
        'evil:7:6',
        testMessage({ probe: 'evil', epoch: 7n, sequence: 6 }, 5, { partitions: 64 }).bytes,
      ],
    ];
    const wanted = new Map<string, number>();
    for (const [reason, subject, name, bytes] of cases) {
      await honest();
      expect(await publish(subject, name, bytes)).not.toHaveProperty('error');
      wanted.set(reason, (wanted.get(reason) ?? 0) + 1);
    }
    // The server itself refuses what is larger than messages may be.
    const large = await publish(subjectOf('evil'), 'evil:7:7', new Uint8Array(messageBytesMax + 1));
    expect(large.error?.description).toContain('message size exceeds maximum allowed');
    await expectUnharmed();
    for (const [reason, count] of wanted) expect([reason, await refused(reason)]).toEqual([reason, count]);
    expect(await cluster.stored('evil')).toEqual({ packets: 0, bytes: 0 });
  });

  it('counts a message that comes again once, also when the server has forgotten its name', async () => {
    for (let i = 0; i < 5; i += 1) await honest();
    await honestStored();
    expect(await send('honest', 1n, 0, 10)).toMatchObject({ duplicate: true });
    await until('the streams are empty', async () =>
      (await cluster.bus.streams()).every(({ messages }) => messages === 0),
    );
    await cluster.nats.kill();
    await cluster.nats.start();
    await until('the publisher is back', () =>
      nats.flush().then(
        () => true,
        () => false,
      ),
    );
    for (let sequence = 0; sequence <= 5; sequence += 1) {
      expect(await send('honest', 1n, sequence, 10 + (sequence % 7))).not.toMatchObject({ duplicate: true });
    }
    await until(
      'they are counted',
      async () => (await engine.metric('netspectra_engine_duplicate_messages_total')) === 6,
    );
    await expectUnharmed();
  });

  it('goes past numbers out of this world', async () => {
    await send('far', 1n, Number.MAX_SAFE_INTEGER, 3);
    await send('jump', 1n, 0, 2);
    await send('jump', 1n, 1_000_000, 2);
    await send('jump', 1n, 1_000_001, 2);
    await until('both are stored', async () => {
      const [far, jump] = await Promise.all([cluster.stored('far'), cluster.stored('jump')]);
      return far.packets === 3 && jump.packets === 6;
    });
    // What is after the last number there is, is before: nothing can be.
    await send('far', 1n, 5, 3);
    await until('what comes late is taken', async () => (await cluster.stored('far')).packets === 6);
    expect(await engine.metric('netspectra_engine_missing_messages_total')).toBeGreaterThanOrEqual(999_999);
    await expectUnharmed();
  });

  it('remembers so many strangers and no more', async () => {
    for (let i = 0; i < strangers; i += 1) {
      // A crowd of probes, and one probe that never stops beginning anew.
      await send(`stranger-${i}`, 1n, 0);
      await send('restless', BigInt(i), 0, 1, 1);
      if (i % 10 === 0) await honest();
    }
    await until(
      'all are stored',
      async () => (await cluster.stored()).packets === honestPackets + 2 * strangers,
      60_000,
    );
    expect(await engine.metric('netspectra_engine_streams_evicted_total')).toBeGreaterThan(strangers);
    expect(await engine.metric('netspectra_engine_streams')).toBeLessThanOrEqual(partitions * (streamsMax + 1));
    await expectUnharmed();
    // Those that were forgotten are known again by what is stored.
    await cluster.nats.kill();
    await cluster.nats.start();
    await until('the publisher is back', () =>
      nats.flush().then(
        () => true,
        () => false,
      ),
    );
    const duplicates = await engine.metric('netspectra_engine_duplicate_messages_total');
    await send('stranger-0', 1n, 0);
    await until(
      'it is refused',
      async () => (await engine.metric('netspectra_engine_duplicate_messages_total')) > duplicates,
    );
    expect(await cluster.stored('stranger-0')).toMatchObject({ packets: 1 });
  });

  it('with the permissions of docs/bus.md is out of reach of a probe that would pass for another', async () => {
    const evil = await connect({ servers: cluster.nats.url, user: 'evil', pass: 'e' });
    try {
      const forbidden: string[] = [];
      void (async () => {
        for await (const status of evil.status()) if (status.type === 'error') forbidden.push(status.error.message);
      })();
      const named = (sequence: number) => {
        const name = headers();
        name.set('Nats-Msg-Id', `honest:1:${sequence}`);
        return { headers: name };
      };
      const fake = bytesOf('honest', 1n, honestSequence, 999);
      // The honest probe's next message, on its subject: the server does not let it.
      evil.publish(subjectOf('honest'), fake, named(honestSequence));
      evil.publish('$KV.netspectra-engines.partition.0', 'mine');
      evil.publish('$JS.API.STREAM.PURGE.NETSPECTRA_PACKETS_0');
      await until('all three are forbidden', () => forbidden.length === 3);
      expect(forbidden.every((text) => /Permissions Violation/.test(text))).toBe(true);
      await honest();
      await honestStored();
      // On its own subject, if it knows the epoch: nothing is counted for the honest probe, but the server takes the honest
      // message for one it has. That is a hole, which is told (docs/engine.md).
      evil.publish(subjectOf('evil'), fake, named(honestSequence));
      await evil.flush();
      await until('it is refused', async () => (await refused('foreign_probe')) === 1);
      expect(await send('honest', 1n, honestSequence, 10)).toMatchObject({ duplicate: true });
      honestSequence += 1;
      expect(await send('honest', 1n, honestSequence, 10)).not.toHaveProperty('duplicate');
      honestPackets += 10;
      await until(
        'the hole is told',
        async () => (await engine.metric('netspectra_engine_missing_messages_total')) >= 1,
      );
      await honestStored();
      expect(await cluster.stored('honest')).toEqual({ packets: honestPackets, bytes: honestPackets * packetBytes });
      expect(await cluster.stored('evil')).toEqual({ packets: 0, bytes: 0 });
    } finally {
      await evil.close();
    }
  });
});
