/**
 * The probe on a real interface, with a bus in memory: what tcpreplay sends arrives as messages whose rows are those of
 * the file, each partition in order, and whose counters balance.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openCaptureFile } from '@netspectra/collector';
import { createMemoryBus } from '@netspectra/collector/bus';
import type { Bus, OutgoingMessage, Publisher } from '@netspectra/collector/bus';
import { PacketDecoder, partitionOf } from '@netspectra/collector/decode';
import { createProbe, publishFile } from '@netspectra/collector/probe';
import type { Probe, ProbeOptions, RuleSet } from '@netspectra/collector/probe';
import { Layer, PacketBatch, decodePacketBatch } from '@netspectra/proto';
import type { BatchHeader } from '@netspectra/proto';
import { readCapture, rowOf } from '../../collector/src/decode/testing.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';

const sample = fileURLToPath(new URL('../fixtures/sample.pcap', import.meta.url));
const threadUrl = new URL('../../collector/dist/probe/probe-thread.js', import.meta.url);
const partitions = 4;

interface Heard {
  readonly header: BatchHeader;
  readonly batch: PacketBatch;
}

/** Take everything that stands in a bus. */
async function hear(bus: Bus): Promise<Heard[][]> {
  const heard: Heard[][] = [];
  for (const { partition, messages } of await bus.streams()) {
    const consumer = bus.consume(partition);
    const found: Heard[] = [];
    if (messages > 0) {
      for await (const delivery of consumer.messages) {
        if (delivery.kind !== 'message') throw new Error(delivery.reason);
        const decoded = decodePacketBatch(delivery.bytes);
        if (!decoded.ok) throw new Error(decoded.error);
        expect(decoded.header.sequence).toBe(delivery.sequence);
        expect(decoded.header.partition).toBe(partition);
        found.push(decoded);
        if (found.length === messages) break;
      }
    }
    await consumer.stop();
    heard.push(found);
  }
  return heard;
}

type Row = Record<string, unknown>;
/** Columns that say when and where a packet was seen, not what it is. */
const elsewhere = ['timestampSeconds', 'timestampNanoseconds', 'payloadOffset', 'payloadLength'];
const plain = (batch: PacketBatch, row: number): Row =>
  Object.fromEntries(Object.entries(rowOf(batch, row)).filter(([name]) => !elsewhere.includes(name)));

/** The rows of a capture file, by partition, decoded here. */
function rowsOfFile(path: string): Row[][] {
  const frames = readCapture(new Uint8Array(readFileSync(path)));
  const decoder = new PacketDecoder();
  const rows: Row[][] = Array.from({ length: partitions }, () => []);
  for (const frame of frames) {
    const batch = new PacketBatch(1, 8);
    const { bytes, linkType } = frame;
    decoder.decode(bytes, 0, bytes.length, bytes.length, linkType, 0, 0, 0, batch);
    rows[partitionOf(batch.flowHash[0]!, partitions)]!.push(plain(batch, 0));
  }
  return rows;
}

function rowsHeard(heard: readonly Heard[][]): Row[][] {
  return heard.map((messages) =>
    messages.flatMap(({ batch }) => Array.from({ length: batch.count }, (_, row) => plain(batch, row))),
  );
}

function lastCounters(heard: readonly Heard[][]) {
  const all = heard.flat().map(({ header }) => header.counters);
  return all.reduce((last, counters) => (counters.received >= last.received ? counters : last));
}

