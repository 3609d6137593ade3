// @ts-check
/**
 * A probe that knows what it sent: publishes packets made from a seed over the real outbox, and writes down, before it
 * publishes a message, what is in it, and after the bus confirmed it, that it did. A process of its own, to be killed at
 * any time: what it has written stays. Each start is another epoch over the same spool, as with a probe that captures.
 *
 *   node test/kit/oracle-probe.js '{"url", "partitions", "probe", "spool", "log", "seed", "packets", "tickMs"}'
 *
 * `packets` every `tickMs` milliseconds, over three hundred flows, TCP and UDP, IPv4 and IPv6; one of thirty is a DNS query and its answer. The
 * log's lines are JSON: ["p", epoch, partition, sequence, packets, bytes, transactions, {flow: [packets, bytes]}] before
 * publishing, ["c", epoch, partition, sequence] when it is confirmed. A flow is its two ends, hex address and port, the
 * lesser first, and the protocol. Lines on standard input: `pause` ends the epoch and is answered `paused` when
 * everything is confirmed, `resume` begins another, `end` ends it all: `closed N` says how many messages were not confirmed.
 */
import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { createJetStreamBus, createOutbox, openSpool } from '@netspectra/collector/bus';
import { decodePacketBatch } from '@netspectra/proto';
import { BatchBuilder } from '../../collector/dist/probe/batch-builder.js';
import { CapturePlan } from '../../collector/dist/probe/capture-plan.js';
import { Random } from '../../scripts/lib/random.js';

const { url, partitions, probe, spool, log, seed, packets, tickMs } = JSON.parse(process.argv[2] ?? '{}');

const random = new Random(seed);
const file = openSync(log, 'a');
const write = (/** @type {unknown[]} */ ...line) => writeSync(file, `${JSON.stringify(line)}\n`);

const bus = createJetStreamBus({ connection: { servers: [url], retryMsMax: 200 }, streams: { partitions } });
const outbox = createOutbox(bus, openSpool({ folder: spool, bytesMax: 256 << 20, segmentBytes: 256 << 10 }), {
  onConfirmed: ({ epoch: of, partition, sequence }) => write('c', String(of), partition, sequence),
});
const plan = new CapturePlan({ filter: '', probe, samplingRate: 1, snapLength: 65_535 });
let epoch = 0n;
/** @type {BatchBuilder} */
let builder;

function beginEpoch() {
  epoch = BigInt(Date.now()) * 1_000n + BigInt(process.pid % 1_000);
  const limits = /** @type {const} */ ({ payload: 'all', rowsMax: 4096, messageBytesMax: 256 << 10 });
  builder = new BatchBuilder({ probe, epoch, partitions, source: 'oracle', ...limits }, plan);
}

/** @typedef {{ six: boolean, tcp: boolean, client: number, server: number, port: number, serverPort: number }} Flow */
/** @type {Flow[]} */
const flows = Array.from({ length: 300 }, (_, i) => ({
  six: i % 5 === 0,
  tcp: i % 3 !== 0,
  client: random.between(1, 250),
  server: random.between(1, 250),
  port: 10_000 + i,
  serverPort: random.pick([80, 443, 8080, 5060, 9000]),
}));

/** An Ethernet frame of a flow, with the payload given; its length on the wire is another matter. */
function frameOf(/** @type {Flow} */ flow, /** @type {boolean} */ toServer, /** @type {Buffer} */ payload) {
  const transport = Buffer.alloc(flow.tcp ? 20 : 8);
  transport.writeUInt16BE(toServer ? flow.port : flow.serverPort, 0);
  transport.writeUInt16BE(toServer ? flow.serverPort : flow.port, 2);
  if (flow.tcp) {
    transport.writeUInt32BE(random.between(0, 0x7fff_ffff), 4);
    transport[12] = 0x50;
    transport[13] = 0x10;
  } else transport.writeUInt16BE(8 + payload.length, 4);
  const length = transport.length + payload.length;
  const protocol = flow.tcp ? 6 : 17;
  const network = flow.six ? Buffer.alloc(40) : Buffer.alloc(20);
  const ends = toServer ? [flow.client, flow.server] : [flow.server, flow.client];
  const networks = toServer ? [1, 2] : [2, 1];
  if (flow.six) {
    network[0] = 0x60;
    network.writeUInt16BE(length, 4);
    network[6] = protocol;
    network[7] = 64;
    for (const i of [0, 1]) network.set([0x20, 0x01, 0x0d, 0xb8, networks[i] ?? 0], 8 + 16 * i);
    for (const i of [0, 1]) network[23 + 16 * i] = ends[i] ?? 0;
  } else {
    network[0] = 0x45;
    network.writeUInt16BE(20 + length, 2);
    network.set([64, protocol], 8);
    for (const i of [0, 1]) network.set([10, networks[i] ?? 0, 0, ends[i] ?? 0], 12 + 4 * i);
  }
  const link = Buffer.alloc(14, 2);
  link.writeUInt16BE(flow.six ? 0x86dd : 0x0800, 12);
  return Buffer.concat([link, network, transport, payload]);
}

