/**
 * Remembers the packets of a partition for a while, to tell which of them another probe has brought already.
 *
 * A packet is known by a fingerprint of what no hop changes: addresses, ports, protocol, TCP sequence, acknowledgment, flags
 * and window, payload length, IP identification, fragment offset, ICMP type and code. Not the hop limit, tags, tunnels or
 * the length of the frame. There are packets that are alike and are not the same (a stream of constant size without
 * identification, keep-alives), so occurrences are counted by probe: the k-th of one probe is a copy of the k-th of another,
 * and a packet counts when its probe has brought more of its kind than any other has.
 *
 * Time passes in generations, and the caller says when the next begins. A packet is compared with what came in the current
 * one and the one before. Therefore what is judged depends on the packets of these two alone, whoever judges and
 * however long it has been running: an engine that takes a partition over, and is shown them again, goes on as the one
 * before would have.
 *
 * Flat arrays, open addressing, nothing allocated for each packet. A generation that is full ends early: counted.
 */
import { Layer } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';

export interface RecentPacketsOptions {
  /** most fingerprints of both generations together; 64 to 128 bytes each */
  readonly maxPackets: number;
  /** decides where entries stand, never what is judged; absent: random, so that nobody can make them collide */
  readonly seed?: number;
}

export interface RecentPacketsCounters {
  /** generations that ended because they were full */
  overflows: number;
  /** packets that were not compared: without addresses, sampled, or of one probe too many */
  unjudged: number;
}

/** An entry: two words of fingerprint, then a word for each probe: its number in the upper bits, its packets in the lower. */
const entryShift = 3;
const entryWords = 1 << entryShift;
const probesAt = 2;
const countBits = 20;
const countMax = (1 << countBits) - 1;
/** Numbers of probes begin with 1: a word of 0 is a free one. */
export const probesMax = (1 << (32 - countBits)) - 2;
/** Probes whose packets of one kind are counted; those beyond it are compared, and not remembered. */
export const probesOfPacketMax = entryWords - probesAt;
const initialEntries = 1 << 12;
const judgedLayers = Layer.HasAddresses;

class Generation {
  words = new Uint32Array(initialEntries << entryShift);
  mask = initialEntries - 1;
  count = 0;

  clear(): void {
    if (this.count === 0) return;
    this.count = 0;
    this.words.fill(0);
  }
}

export class RecentPackets {
  readonly counters: RecentPacketsCounters = { overflows: 0, unjudged: 0 };
  private readonly generationMax: number;
  private readonly seed: number;
  private current = new Generation();
  private previous = new Generation();
  private low = 0;
  private high = 0;

  constructor({ maxPackets, seed = Math.floor(Math.random() * 2 ** 32) }: RecentPacketsOptions) {
    this.generationMax = Math.max(1, Math.floor(maxPackets / 2));
    this.seed = seed;
  }

  /** Fingerprints that are remembered. */
  get size(): number {
    return this.current.count + this.previous.count;
  }

  get memoryBytes(): number {
    return this.current.words.byteLength + this.previous.words.byteLength;
  }

  /** Another generation begins; what the one before the last had is forgotten. */
  turn(): void {
    const { current, previous } = this;
    previous.clear();
    this.current = previous;
    this.previous = current;
  }

  /** Forget everything. */
  clear(): void {
    this.current.clear();
    this.previous.clear();
  }

  /**
   * Remember the packets of a batch, and say which are copies.
   * @param probe number of the probe that brought it, 1 to `probesMax`
   * @param duplicate gets 1 for each row that another probe has brought already, else 0; at least as long as the batch
   * @returns how many are copies
   */
  judge(batch: PacketBatch, probe: number, duplicate: Uint8Array): number {
    const { count, layers } = batch;
    let duplicates = 0;
    // Each probe picks its own: a sampled packet of one stands for others than the same packet of another.
    const comparable = batch.samplingRate === 1 && probe > 0 && probe <= probesMax;
    for (let row = 0; row < count; row += 1) {
      if (!comparable || (layers[row]! & judgedLayers) === 0) {
        duplicate[row] = 0;
        this.counters.unjudged += 1;
        continue;
      }
      this.fingerprint(batch, row);
      const copy = this.add(probe);
      duplicate[row] = copy;
      duplicates += copy;
    }
    return duplicates;
  }

