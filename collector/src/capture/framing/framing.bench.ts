/**
 * What finding a record costs: `npx vitest bench collector/src/capture/framing/framing.bench.ts --run`.
 * Each run frames a file of 1,000 IMIX packets (7:4:1 of 64, 576 and 1,500 bytes) a hundred times: mean ms * 10 is
 * nanoseconds a record. The file stays in the processor's cache, as a piece does that was just read: from main memory
 * every record costs a cache miss more, whoever looks at it first.
 */
import { bench, describe } from 'vitest';
import { PcapngWriter, PcapWriter } from '../pcap-writer.js';
import { CaptureFramer } from './framer.js';
import { CaptureFormat, CaptureState } from './capture-state.js';
import { FrameTable } from './frame-table.js';

const records = 1_000;
const rounds = 100;
const lengths = [64, 64, 576, 64, 576, 64, 1_500, 64, 576, 64, 576, 64];
const frame = new Uint8Array(1_500);

function pcap(bigEndian: boolean): Uint8Array {
  const writer = new PcapWriter({ bigEndian, nanoseconds: bigEndian });
  for (let i = 0; i < records; i += 1) writer.packet(i >>> 10, i, frame.subarray(0, lengths[i % lengths.length]));
  return writer.finish();
}

function pcapng(timestampResolution: number): Uint8Array {
  const writer = new PcapngWriter({ interfaces: [{ timestampResolution }] });
  for (let i = 0; i < records; i += 1) {
    writer.packet(0, 1_700_000_000 + (i >>> 10), i, frame.subarray(0, lengths[i % lengths.length]));
  }
  return writer.finish();
}

const table = new FrameTable(8_192);
const state = new CaptureState();

function frameAll(file: Uint8Array): void {
  for (let round = 0; round < rounds; round += 1) {
    const framer = new CaptureFramer(state);
    state.nextOffset = 0;
    state.ended = false;
    state.format = CaptureFormat.Unknown;
    framer.frame(file, file.length, 0, true, table);
    if (table.count !== records) throw new RangeError(`${table.count} frames`);
  }
}

describe('1,000 IMIX packets, 100 times', () => {
  for (const [name, file] of [
    ['pcap, little-endian, microseconds', pcap(false)],
    ['pcap, big-endian, nanoseconds', pcap(true)],
    ['pcapng, 10^-6', pcapng(6)],
    ['pcapng, 10^-9', pcapng(9)],
    ['pcapng, 2^-32', pcapng(0x80 | 32)],
  ] as const) {
    bench(name, () => frameAll(file));
  }
});
