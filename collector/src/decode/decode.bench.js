/**
 * Processor time per decoded packet, by kind of frame, on the build:
 *
 *     npx tsc -b collector && node collector/src/decode/decode.bench.js
 *
 * IMIX sizes (7 x 40, 4 x 576, 1 x 1500 bytes of IP), random addresses and ports, 4 MB of frames packed one behind
 * another as in a capture file. The kinds are run in turn, in several rounds, and the least of each is printed: other
 * load only ever adds. The first line tells how fast the processor is just now: a dependent multiply-add takes four
 * cycles or so, 1.3 ns at 3 GHz with nobody else on the core.
 */
import { PacketBatch } from '@netspectra/proto';
import { PacketDecoder } from '../../dist/decode/index.js';
import { ethernet, ipv4, ipv6, tcp, udp, vlan, vxlan } from '../../dist/decode/testing.js';

const framesPerKind = 12 * 1024;
const rounds = 20;
const passes = 12;
const rows = 4096;
const imix = [40, 40, 40, 40, 40, 40, 40, 576, 576, 576, 576, 1500];

// Not imported: this folder has no Node imports, so that it runs in browsers.
const { process } = globalThis;

let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state >>> 8;
};
const host = () => `10.${random() & 3}.${random() & 255}.${random() & 255}`;
const padding = (length) => new Uint8Array(Math.max(0, length));
const segment = (size) => tcp(1024 + (random() & 0x7fff), 443, padding(size - 40), 0x10);
const datagram = (size) => udp(1024 + (random() & 0x7fff), 443, padding(size - 28));
const packet4 = (size, protocol) =>
  ipv4(protocol, protocol === 6 ? segment(size) : datagram(size), { source: host(), destination: host() });

const kinds = {
  'ipv4 tcp': (size) => ethernet(0x0800, packet4(size, 6)),
  'ipv4 udp': (size) => ethernet(0x0800, packet4(size, 17)),
  'ipv6 tcp': (size) => ethernet(0x86dd, ipv6(6, segment(size))),
  'vlan ipv4 tcp': (size) => ethernet(0x8100, vlan(10, 0x0800, packet4(size, 6))),
  'vxlan ipv4 tcp': (size) =>
    ethernet(0x0800, ipv4(17, udp(50_000, 4789, vxlan(7, ethernet(0x0800, packet4(size, 6)))))),
  mixed: (size, i) => {
    if (i % 16 === 0) return ethernet(0x86dd, ipv6(6, segment(size)));
    if (i % 16 === 1) return ethernet(0x8100, vlan(10, 0x0800, packet4(size, 6)));
    return ethernet(0x0800, packet4(size, i % 4 !== 0 ? 6 : 17));
  },
};

function pack(make) {
  const frames = Array.from({ length: framesPerKind }, (_, i) => make(imix[random() % 12], i));
  const offsets = new Uint32Array(framesPerKind);
  const lengths = new Uint32Array(framesPerKind);
  let at = 0;
  frames.forEach((frame, i) => {
    offsets[i] = at + 16;
    lengths[i] = frame.length;
    at += 16 + frame.length;
  });
  const bytes = new Uint8Array(at);
  frames.forEach((frame, i) => bytes.set(frame, offsets[i]));
  return { bytes, offsets, lengths };
}

/** User and system together: Linux splits the two by clock ticks, only the sum is exact. */
function processorMicroseconds() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const decoder = new PacketDecoder();
const batch = new PacketBatch(rows, rows * 8);
let check = 0;

function run({ bytes, offsets, lengths }) {
  const started = processorMicroseconds();
  for (let pass = 0; pass < passes; pass += 1) {
    for (let i = 0; i < framesPerKind; i += 1) {
      const length = lengths[i];
      if (batch.count === rows) {
        check = (check + batch.flowHash[17]) | 0;
        batch.clear();
      }
      decoder.decode(bytes, offsets[i], length, length, 1, 1_700_000_000, i, 0, batch);
    }
  }
  return ((processorMicroseconds() - started) * 1e3) / (passes * framesPerKind);
}

function multiplyAdd() {
  const turns = 2e7;
  const started = processorMicroseconds();
  let value = check;
  for (let i = 0; i < turns; i += 1) value = (Math.imul(value, 1664525) + 1013904223) | 0;
  const nanoseconds = ((processorMicroseconds() - started) * 1e3) / turns;
  check ^= value & 1;
  return nanoseconds;
}

const packed = Object.entries(kinds).map(([name, make]) => [name, pack(make)]);
const least = new Map();
const keepLeast = (name, value) => least.set(name, Math.min(least.get(name) ?? Infinity, value));
for (let round = 0; round < rounds; round += 1) {
  keepLeast('multiply-add', multiplyAdd());
  for (const [name, frames] of packed) keepLeast(name, run(frames));
}
for (const [name, nanoseconds] of least) process.stdout.write(`${name.padEnd(16)} ${nanoseconds.toFixed(1)} ns\n`);
process.stdout.write(`(${check === 0 ? 'nothing decoded' : 'checked'})\n`);
