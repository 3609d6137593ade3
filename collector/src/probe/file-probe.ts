/**
 * Publishes a capture file. A file waits: nothing is dropped, the reader stops while the publisher has no room. Messages
 * depend on the file's bytes and the options only, so publishing it again makes the same names, and the bus drops them.
 */
import { createReadStream } from 'node:fs';
import { Layer } from '@netspectra/proto';
import type { CaptureCounters } from '@netspectra/proto';
import type { Publisher } from '../bus/index.js';
import type { CaptureInput, StreamDamage } from '../capture/byte-source.js';
import { CaptureState } from '../capture/framing/capture-state.js';
import { frameStream } from '../capture/framing/frame-stream.js';
import { FrameFlag, FrameTable } from '../capture/framing/frame-table.js';
import { BatchBuilder } from './batch-builder.js';
import { CapturePlan } from './capture-plan.js';
import type { BuilderOptions, BuiltMessage } from './batch-builder.js';

export interface FileProbeOptions extends BuilderOptions {
  /** what to keep, in the filter language; '' = everything */
  readonly filter: string;
  /** ends the reading; what was read is published */
  readonly stop: AbortSignal;
}

/** What became of a file. */
export interface FileReport {
  readonly counters: CaptureCounters;
  readonly messages: number;
  /** read to its end */
  readonly complete: boolean;
  /** what is wrong with the file, if something is */
  readonly state: CaptureState;
  readonly streamDamage: StreamDamage | null;
}

const tableRows = 2048;
/** larger than any packet that a file may hold */
const wholePacket = 0xffff_ffff;
const readBytes = 256 * 1024;
/** a partition whose stream is full is tried again after so long */
const retryMilliseconds = 20;

/**
 * Read a capture and publish it. Waits for the publisher to take every message, not for what becomes of them: close it
 * afterwards.
 * @throws CapturePlanError when the filter is none for packets
 */
export async function publishFile(
  capture: CaptureInput,
  publisher: Publisher,
  options: FileProbeOptions,
): Promise<FileReport> {
  const { filter, probe, stop } = options;
  const plan = new CapturePlan({ filter, probe, samplingRate: 1, snapLength: wholePacket });
  const builder = new BatchBuilder(options, plan);
  const state = new CaptureState();
  const table = new FrameTable(tableRows);
  let made: BuiltMessage[] = [];
  let messages = 0;
  const lastTime = { seconds: 0, nanoseconds: 0 };

  const publish = async (): Promise<void> => {
    for (const { partition, sequence, bytes } of made) {
      const message = { probe: options.probe, epoch: options.epoch, partition, sequence, bytes };
      while (publisher.publish(message) === 'full') {
        if (stop.aborted) return;
        await Promise.all([publisher.room(), pause(retryMilliseconds)]);
      }
      messages += 1;
    }
    made = [];
  };
  async function* paced(): AsyncGenerator<Uint8Array> {
    for await (const chunk of capture.kind === 'file'
      ? (createReadStream(capture.path, { highWaterMark: readBytes }) as AsyncIterable<Uint8Array>)
      : capture.chunks()) {
      if (stop.aborted) return;
      // Plain arrays: one hidden class keeps the byte reads of the decoder fast.
      yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      await publish();
    }
  }

  await frameStream(paced(), state, table, (frames, bytes) => {
    for (let row = 0; row < frames.count; row += 1) {
      const flags = (frames.flags[row]! & FrameFlag.NoTimestamp) === 0 ? 0 : Layer.NoTimestamp;
      const add = (): boolean =>
        builder.add(
          bytes,
          frames.offset[row]!,
          frames.capturedLength[row]!,
          frames.wireLength[row]!,
          frames.linkType[row]!,
          frames.seconds[row]!,
          frames.nanoseconds[row]!,
          flags,
        );
      if (!add()) {
        made.push(...builder.flush(true));
        add(); // an empty batch has room for any frame
      }
    }
    lastTime.seconds = frames.seconds[frames.count - 1]!;
    lastTime.nanoseconds = frames.nanoseconds[frames.count - 1]!;
  });
  const complete = !stop.aborted;
  made.push(...builder.flush(true));
  for (let partition = 0; complete && partition < options.partitions; partition += 1) {
    if (builder.sequenceOf(partition) === 0 && partition > 0) continue;
    made.push(builder.bare(partition, lastTime.seconds, lastTime.nanoseconds, true));
  }
  await publish();
  const streamDamage = capture.kind === 'stream' ? (capture.damage() ?? null) : null;
  return { counters: builder.counters, messages, complete, state, streamDamage };
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
