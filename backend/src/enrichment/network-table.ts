/**
 * Networks by longest prefix: which entry of a list does an address belong to?
 *
 * Prefixes nest or are apart, never anything between, so they fall into disjoint ranges of addresses; each range has the
 * entry of its longest prefix. The ranges lie sorted in typed arrays and are found by binary search: n prefixes make at most
 * 2n + 1 ranges, and a lookup takes log2 of that many comparisons of four words and makes nothing.
 */
import { compareAddresses, networkLast } from '@netspectra/query';
import type { AddressWords, Network } from '@netspectra/query';

/** A prefix and the number it stands for, 0 or more. */
export interface PrefixEntry {
  readonly network: Network;
  readonly value: number;
}

/** What `find` gives for an address that no prefix holds. */
const noNetwork = -1;

export class NetworkTable {
  /** first address of each range, four words; the first range begins at :: */
  private readonly firsts: Uint32Array;
  private readonly values: Int32Array;
  /** how many ranges there are */
  readonly ranges: number;

  /** @param entries in any order; of two with the same prefix the later one counts */
  constructor(entries: readonly PrefixEntry[]) {
    const sorted = [...entries].sort(
      (a, b) => compareAddresses(a.network.words, b.network.words) || a.network.prefix - b.network.prefix,
    );
    const starts: { words: AddressWords; value: number }[] = [];
    const mark = (words: AddressWords, value: number): void => {
      const last = starts.at(-1);
      if (last && compareAddresses(last.words, words) === 0) last.value = value;
      else starts.push({ words, value });
    };
    mark([0, 0, 0, 0], noNetwork);
    // The prefixes around the place where the sweep stands, the longest last.
    const open: { last: AddressWords; value: number }[] = [];
    const closeUntil = (words: AddressWords | null): void => {
      for (let top = open.at(-1); top && (words === null || compareAddresses(top.last, words) < 0); top = open.at(-1)) {
        open.pop();
        const after = next(top.last);
        if (after) mark(after, open.at(-1)?.value ?? noNetwork);
      }
    };
    for (const { network, value } of sorted) {
      closeUntil(network.words);
      mark(network.words, value);
      open.push({ last: networkLast(network), value });
    }
    closeUntil(null);
    const distinct = starts.filter(({ value }, i) => i === 0 || starts[i - 1]!.value !== value);
    this.ranges = distinct.length;
    this.firsts = Uint32Array.from(distinct.flatMap(({ words }) => [...words]));
    this.values = Int32Array.from(distinct, ({ value }) => value);
  }

  /** The value of the longest prefix that holds this address (words, most significant first), or -1. */
  find(a: number, b: number, c: number, d: number): number {
    const { firsts } = this;
    let low = 0;
    let high = this.ranges - 1;
    // The last range whose first address is not behind this one.
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (isBehind(firsts, middle * 4, a, b, c, d)) high = middle - 1;
      else low = middle;
    }
    return this.values[low]!;
  }
}

/** words[at..at+3] > (a, b, c, d) */
function isBehind(words: Uint32Array, at: number, a: number, b: number, c: number, d: number): boolean {
  if (words[at] !== a) return words[at]! > a;
  if (words[at + 1] !== b) return words[at + 1]! > b;
  if (words[at + 2] !== c) return words[at + 2]! > c;
  return words[at + 3]! > d;
}

/** The address after this one; null after the last. */
function next(words: AddressWords): AddressWords | null {
  const out: [number, number, number, number] = [words[0], words[1], words[2], words[3]];
  for (let i = 3; i >= 0; i -= 1) {
    out[i] = (out[i]! + 1) >>> 0;
    if (out[i] !== 0) return out;
  }
  return null;
}
