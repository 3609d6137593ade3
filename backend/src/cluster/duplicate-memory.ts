/**
 * Which packets of a partition another probe has brought already (`engine.duplicates`), told alike by every engine.
 *
 * Which copy counts depends on what came before it, so an engine that takes the partition over must know what the one before
 * knew. Therefore time is the bus's: when a message arrived there is the same for all who read it, passes for all probes
 * alike, whatever their clocks say, and never goes back for long. It is cut into generations of a window each, counted
 * from the epoch, and what is judged depends on the messages of two of them. These the bus keeps: what is stored may be
 * forgotten only two generations before that of the first message that is not (`keptFrom`). Who takes over reads
 * them again, and remembers them without counting: two are needed, and the third because where reading begins, messages
 * that were overtaken may have been forgotten, and others held for them (`isFirst`).
 */
import type { PacketBatch } from '@netspectra/proto';
import { probesMax, RecentPackets } from '../engine/duplicates/index.js';

export interface DuplicateOptions {
  /** copies are recognised that come so long after each other, by the bus's clock, milliseconds; up to twice that they may be */
  readonly windowMs: number;
  /** most packets remembered */
  readonly maxPackets: number;
}

/** Only rise, but for `rememberedPackets`. */
export interface DuplicateState {
  /** copies that were recognised */
  readonly duplicatePackets: number;
  /** packets that came to the bus so long after they were captured that copies of them may be forgotten already */
  readonly duplicatesLatePackets: number;
  /** packets that could not be compared */
  readonly duplicatesUnjudgedPackets: number;
  /** times that what was remembered went early for want of room */
  readonly duplicatesOverflows: number;
  readonly rememberedPackets: number;
}

/** Of who does not look for copies. */
export const noDuplicateState: DuplicateState = {
  duplicatePackets: 0,
  duplicatesLatePackets: 0,
  duplicatesUnjudgedPackets: 0,
  duplicatesOverflows: 0,
  rememberedPackets: 0,
};

interface GenerationStart {
  readonly generation: number;
  readonly streamSequence: number;
}

/** Generations whose beginnings are remembered: more than a flush and the messages behind it can be of, but for the shortest windows. */
const startsMax = 4_096;
/** Generations before that of a message that the bus keeps for it. */
const generationsKept = 2;

export class DuplicateMemory {
  private readonly windowMs: number;
  private readonly recent: RecentPackets;
  private readonly probes = new Map<string, number>();
  private readonly starts: GenerationStart[] = [];
  private isFirst = true;
  private marks = new Uint8Array(1_024);
  private duplicatePackets = 0;
  private latePackets = 0;

  constructor({ windowMs, maxPackets }: DuplicateOptions) {
    this.windowMs = windowMs;
    this.recent = new RecentPackets({ maxPackets });
  }

  get state(): DuplicateState {
    return {
      duplicatePackets: this.duplicatePackets,
      duplicatesLatePackets: this.latePackets,
      duplicatesUnjudgedPackets: this.recent.counters.unjudged,
      duplicatesOverflows: this.recent.counters.overflows,
      rememberedPackets: this.recent.size,
    };
  }

  /**
   * A message is next: its time on the bus may begin another generation.
   * @param onFirstEnd called before, when it ends the generation that reading began with
   */
  pass(arrivedMs: number, streamSequence: number, onFirstEnd: () => void): void {
    const generation = Math.floor(arrivedMs / this.windowMs);
    const last = this.starts.at(-1)?.generation;
    // A server that takes over from another may be a little behind it.
    if (generation === last || (last !== undefined && generation === last - 1)) return;
    if (this.isFirst && last !== undefined) {
      this.isFirst = false;
      onFirstEnd();
    }
    if (last !== undefined && generation === last + 1) this.recent.turn();
    else this.recent.clear();
    this.starts.push({ generation, streamSequence });
    if (this.starts.length > startsMax) this.starts.shift();
  }

  /**
   * Remember a batch, and tell copies from what is new.
   * @param captured when its last packet was captured and when it arrived on the bus, unix milliseconds
   * @returns 1 for each row that is a copy, good until the next call
   */
  judge(batch: PacketBatch, probe: string, captured: { lastMs: number; arrivedMs: number }): Uint8Array {
    if (captured.arrivedMs - captured.lastMs > this.windowMs) this.latePackets += batch.count;
    this.duplicatePackets += this.compare(batch, probe);
    return this.marks;
  }

  /** Remember a batch that is in the store already. */
  remember(batch: PacketBatch, probe: string): void {
    this.compare(batch, probe);
  }

  /** First stream sequence that the bus must keep, so that who takes over can judge the message of `streamSequence`. */
  keptFrom(streamSequence: number): number {
    let at = this.starts.length - 1;
    while (at > 0 && this.starts[at]!.streamSequence > streamSequence) at -= 1;
    for (let i = 0; i < generationsKept && at > 0; i += 1) {
      if (this.starts[at - 1]!.generation !== this.starts[at]!.generation - 1) break;
      at -= 1;
    }
    return Math.min(this.starts[at]?.streamSequence ?? streamSequence, streamSequence);
  }

  private compare(batch: PacketBatch, probe: string): number {
    if (this.marks.length < batch.count) this.marks = new Uint8Array(batch.count * 2);
    return this.recent.judge(batch, this.numberOf(probe), this.marks);
  }

  /** 0 when there are too many probes: what it brings is counted, and not compared. */
  private numberOf(probe: string): number {
    const known = this.probes.get(probe);
    if (known !== undefined) return known;
    if (this.probes.size >= probesMax) return 0;
    const number = this.probes.size + 1;
    this.probes.set(probe, number);
    return number;
  }
}