/** A question for n.example, or its answer. */
function dnsMessage(/** @type {number} */ id, /** @type {boolean} */ answer) {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(answer ? 0x8180 : 0x0100, 2);
  head.writeUInt16BE(1, 4);
  return Buffer.concat([head, Buffer.from('\x04host\x07example\x00\x00\x01\x00\x01', 'latin1')]);
}

function add(/** @type {Buffer} */ frame, /** @type {number} */ wireLength) {
  const now = Date.now();
  const seconds = Math.floor(now / 1000);
  const full = !builder.add(frame, 0, frame.length, wireLength, 1, seconds, (now % 1000) * 1_000_000, 0);
  if (full) throw new Error('more packets a tick than the batch holds');
}

/** What is in a message, read from its bytes. */
function contentOf(/** @type {Uint8Array} */ bytes) {
  const decoded = decodePacketBatch(bytes);
  if (!decoded.ok) throw new Error(decoded.error);
  const { batch } = decoded;
  let sum = 0;
  let dns = 0;
  /** @type {Record<string, [number, number]>} */
  const byFlow = {};
  const end = (/** @type {Uint32Array} */ words, /** @type {number} */ row, /** @type {number} */ port) =>
    `${Buffer.from(words.buffer, words.byteOffset + row * 16, 16)
      .toString('hex')
      .toUpperCase()}:${port}`;
  for (let row = 0; row < batch.count; row += 1) {
    const length = batch.wireLength[row] ?? 0;
    const ports = [batch.sourcePort[row] ?? 0, batch.destinationPort[row] ?? 0];
    const ends = [end(batch.sourceAddress, row, ports[0] ?? 0), end(batch.destinationAddress, row, ports[1] ?? 0)];
    const flow = [...ends.sort(), batch.protocol[row]].join(' ');
    const counts = (byFlow[flow] ??= [0, 0]);
    counts[0] += 1;
    counts[1] += length;
    sum += length;
    if (ports[1] === 53) dns += 1;
  }
  return [batch.count, sum, dns, byFlow];
}

async function publish(/** @type {import('@netspectra/collector/probe').BuiltMessage} */ built) {
  const { partition, sequence, bytes, rows } = built;
  write('p', String(epoch), partition, sequence, ...contentOf(bytes));
  const message = { probe, epoch, partition, sequence, bytes, rows };
  while (outbox.publish(message) === 'full') await delay(tickMs);
}

function generate() {
  for (let i = 0; i < packets; i += 1) {
    const flow = random.pick(flows);
    if (i % 30 > 1) add(frameOf(flow, random.between(0, 1) === 0, Buffer.alloc(0)), random.between(60, 1514));
    else if (i % 30 === 0) {
      // Both in one message, so that they are in one flush: an engine that takes over does not know what was asked.
      const asks = { ...flow, tcp: false, serverPort: 53 };
      for (const answer of [false, true]) {
        const frame = frameOf(asks, !answer, dnsMessage(i, answer));
        add(frame, frame.length);
      }
    }
  }
}

async function endEpoch() {
  const seconds = Math.floor(Date.now() / 1000);
  for (let partition = 0; partition < partitions; partition += 1)
    await publish(builder.bare(partition, seconds, 0, true));
}

/** @type {string[]} */
const asked = [];
createInterface({ input: process.stdin })
  .on('line', (line) => asked.push(line))
  .once('close', () => process.exit(1)); // the test is gone
process.stdout.write('running\n');

beginEpoch();
let paused = false;
for (;;) {
  const line = asked.shift();
  if (line === 'end') break;
  if (line === 'pause') {
    paused = true;
    await endEpoch();
    while (outbox.state.unacknowledged > 0 || outbox.state.spooled > 0) await delay(10);
    process.stdout.write('paused\n');
  } else if (line === 'resume') {
    paused = false;
    beginEpoch();
  }
  const next = Date.now() + tickMs;
  if (!paused) {
    generate();
    for (const message of builder.flush(true)) await publish(message);
  }
  await delay(Math.max(1, next - Date.now()));
}
if (!paused) await endEpoch();
const left = await outbox.close(60_000);
process.stdout.write(`closed ${left.length + outbox.state.spooled}\n`);
await bus.close();
process.exit(0);
