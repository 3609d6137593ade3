/**
 * Which packets of a partition another probe has brought already (`engine.duplicates`), told alike by every engine.
 *
 * Which copy counts depends on what came before it, so an engine that takes the partition over must tell as the one before
 * did: else the tables of a flush that is repeated disagree. Therefore what is told is a function of the partition's
 * stream alone: of its messages in the order of their stream sequences, and the time at which the bus took each. A message
 * is judged when it arrives; when it is counted, how long a hole before it was waited for, what the store has and what
 * clocks of engines or probes say is no matter.
 *
 * Time is cut into generations: windows counted from the epoch, each also over when so many messages came that a stream
 * would fill with what is kept of it. What a message adds depends on the names that came in its generation and the one
 * before (one that is on the bus twice adds once), and what is told of it on what was added in these two: so on
 * the messages of three. These the bus keeps (`keptFrom`): of what is stored, nothing is forgotten of the
 * generation of the first message that is not, nor of the two before. Who takes over begins there and remembers them, counting nothing.
 */
import type { PacketBatch } from '@netspectra/proto';
import { probesMax, RecentPackets } from '../engine/duplicates/index.js';

export interface DuplicateOptions {
  /** copies are recognised that come so long after each other, by the bus's clock, milliseconds; up to twice that they may be */
  readonly windowMs: number;
  /** most packets remembered */
  readonly maxPackets: number;
}

/** Only rise, but for `rememberedPackets`. What an engine before had told of is not in them. */
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

/** A message that is there for the first time, or once more. */
export interface ArrivedBatch {
  readonly probe: string;
  readonly epoch: bigint;
  readonly sequence: number;
  readonly batch: PacketBatch;
  /** when it arrived on the bus, unix milliseconds */
  readonly arrivedMs: number;
  /** when its last packet was captured, unix milliseconds */
  readonly capturedMs: number;
  /** in the store already: it is in no counter again */
  readonly isStored: boolean;
}

interface GenerationStart {
  readonly generation: number;
  readonly streamSequence: number;
}

/** What came in a generation. */
interface Arrivals {
  readonly names: Set<string>;
  /** probes that are compared, each with its number */
  readonly probes: Map<string, number>;
}

/** Generations before that of a message that the bus keeps for it. */
const generationsKept = 2;
/** A generation's part of a full stream: with those that are kept, half. */
const streamShare = 6;
/** Probes of a generation that are compared: two generations share the numbers. */
const probesOfGeneration = Math.floor(probesMax / 2);

export class DuplicateMemory {
  private readonly windowMs: number;
  private readonly messagesMax: number;
  private readonly recent: RecentPackets;
  private readonly starts: GenerationStart[] = [];
  private current = arrivals();
  private previous = arrivals();
  private readonly numbers: number[] = Array.from({ length: probesMax }, (_, i) => probesMax - i);
  private marks = new Uint8Array(1_024);
  private duplicatePackets = 0;
  private latePackets = 0;
  private unjudgedPackets = 0;
  private shortened = 0;

  /** @param streamMessagesMax messages that the partition's stream can hold, the same for every engine */
  constructor({ windowMs, maxPackets }: DuplicateOptions, streamMessagesMax: number) {
    this.windowMs = windowMs;
    this.messagesMax = Math.max(1, Math.floor(streamMessagesMax / streamShare));
    this.recent = new RecentPackets({ maxPackets });
  }

  get state(): DuplicateState {
    return {
      duplicatePackets: this.duplicatePackets,
      duplicatesLatePackets: this.latePackets,
      duplicatesUnjudgedPackets: this.unjudgedPackets,
      duplicatesOverflows: this.recent.counters.overflows + this.shortened,
      rememberedPackets: this.recent.size,
    };
  }

  /** A message is next on the stream, whatever it holds: it may begin another generation. */
  pass(arrivedMs: number, streamSequence: number): void {
    const generation = Math.floor(arrivedMs / this.windowMs);
    const last = this.starts.at(-1);
    if (last !== undefined) {
      const isFull = generation === last.generation && streamSequence - last.streamSequence >= this.messagesMax;
      // A server that takes over from another may be a little behind it: then it is the same generation still.
      if (!isFull && (generation === last.generation || generation === last.generation - 1)) return;
      if (isFull) this.shortened += 1;
      this.turn();
      // Nothing came in between, or the clock was set: what was before is too far away.
      if (!isNext(last, generation)) this.turn();
    }
    this.starts.push({ generation, streamSequence });
  }

  /**
   * Remember the packets of a message, and tell copies from what is new. To be called for every message that is what its name
   * says, as it arrives, behind `pass`.
   * @returns 1 for each row that is a copy, good until the next call. A message that came before within two
   *   generations is not compared again: it has no copies.
   */
  judge(message: ArrivedBatch): Uint8Array {
    const { batch, probe } = message;
    if (this.marks.length < batch.count) this.marks = new Uint8Array(batch.count * 2);
    const unjudgedBefore = this.recent.counters.unjudged;
    let copies = 0;
    if (this.isNew(message)) copies = this.recent.judge(batch, this.numberOf(probe), this.marks);
    else this.marks.fill(0, 0, batch.count);
    if (!message.isStored) {
      this.duplicatePackets += copies;
      this.unjudgedPackets += this.recent.counters.unjudged - unjudgedBefore;
      if (message.arrivedMs - message.capturedMs > this.windowMs) this.latePackets += batch.count;
    }
    return this.marks;
  }

  /**
   * First stream sequence that the bus must keep, so that who takes over tells as this one of every message from
   * `streamSequence` on. Does not fall as that rises; what is before it is not asked for again.
   */
  keptFrom(streamSequence: number): number {
    const { starts } = this;
    let at = starts.length - 1;
    while (at > 0 && starts[at]!.streamSequence > streamSequence) at -= 1;
    for (let i = 0; i < generationsKept && at > 0; i += 1) {
      if (!isNext(starts[at - 1]!, starts[at]!.generation)) break;
      at -= 1;
    }
    if (at > 0) starts.splice(0, at);
    return Math.min(starts[0]?.streamSequence ?? streamSequence, streamSequence);
  }

  private turn(): void {
    this.recent.turn();
    for (const [probe, number] of this.previous.probes) if (!this.current.probes.has(probe)) this.numbers.push(number);
    this.previous = this.current;
    this.current = arrivals();
  }

  private isNew({ probe, epoch, sequence }: ArrivedBatch): boolean {
    const name = `${probe}\n${epoch}\n${sequence}`;
    const isKnown = this.current.names.has(name) || this.previous.names.has(name);
    this.current.names.add(name);
    return !isKnown;
  }

  /** 0 when there are too many probes: what it brings is counted, and not compared. */
  private numberOf(probe: string): number {
    const { current, previous } = this;
    const known = current.probes.get(probe);
    if (known !== undefined) return known;
    if (current.probes.size >= probesOfGeneration) return 0;
    const number = previous.probes.get(probe) ?? this.numbers.pop() ?? 0;
    current.probes.set(probe, number);
    return number;
  }
}

const arrivals = (): Arrivals => ({ names: new Set(), probes: new Map() });

/** A generation begins where the one before ended; several are of one window when messages were too many for one. */
const isNext = (before: GenerationStart, generation: number): boolean =>
  generation === before.generation || generation === before.generation + 1;
