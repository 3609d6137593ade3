/**
 * Names of DNS questions by their octets: the same few thousand come again and again, and to look one up costs a tenth of
 * reading it. One cache for all messages of a thread; a name takes the place of the one before in its slot.
 *
 * Only names without pointers, of up to `octetsMax` octets: all of such a name lies in the octets that are compared.
 */
import { noBytes } from './text.js';

/** A power of two. */
export const questionSlots = 16_384;
const octetsMax = 64;
const wordsMax = octetsMax / 4;
/** By the octets of a name beyond its last whole word: the bits of the next one that belong to it (little-endian). */
const tailMask = Int32Array.of(0, 0xff, 0xffff, 0xffffff);

export class NameCache {
  private readonly words = new Int32Array(questionSlots * wordsMax);
  /** octets with the final zero, negative for UTF-8 names; 0 = nothing here */
  private readonly lengths = new Int16Array(questionSlots);
  private readonly texts = new Array<string>(questionSlots).fill('');
  private bytes: Uint8Array = noBytes;
  private view: DataView = new DataView(noBytes.buffer);

  /** Offset behind the name at `at`, or -1 when it is none for here (whatever is wrong with it, reading it finds out). */
  endOf(bytes: Uint8Array, at: number, end: number): number {
    const limit = Math.min(end, at + octetsMax);
    let stop = at;
    while (stop < limit) {
      const label = bytes[stop]!;
      if (label === 0) {
        // Whole words are read below.
        return at + ((stop + 4 - at) & ~3) <= bytes.length ? stop + 1 : -1;
      }
      if (label >= 0x40) return -1;
      stop += 1 + label;
    }
    return -1;
  }

  /** The slot where the name at..stop is, or would be. @param stop from `endOf` */
  slotOf(bytes: Uint8Array, at: number, stop: number, utf8: boolean): number {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    const { view } = this;
    const length = stop - at;
    const whole = at + (length & ~3);
    let hash = utf8 ? ~length : length;
    for (let from = at; from < whole; from += 4) {
      hash = Math.imul(hash ^ view.getInt32(from, true), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    if (whole < stop) hash = Math.imul(hash ^ (view.getInt32(whole, true) & tailMask[length & 3]!), 0x9e3779b1);
    return (hash ^ (hash >>> 15)) & (questionSlots - 1);
  }

  /** The name's text, or undefined when another or none is in the slot that `slotOf` gave for it. */
  read(slot: number, at: number, stop: number, utf8: boolean): string | undefined {
    const { view, words } = this;
    const length = stop - at;
    if (this.lengths[slot] !== (utf8 ? -length : length)) return undefined;
    const whole = at + (length & ~3);
    let word = slot * wordsMax;
    for (let from = at; from < whole; from += 4) {
      if (words[word] !== view.getInt32(from, true)) return undefined;
      word += 1;
    }
    if (whole < stop && words[word] !== (view.getInt32(whole, true) & tailMask[length & 3]!)) return undefined;
    return this.texts[slot];
  }

  /** Put a name into its slot. */
  write(slot: number, at: number, stop: number, utf8: boolean, text: string): void {
    const { view, words } = this;
    const length = stop - at;
    const whole = at + (length & ~3);
    let word = slot * wordsMax;
    for (let from = at; from < whole; from += 4) words[word++] = view.getInt32(from, true);
    if (whole < stop) words[word] = view.getInt32(whole, true) & tailMask[length & 3]!;
    this.lengths[slot] = utf8 ? -length : length;
    this.texts[slot] = text;
  }
}
