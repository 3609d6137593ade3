/** Cut, mutated and random frames: no throw, nothing read outside the frame, every row within its promises. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Layer, PacketBatch } from '@netspectra/proto';
import { describe, expect, it } from 'vitest';
import { DefragmentResult, Defragmenter, PacketDecoder, decodeReasonNames } from './index.js';
import { readCapture, rowOf, sampleFrames } from './testing.js';
import type { SampleFrame } from './testing.js';

const corpus = fileURLToPath(new URL('../../../../shared/corpus/', import.meta.url));
const decoder = new PacketDecoder();
/** Bytes around the frame. */
const margin = 64;

/** Decode with the surroundings of the frame filled with one byte. */
function surrounded(frame: Uint8Array, length: number, linkType: number, poison: number): Record<string, unknown> {
  const bytes = new Uint8Array(margin + length + margin).fill(poison);
  bytes.set(frame.subarray(0, length), margin);
  const batch = new PacketBatch(1, 8);
  expect(decoder.decode(bytes, margin, length, frame.length, linkType, 1, 2, 0, batch)).toBe(true);
  return rowOf(batch, 0, margin);
}

/** The frame's bytes, but every index read outside [start, end) is an error. */
function watched(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Proxy(bytes, {
    get(target, key) {
      if (typeof key === 'string' && /^-?\d+$/.test(key)) {
        const index = Number(key);
        if (index < start || index >= end) throw new Error(`read at ${index}, outside ${start} to ${end}`);
        return target[index];
      }
      return Reflect.get(target, key, target) as unknown;
    },
  });
}

describe('a frame cut at every byte', () => {
  it.each(Object.entries(sampleFrames()))('%s', (_, { bytes, linkType }) => {
    const cuts = Math.min(bytes.length, 400);
    for (let length = 0; length <= cuts; length += 1) {
      const row = surrounded(bytes, length, linkType, 0);
      expect(surrounded(bytes, length, linkType, 0xff)).toEqual(row);
      expect(surrounded(bytes, length, linkType, 0x45)).toEqual(row);
      expect((row.payloadOffset as number) + (row.payloadLength as number)).toBeLessThanOrEqual(length);
      expect(((row.layers as number) & Layer.Truncated) !== 0).toBe(length < bytes.length);
      const batch = new PacketBatch(1, 8);
      const guarded = watched(bytes, 0, length);
      expect(decoder.decode(guarded, 0, length, bytes.length, linkType, 1, 2, 0, batch)).toBe(true);
    }
  });

  it('survives offsets and lengths that no buffer has', () => {
    const bytes = sampleFrames()['vxlan']!.bytes;
    const batch = new PacketBatch(16, 128);
    for (const [offset, length, wire] of [
      [0, 0, 0],
      [bytes.length, 10, 10],
      [bytes.length + 5, 10, 10],
      [0, bytes.length + 1000, 0],
      [0, 0xffffffff, 0xffffffff],
      [10, 20, 0xffffffff],
    ] as const) {
      expect(decoder.decode(bytes, offset, length, wire, 1, 0, 0, 0, batch)).toBe(true);
      const row = batch.count - 1;
      expect(batch.payloadOffset[row]! + batch.payloadLength[row]!).toBeLessThanOrEqual(bytes.length);
      expect(batch.wireLength[row]).toBe(wire);
    }
  });
});

/** Frames to mutate: the samples, and real ones where the corpus is at hand. */
function seeds(): SampleFrame[] {
  const frames = Object.values(sampleFrames()).filter((frame) => frame.bytes.length < 2048);
  if (!existsSync(corpus)) return frames;
  for (const name of readdirSync(corpus)) {
    if (!/\.pcap(ng)?$/.test(name)) continue;
    const real = readCapture(new Uint8Array(readFileSync(corpus + name))).filter((frame) => frame.bytes.length < 2048);
    frames.push(...real.slice(0, 40));
  }
  return frames;
}

describe('mutated frames', () => {
  const total = 1_000_000;
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() & 0x7fffffff);
  it(`${total} of them, seed ${seed}`, { timeout: 60_000 }, () => {
    let state = seed | 1;
    const random = (below: number): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    };
    const frames = seeds();
    const bytes = new Uint8Array(4096);
    const batch = new PacketBatch(1, 8);
    const again = new PacketBatch(1, 8);
    batch.payload = bytes;
    again.payload = bytes;
    const words = new Uint32Array(batch.buffer as ArrayBuffer);
    const wordsAgain = new Uint32Array(again.buffer as ArrayBuffer);
    const defragmenter = new Defragmenter({ datagramsMax: 64, bytesMax: 1 << 20 });
    let completed = 0;
    let reasons = 0;
    for (let i = 0; i < total; i += 1) {
      const frame = frames[random(frames.length)]!;
      let length = frame.bytes.length;
      bytes.set(frame.bytes, margin);
      for (let edits = random(6); edits > 0; edits -= 1) {
        // Headers lie in front: most edits go there.
        const at = margin + random(random(4) === 0 ? Math.max(length, 1) : Math.min(Math.max(length, 1), 80));
        const kind = random(3);
        if (kind === 0) bytes[at] = random(256);
        else if (kind === 1) bytes[at] = bytes[at]! ^ (1 << random(8));
        else bytes[at] = [0, 1, 4, 6, 17, 41, 43, 44, 45, 47, 0x7f, 0x80, 0xff, 0x60, 0x45][random(15)]!;
      }
      if (random(4) === 0) length = random(length + 1);
      const linkType = random(50) === 0 ? random(300) : frame.linkType;
      const wireLength = random(10) === 0 ? random(3000) : length;
      batch.clear();
      if (!decoder.decode(bytes, margin, length, wireLength, linkType, i >>> 10, 0, 0, batch))
        throw new Error('no room');
      const start = batch.payloadOffset[0]!;
      const layers = batch.layers[0]!;
      if (start < margin || start + batch.payloadLength[0]! > margin + length) throw new Error(`payload outside, ${i}`);
      if (batch.reason[0]! >= decodeReasonNames.length || batch.outerCount > 8) throw new Error(`bad row, ${i}`);
      if ((layers & Layer.HasPorts) === 0 && batch.sourcePort[0]! + batch.destinationPort[0]! > 0) {
        throw new Error(`ports without HasPorts, ${i}`);
      }
      if ((layers & Layer.HasTcp) !== 0 && (layers & Layer.Tcp) === 0) throw new Error(`HasTcp without Tcp, ${i}`);
      if (batch.reason[0] !== 0) reasons += 1;
      if ((i & 7) === 0) {
        // The same frame in other surroundings gives the same row.
        bytes.fill(i & 0xff, 0, margin);
        bytes.fill(i & 0xff, margin + length, margin + length + margin);
        wordsAgain.set(words);
        again.clear();
        decoder.decode(bytes, margin, length, wireLength, linkType, i >>> 10, 0, 0, again);
        for (let w = 0; w < words.length; w += 1) {
          if (words[w] !== wordsAgain[w]) throw new Error(`surroundings matter, ${i}, word ${w}`);
        }
      }
      if ((layers & Layer.Fragment) !== 0 && defragmenter.add(batch, 0) === DefragmentResult.Completed) {
        const row = defragmenter.completed;
        if (row.payloadOffset[0]! + row.payloadLength[0]! > row.payload.length) throw new Error(`datagram, ${i}`);
        completed += 1;
      }
      if (defragmenter.counters.held > 64) throw new Error('more held than allowed');
    }
    // The mutations must reach the interesting places, or the test says nothing.
    expect(reasons).toBeGreaterThan(total / 50);
    expect(completed).toBeGreaterThan(100);
  });
});
