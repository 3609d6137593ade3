/** Counts by name for reports, exact up to a limit; what comes beyond is counted together. */

/** Structured-clonable form. */
export interface NameCounts {
  readonly counts: readonly (readonly [string, number])[];
  /** counted under no name because the limit was reached */
  readonly other: number;
}

export class NameCounter {
  private readonly counts = new Map<string, number>();
  private readonly namesMax: number;
  private other = 0;

  constructor(namesMax: number) {
    this.namesMax = namesMax;
  }

  add(name: string, count = 1): void {
    const before = this.counts.get(name);
    if (before !== undefined) this.counts.set(name, before + count);
    else if (this.counts.size < this.namesMax) this.counts.set(name, count);
    else this.other += count;
  }

  /** Largest count first, equal ones by name. */
  take(): NameCounts {
    return { counts: sorted(this.counts), other: this.other };
  }
}

/** Put the partitions' counts together, in the order of NameCounter.take. */
export function mergeNameCounts(parts: readonly NameCounts[]): NameCounts {
  const counts = new Map<string, number>();
  let other = 0;
  for (const part of parts) {
    for (const [name, count] of part.counts) counts.set(name, (counts.get(name) ?? 0) + count);
    other += part.other;
  }
  return { counts: sorted(counts), other };
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** The same counts as an object, for small closed sets (codes, methods). */
export function countsObject(counts: NameCounts): Record<string, number> {
  // Object.fromEntries defines own properties: a name such as __proto__ stays data.
  return Object.fromEntries(counts.counts);
}
