/** Sizes ("64MB") and durations ("15s") in configuration: read, and written so that reading gives the same number. */

export type Unit = 'bytes' | 'seconds';

/** Powers of 1024, as memory and files are counted; KiB and KB mean the same here. */
const sizes: readonly (readonly [string, number])[] = [
  ['TB', 1024 ** 4],
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['KB', 1024],
  ['B', 1],
];
const durations: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];
const millisecond = 0.001;

/** A number with its unit, or without one (then bytes or seconds); null when the text is neither. */
export function parseUnit(text: string, unit: Unit): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text);
  if (!match) return null;
  const value = Number(match[1]);
  const suffix = match[2]!;
  if (suffix === '') return value;
  if (unit === 'seconds') {
    if (suffix === 'ms') return value * millisecond;
    const factor = durations.find(([name]) => name === suffix)?.[1];
    return factor === undefined ? null : value * factor;
  }
  const name = suffix.toUpperCase().replace('IB', 'B');
  const factor = sizes.find(([known]) => known === name || known === `${name}B`)?.[1];
  return factor === undefined ? null : Math.round(value * factor);
}

/** The shortest text with a unit that reads back as the same number. */
export function formatUnit(value: number, unit: Unit): string {
  if (unit === 'seconds' && value > 0 && value < 1) return `${Math.round(value / millisecond)}ms`;
  const table = unit === 'seconds' ? durations : sizes;
  const [name, factor] = table.find(([, size]) => value >= size && value % size === 0) ?? table.at(-1)!;
  return `${value / factor}${name}`;
}

/** What to write, for messages and the reference. */
export const unitHint = (unit: Unit): string =>
  unit === 'bytes' ? 'a size like 64MB (B, KB, MB, GB, TB)' : 'a duration like 15s (ms, s, m, h, d)';
