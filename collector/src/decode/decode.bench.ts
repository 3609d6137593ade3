/**
 * Nanoseconds per decoded packet, by kind of frame. Run after a build:
 *
 *     npx tsc -b collector && node --experimental-strip-types collector/src/decode/decode.bench.ts
 *     (Node 20: npx esbuild or vitest's node; see `npm run bench`)
 *
 * IMIX sizes (7 x 40, 4 x 576, 1 x 1500 bytes of IP), 4,096 flows, frames packed one behind another as in a capture file.
 * The kinds are run in turn, several rounds, and the best round of each is printed: other load only ever adds time.
 */
import { performance } from 'node:perf_hooks';
import { PacketBatch } from '@netspectra/proto';
import { PacketDecoder } from '@netspectra/collector/decode';
import { bytesOf, ethernet, ipv4, ipv6, tcp, udp, vlan, vxlan } from './testing.js';

const framesPerKind = 12 * 1024;
const roundsMax = 12;
const passes = 12;
const imix = [40, 40, 40, 40, 40, 40, 40, 576, 576, 576, 576, 1500];

let state = 1;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state >>> 8;
};
const host = (): string => `10.${random() & 3}.${random() & 255}.${random() & 255}`;
const padding = (length: number): Uint8Array => new Uint8Array(Math.max(0, length));
const segment = (size: number): Uint8Array => tcp(1024 + (random() & 0x7fff), 443, padding(size - 40), 0x10);
const datagram = (size: number): Uint8Array => udp(1024 + (random() & 0x7fff), 443, padding(size - 28));
const packet4 = (size: number, ofTcp: boolean): Uint8Array =>
  ipv4(ofTcp ? 6 : 17, ofTcp ? segment(size) : datagram(size), { source: host(), destination: host() });

const kinds: Record<string, (size: number, i: number) => Uint8Array> = {
  'ipv4 tcp': (size) => ethernet(0x0800, packet4(size, true)),
  'ipv4 udp': (size) => ethernet(0x0800, packet4(size, false)),
  'ipv6 tcp': (size) => ethernet(0x86dd, ipv6(6, segment(size))),
  'vlan ipv4 tcp': (size) => ethernet(0x8100, vlan(10, 0x0800, packet4(size, true))),
  'vxlan ipv4 tcp': (size) =>
    ethernet(0x0800, ipv4(17, udp(50_000, 4789, vxlan(7, ethernet(0x0800, packet4(size, true)))))),
  mixed: (size, i) => {
    if (i % 16 === 0) return ethernet(0x86dd, ipv6(6, segment(size)));
    if (i % 16 === 1) return ethernet(0x8100, vlan(10, 0x0800, packet4(size, true)));
    return ethernet(0x0800, packet4(size, i % 4 !== 0));
  },
};

interface Packed {
  bytes: Uint8Array;
  offsets: Uint32Array;
  lengths: Uint32Array;
}

function pack(make: (size: number, i: number) => Uint8Array): Packed {
  const frames = Array.from({ length: framesPerKind }, (_, i) => make(imix[random() % 12]!, i));
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

const decoder = new PacketDecoder();
const batch = new PacketBatch(4096, 4096 * 8);
let check = 0;

function run(packed: Packed): number {
  const { bytes, offsets, lengths } = packed;
  const started = performance.now();
  for (let pass = 0; pass < passes; pass += 1) {
    for (let i = 0; i < framesPerKind; i += 1) {
      const length = lengths[i]!;
      if (batch.count === 4096) {
        check += batch.flowHash[17]!;
        batch.clear();
      }
      decoder.decode(bytes, offsets[i]!, length, length, 1, 1_700_000_000, i, 0, batch);
    }
  }
  return ((performance.now() - started) * 1e6) / (passes * framesPerKind);
}

const packed = Object.fromEntries(Object.entries(kinds).map(([name, make]) => [name, pack(make)]));
const best: Record<string, number> = {};
for (let round = 0; round < roundsMax; round += 1) {
  for (const [name, frames] of Object.entries(packed)) best[name] = Math.min(best[name] ?? Infinity, run(frames));
}
for (const [name, nanoseconds] of Object.entries(best))
  console.log(`${name.padEnd(16)} ${nanoseconds.toFixed(1)} ns/packet`);
if (check === 0 || bytesOf(1).length !== 1) throw new Error('nothing was decoded');