  /** Two mixes of different constants over the same words: `low` and `high`. */
  private fingerprint(batch: PacketBatch, row: number): void {
    const at = row << 2;
    const { sourceAddress: source, destinationAddress: destination } = batch;
    let a = 0x2545f491;
    let b = 0x5bd1e995;
    for (let word = 0; word < 4; word += 1) {
      const s = source[at + word]!;
      const d = destination[at + word]!;
      a = Math.imul(a ^ s, 0x85ebca6b);
      a = Math.imul((a ^ (a >>> 15)) + d, 0xc2b2ae35);
      b = Math.imul((b ^ (b >>> 13)) + s, 0x9e3779b1);
      b = Math.imul(b ^ d, 0x27d4eb2f);
    }
    const ports = batch.sourcePort[row]! | (batch.destinationPort[row]! << 16);
    const kind = batch.protocol[row]! | (batch.icmpType[row]! << 8) | (batch.icmpCode[row]! << 16);
    const flags = batch.tcpFlags[row]! | (batch.tcpWindow[row]! << 16);
    const fragment = batch.fragmentId[row]!;
    const length = batch.transportPayloadLength[row]! ^ (batch.fragmentOffset[row]! << 16);
    const sequence = batch.tcpSequence[row]!;
    const acknowledgment = batch.tcpAcknowledgment[row]!;
    a = Math.imul(a ^ (a >>> 16) ^ ports, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 15) ^ kind, 0x9e3779b1);
    a = Math.imul(a ^ (a >>> 13) ^ flags, 0xc2b2ae35);
    b = Math.imul(b ^ (b >>> 16) ^ ports, 0x27d4eb2f);
    a = Math.imul(a ^ (a >>> 16) ^ sequence, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 13) ^ acknowledgment, 0x9e3779b1);
    a = Math.imul(a ^ (a >>> 15) ^ fragment, 0xc2b2ae35);
    b = Math.imul(b ^ (b >>> 16) ^ length, 0x27d4eb2f);
    a = Math.imul(a ^ (a >>> 13) ^ kind, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 15) ^ flags, 0x9e3779b1);
    a = Math.imul(a ^ (a >>> 16) ^ acknowledgment, 0xc2b2ae35);
    b = Math.imul(b ^ (b >>> 13) ^ sequence, 0x27d4eb2f);
    a = Math.imul(a ^ (a >>> 13) ^ length, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 16) ^ fragment, 0x9e3779b1);
    this.low = (a ^ (a >>> 16)) >>> 0;
    // Entries are told from free ones by this word.
    this.high = (b ^ (b >>> 15)) >>> 0 || 1;
  }

  /** Count a packet of the probe with the fingerprint at hand. @returns 1 when another probe was ahead, else 0 */
  private add(probe: number): number {
    if (this.current.count >= this.generationMax) {
      this.counters.overflows += 1;
      this.turn();
    }
    const { current, previous } = this;
    if ((current.count + 1) * 2 > current.mask + 1) this.grow(current);
    const now = this.find(current);
    const before = previous.count === 0 ? -1 : this.find(previous);
    const { words } = current;
    const isNew = words[now + 1] === 0;
    if (isNew) {
      words[now] = this.low;
      words[now + 1] = this.high;
      current.count += 1;
    }
    const wasBefore = before >= 0 && previous.words[before + 1] !== 0;
    let own = wasBefore ? countOf(previous.words, before, probe) : 0;
    let most = 0;
    let place = -1;
    for (let at = now + probesAt; at < now + entryWords; at += 1) {
      const word = words[at]!;
      if (word === 0) {
        if (place < 0) place = at;
        break;
      }
      const other = word >>> countBits;
      const count = word & countMax;
      if (other === probe) {
        own += count;
        place = at;
      } else {
        const all = wasBefore ? count + countOf(previous.words, before, other) : count;
        if (all > most) most = all;
      }
    }
    if (wasBefore) {
      for (let at = before + probesAt; at < before + entryWords; at += 1) {
        const word = previous.words[at]!;
        if (word === 0) break;
        const other = word >>> countBits;
        if (other === probe) continue;
        const all = (word & countMax) + countOf(words, now, other);
        if (all > most) most = all;
      }
    }
    if (place >= 0) {
      const word = words[place]!;
      if (word === 0) words[place] = ((probe << countBits) | 1) >>> 0;
      else if ((word & countMax) < countMax) words[place] = word + 1;
    }
    return own < most ? 1 : 0;
  }

  /** Where the fingerprint stands, or would. */
  private find({ words, mask }: Generation): number {
    const { low, high } = this;
    let bucket = this.bucketOf(low, high) & mask;
    for (;;) {
      const at = bucket << entryShift;
      const found = words[at + 1]!;
      if (found === 0 || (found === high && words[at] === low)) return at;
      bucket = (bucket + 1) & mask;
    }
  }

  private bucketOf(low: number, high: number): number {
    const mixed = Math.imul(low ^ this.seed, 0x9e3779b1) ^ Math.imul(high + this.seed, 0x85ebca6b);
    return mixed ^ (mixed >>> 15);
  }

  private grow(generation: Generation): void {
    const old = generation.words;
    const mask = (generation.mask + 1) * 2 - 1;
    const words = new Uint32Array((mask + 1) << entryShift);
    for (let from = 0; from < old.length; from += entryWords) {
      if (old[from + 1] === 0) continue;
      let bucket = this.bucketOf(old[from]!, old[from + 1]!) & mask;
      while (words[(bucket << entryShift) + 1] !== 0) bucket = (bucket + 1) & mask;
      words.set(old.subarray(from, from + entryWords), bucket << entryShift);
    }
    generation.words = words;
    generation.mask = mask;
  }
}

/** Packets that an entry has of a probe. */
function countOf(words: Uint32Array, entry: number, probe: number): number {
  for (let at = entry + probesAt; at < entry + entryWords; at += 1) {
    const word = words[at]!;
    if (word === 0) return 0;
    if (word >>> countBits === probe) return word & countMax;
  }
  return 0;
}