describe.runIf(hasCables)('a probe on a veth pair', () => {
  let cable: Cable;
  let packets = 0;
  const probes: Probe[] = [];
  const log: string[] = [];
  beforeAll(() => {
    cable = layCable();
    packets = readCapture(new Uint8Array(readFileSync(sample))).length;
  });
  afterEach(async () => {
    for (const probe of probes.splice(0)) await probe.stop();
    log.splice(0);
  });
  afterAll(() => cable?.remove());

  async function start(
    over: Partial<ProbeOptions> = {},
    publisher: (options: Parameters<Bus['publisher']>[0]) => Publisher = (options) => bus.publisher(options),
  ): Promise<Probe> {
    const probe = createProbe(
      { publisher, log: { info: () => {}, warn: (_, text) => log.push(text) } },
      {
        probe: 'edge-1',
        interfaces: [cable.interface],
        ringsPerInterface: 1,
        partitions,
        samplingRate: 1,
        payload: 'all',
        rowsMax: 4_096,
        messageBytesMax: 256 * 1024,
        filter: '',
        flushMilliseconds: 20,
        idleMilliseconds: 60_000,
        queueBytesMax: 32 << 20,
        live: {
          promiscuous: true,
          snapLength: 65_535,
          ringBytes: 8 << 20,
          blockTimeoutMilliseconds: 10,
          hardwareTimestamps: false,
        },
        threadUrl,
        ...over,
      },
    );
    probes.push(probe);
    await probe.start();
    return probe;
  }
  let bus: Bus;

  it('publishes the rows of what was sent, each partition in order, and says when it ends', async () => {
    bus = createMemoryBus({ partitions });
    const probe = await start();
    expect(await cable.send(sample, { packetsPerSecond: 30_000 })).toBe(packets);
    expect(await probe.stop()).toBe(0);
    const heard = await hear(bus);
    expect(rowsHeard(heard)).toEqual(rowsOfFile(sample));
    for (const messages of heard) {
      expect(messages.map(({ header }) => header.sequence)).toEqual(messages.map((_, i) => i));
      expect(messages.map(({ header }) => header.complete)).toEqual(messages.map((_, i) => i === messages.length - 1));
      for (const { header, batch } of messages) {
        const { received, kernelDropped, filtered, decoded, undecodable } = header.counters;
        expect(received).toBe(kernelDropped + filtered + decoded + undecodable);
        expect(header).toMatchObject({ probe: 'edge-1', source: cable.interface, partitions, samplingRate: 1 });
        expect(header.lastSeconds - Date.now() / 1000).toBeLessThan(1);
        expect(batch.payload.length).toBe(batch.payloadLength.reduce((sum, length) => sum + length, 0));
      }
    }
    expect(lastCounters(heard)).toMatchObject({ received: packets, kernelDropped: 0, filtered: 0, publishDropped: 0 });
    expect(log).toEqual([]);
  });

  it('with several rings: every packet once, one epoch for each ring', async () => {
    bus = createMemoryBus({ partitions });
    const probe = await start({ ringsPerInterface: 2 });
    await cable.send(sample, { packetsPerSecond: 30_000 });
    await probe.stop();
    const heard = await hear(bus);
    const sorted = (rows: Row[][]): string[][] => rows.map((each) => each.map((row) => JSON.stringify(row)).sort());
    expect(sorted(rowsHeard(heard))).toEqual(sorted(rowsOfFile(sample)));
    expect(new Set(heard.flat().map(({ header }) => header.epoch)).size).toBe(2);
  });

  it('publishes what still stands in an open block when it is stopped', async () => {
    bus = createMemoryBus({ partitions });
    const live = { promiscuous: true, snapLength: 256, ringBytes: 8 << 20, blockTimeoutMilliseconds: 400 };
    const probe = await start({ live: { ...live, hardwareTimestamps: false } });
    await cable.send(sample, { packetsPerSecond: 100_000 });
    expect(await probe.stop()).toBe(0);
    expect(rowsHeard(await hear(bus)).flat()).toHaveLength(packets);
  });

  it('keeps what the filter keeps, counts the rest, and takes another while it runs', async () => {
    bus = createMemoryBus({ partitions });
    await expect(start({ filter: 'dns.name = "x"' })).rejects.toThrow('the filter: ');

    bus = createMemoryBus({ partitions });
    const filtering = await start({ filter: 'udp and port 53' });
    await cable.send(sample, { packetsPerSecond: 30_000 });
    await filtering.stop();
    const heard = await hear(bus);
    // A fragment that could belong to such a datagram comes along.
    const wanted = (row: Row): boolean =>
      row['protocol'] === 17 &&
      ([row['sourcePort'], row['destinationPort']].includes(53) || (Number(row['layers']) & Layer.Fragment) !== 0);
    const rows = rowsOfFile(sample);
    expect(rowsHeard(heard)).toEqual(rows.map((each) => each.filter(wanted)));

    bus = createMemoryBus({ partitions });
    const changing = await start({ filter: 'arp or udp and port 53' });
    const rules = (version: string, filter: string): RuleSet => ({
      version,
      rules: [{ filter, action: { type: 'drop' } }],
    });
    changing.rules(rules('1', 'not arp'));
    expect(() => changing.rules(rules('2', 'bytes > 1MB'))).toThrow('rule 1: '); // no packet can tell
    await expect.poll(() => changing.rings[0]?.report?.rulesVersion, { timeout: 10_000 }).toBe('1');
    await cable.send(sample, { packetsPerSecond: 30_000 });
    await changing.stop();
    const isArp = (row: Row): boolean => (Number(row['layers']) & Layer.Arp) !== 0;
    expect(rowsHeard(await hear(bus))).toEqual(rows.map((each) => each.filter(isArp)));
  });

  it('never waits: what nobody takes is dropped and counted, and the ring goes on', async () => {
    bus = createMemoryBus({ partitions });
    let shut = true;
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    const probe = await start({ queueBytesMax: 64 * 1024, payload: 'none' }, (options) => {
      const real = bus.publisher(options);
      return {
        get state() {
          return real.state;
        },
        publish: (message: OutgoingMessage) => (shut ? 'full' : real.publish(message)),
        room: async () => {
          await opened;
          await real.room();
        },
        close: (milliseconds) => real.close(milliseconds),
      };
    });
    await cable.send(sample, { times: 4, packetsPerSecond: 60_000 });
    const sent = packets * 4;
    await expect.poll(() => probe.rings[0]?.report?.counters.received, { timeout: 10_000 }).toBe(sent);
    const held = probe.rings[0]!.report!.counters;
    expect(held.kernelDropped).toBe(0);
    expect(held.publishDropped).toBeGreaterThan(sent / 4);
    expect(held.held + held.publishDropped).toBe(sent);
    shut = false;
    open();
    await probe.stop();
    const heard = await hear(bus);
    const published = rowsHeard(heard).flat().length;
    expect(published + lastCounters(heard).publishDropped).toBe(sent);
    for (const messages of heard) {
      expect(messages.map(({ header }) => header.sequence)).toEqual(messages.map((_, i) => i));
    }
  });

  it('tells partitions that had nothing that it lives', async () => {
    bus = createMemoryBus({ partitions });
    await start({ idleMilliseconds: 100 });
    await expect
      .poll(async () => (await bus.streams()).every(({ messages }) => messages > 0), { timeout: 10_000 })
      .toBe(true);
    const [first] = (await hear(bus))[partitions - 1]!;
    expect(first!.batch.count).toBe(0);
    expect(Math.abs(first!.header.lastSeconds - Date.now() / 1000)).toBeLessThan(5);
  });

  it('does not begin when one interface is wrong, and says which', async () => {
    bus = createMemoryBus({ partitions });
    await expect(start({ interfaces: [cable.interface, 'no-such-if0'] })).rejects.toMatchObject({
      code: 'NS_CAPTURE_NO_INTERFACE',
    });
  });
});

describe('a capture file published', () => {
  let folder = '';
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'probe-file-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  const publish = async (bus: Bus) => {
    const publisher = bus.publisher();
    const report = await publishFile(await openCaptureFile(sample), publisher, {
      probe: 'file-1',
      epoch: 77n,
      source: 'sample.pcap',
      partitions,
      payload: 'applications',
      rowsMax: 1_000,
      messageBytesMax: 64 * 1024,
      filter: '',
      stop: new AbortController().signal,
    });
    expect(await publisher.close()).toEqual([]);
    return { report, state: publisher.state };
  };

  it('has the rows of the file; publishing it again changes nothing', async () => {
    const bus = createMemoryBus({ partitions });
    const { report } = await publish(bus);
    const heard = await hear(bus);
    expect(rowsHeard(heard)).toEqual(rowsOfFile(sample));
    expect(report.complete).toBe(true);
    expect(heard.flat().length).toBe(report.messages);
    expect(lastCounters(heard).received).toBe(rowsOfFile(sample).flat().length);
    const again = await publish(bus);
    expect(again.state.duplicates).toBe(report.messages);
    expect((await hear(bus)).flat().length).toBe(report.messages);
  });
});
