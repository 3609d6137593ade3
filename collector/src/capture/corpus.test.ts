/**
 * Real captures with values that tshark gave, when they lie beside the repository (they hold real addresses and are no
 * part of it): the same packets, plain, in gzip and in Zstandard.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openCaptureStream } from './byte-source.js';
import { CaptureState } from './framing/capture-state.js';
import { FrameFlag, FrameTable } from './framing/frame-table.js';
import { frameStream } from './framing/frame-stream.js';
import { frameInPieces, frameWhole, plainFrames, storedZstd, type PlainFrame } from './testing.js';

const corpus = fileURLToPath(new URL('../../../../shared/corpus/', import.meta.url));

interface Truth {
  readonly packets: number;
  readonly bytes_wire: number;
  readonly bytes_captured: number;
  readonly first_ts: string | null;
  readonly last_ts: string | null;
  readonly frames_without_timestamp: number;
  readonly tshark: { readonly exit: number };
}

/**
 * Where we differ on purpose: tshark lists the three Custom Blocks of this file as frames without a time. They are no
 * packets, and neither its packet count nor ours has them.
 */
const withoutTimestamp: Readonly<Record<string, number>> = { 'be-test102.pcapng': 1 };

const time = (frame: PlainFrame | undefined) =>
  frame ? `${frame.seconds}.${String(frame.nanoseconds).padStart(9, '0')}` : null;

function summary(frames: readonly PlainFrame[], framesWithoutTimestamp: number) {
  const timed = frames.filter((frame) => (frame.flags & FrameFlag.NoTimestamp) === 0);
  return {
    packets: frames.length,
    bytes_wire: frames.reduce((sum, frame) => sum + frame.wire, 0),
    bytes_captured: frames.reduce((sum, frame) => sum + frame.captured, 0),
    first_ts: time(timed[0]),
    last_ts: time(timed.at(-1)),
    frames_without_timestamp: framesWithoutTimestamp,
  };
}

const names = existsSync(corpus)
  ? readdirSync(corpus)
      .filter((name) => name.endsWith('.truth.json'))
      .map((name) => name.slice(0, -'.truth.json'.length))
  : [];

describe.runIf(names.length > 0)('corpus', () => {
  it.each(names)('%s', async (name) => {
    const truth = JSON.parse(readFileSync(`${corpus}${name}.truth.json`, 'utf8')) as Truth;
    const file = new Uint8Array(readFileSync(corpus + name));
    const whole = frameWhole(file);
    if (truth.tshark.exit !== 0) {
      expect(whole.fatal).not.toBe('');
      return;
    }
    const { packets, bytes_wire, bytes_captured, first_ts, last_ts, frames_without_timestamp } = truth;
    const expected = { packets, bytes_wire, bytes_captured, first_ts, last_ts, frames_without_timestamp };
    expected.frames_without_timestamp = withoutTimestamp[name] ?? frames_without_timestamp;
    expect({ damage: whole.damage, fatal: whole.fatal }).toEqual({ damage: {}, fatal: '' });
    expect(summary(whole.frames, whole.framesWithoutTimestamp)).toEqual(expected);
    expect(frameInPieces(file, 100, () => 4_096)).toEqual(whole);

    for (const packed of [gzipSync(file), storedZstd(file)]) {
      const stream = await openCaptureStream(inPieces(packed, 10_000), name);
      const state = new CaptureState();
      const frames: PlainFrame[] = [];
      await frameStream(stream.chunks(), state, new FrameTable(1_000), (table) => {
        for (const frame of plainFrames(table, 0)) frames.push(frame);
      });
      expect(stream.damage()).toBeUndefined();
      expect(summary(frames, state.framesWithoutTimestamp)).toEqual(expected);
    }
  });
});

async function* inPieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
