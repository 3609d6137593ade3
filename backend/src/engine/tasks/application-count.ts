/** Counts by name for reports, exact up to a limit; what comes beyond is counted together. */

/** Names and counts; structured-clonable. */
export interface NameCounts {
  readonly entries: readonly (readonly [name: string, count: number])[];
  /** counted under no name because the limit was reached */
  readonly other: number;
}

export class NameCounter {
  /** place of a name in `counts`: one look-up a message, where a map of counts needs a second one to store */
  private readonly places = new Map<string, number>();
  private counts = new Float64Array(64);
  private readonly namesMax: number;
  private other = 0;
  /** by slot: the name that was counted last, and its place */
  private readonly slotNames: string[];
  private readonly slotPlaces: Int32Array;

  /** @param slots of `addAgain` */
  constructor(namesMax: number, slots = 0) {
    this.namesMax = namesMax;
    this.slotNames = new Array<string>(slots).fill('');
    this.slotPlaces = new Int32Array(slots);
  }

  add(name: string): void {
    const place = this.placeOf(name);
    if (place < 0) this.other += 1;
    else this.counts[place] = this.counts[place]! + 1;
  }

  /**
   * `add` for names that come again and again: a look into an array instead of a map.
   * @param slot a number that is mostly the same for the same name, and seldom for another; -1: there is none
   */
  addAgain(name: string, slot: number): void {
    if (slot < 0 || name === '') {
      this.add(name);
      return;
    }
    if (this.slotNames[slot] !== name) {
      const place = this.placeOf(name);
      if (place < 0) {
        this.other += 1;
        return;
      }
      this.slotNames[slot] = name;
      this.slotPlaces[slot] = place;
    }
    const place = this.slotPlaces[slot]!;
    this.counts[place] = this.counts[place]! + 1;
  }

  /** Where a name is counted; -1: there are too many. */
  private placeOf(name: string): number {
    const known = this.places.get(name);
    if (known !== undefined) return known;
    const place = this.places.size;
    if (place >= this.namesMax) return -1;
    if (place === this.counts.length) {
      const grown = new Float64Array(place * 2);
      grown.set(this.counts);
      this.counts = grown;
    }
    this.places.set(name, place);
    return place;
  }

  /** All counts so far, in the order the names came. */
  read(): NameCounts {
    const entries: [string, number][] = [];
    this.places.forEach((place, name) => entries.push([name, this.counts[place]!]));
    return { entries, other: this.other };
  }
}

/** Put the partitions' counts together: largest first, equal ones by name. */
export function mergeNameCounts(parts: readonly NameCounts[]): NameCounts {
  const counts = new Map<string, number>();
  let other = 0;
  for (const part of parts) {
    for (const [name, count] of part.entries) counts.set(name, (counts.get(name) ?? 0) + count);
    other += part.other;
  }
  return { entries: sortCounts(counts), other };
}

function sortCounts(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** The same counts as an object; for small sets (codes, methods). Names such as __proto__ stay data. */
export function countsObject(counts: NameCounts): Record<string, number> {
  return Object.fromEntries(counts.entries);
}

/** Frames of one protocol and their bytes on the wire. */
export interface FrameCount {
  readonly packets: number;
  readonly bytes: number;
}

/** Add up frame counts by protocol. */
export function mergeFrameCounts(parts: readonly Readonly<Record<string, FrameCount>>[]): Record<string, FrameCount> {
  const merged: Record<string, FrameCount> = {};
  for (const part of parts) {
    for (const [name, count] of Object.entries(part)) {
      const before = merged[name] ?? { packets: 0, bytes: 0 };
      merged[name] = { packets: before.packets + count.packets, bytes: before.bytes + count.bytes };
    }
  }
  return merged;
}
