/**
 * Numbers with units. Base units: bytes, nanoseconds, plain counts. The result is a whole number below 2^53, computed
 * exactly (1.1kB is 1100, never 1100.0000000000002).
 */
import type { FieldKind } from './fields.js';

const countUnits: Readonly<Record<string, number>> = { '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };
const sizeUnits: Readonly<Record<string, number>> = {
  ...countUnits,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  kiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const durationUnits: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  min: 60e9,
  h: 3600e9,
  d: 86_400e9,
};

/** Units in which canonical text is written, biggest first. */
const writtenUnits: Readonly<Partial<Record<FieldKind, readonly (readonly [number, string])[]>>> = {
  size: [
    [1e12, 'TB'],
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
  ],
  count: [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ],
  duration: [
    [86_400e9, 'd'],
    [3600e9, 'h'],
    [60e9, 'm'],
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'us'],
    [1, 'ns'],
  ],
};

export type NumberResult = { readonly value: number } | { readonly message: string; readonly suggestion?: string };

const literal = /^(\d+)(?:\.(\d+))?([A-Za-zµ]*)$/;
const digitsMax = 32;
/** 1h30m: whole numbers with units, from the biggest to the smallest, each once */
const compoundDuration =
  /^(?=.{4,64}$)(?=(?:\d+[a-zµ]+){2})(?:\d{1,9}d)?(?:\d{1,9}h)?(?:\d{1,9}(?:min|m))?(?:\d{1,9}s)?(?:\d{1,9}ms)?(?:\d{1,9}[uµ]s)?(?:\d{1,9}ns)?$/;

/** True when a word begins like a number: it is then read as one, and errors speak of numbers. */
export function looksNumeric(text: string): boolean {
  return /^[+-]?\.?\d/.test(text);
}

/** Reads a number for a field of this kind; `maximum` is the field's biggest value. */
export function parseNumber(text: string, kind: FieldKind, maximum: number): NumberResult {
  if (/^0[xX][0-9a-fA-F]{1,13}$/.test(text) && kind === 'number') return bounded(Number(text), maximum);
  if (kind === 'duration' && compoundDuration.test(text)) return compound(text, maximum);
  if (kind === 'duration' && /^(\d{1,9}[a-zµ]{1,3}){2,8}$/.test(text)) {
    return { message: 'The units of a duration go from big to small, each once, as in 1h30m' };
  }
  if (text.startsWith('-')) return { message: 'Numbers here are never negative' };
  const match = literal.exec(text);
  if (!match || text.length > digitsMax) return { message: `${JSON.stringify(text)} is not a number`.slice(0, 80) };
  const [, whole, fraction = '', unit] = match as unknown as [string, string, string | undefined, string];
  const units =
    kind === 'duration' ? durationUnits : kind === 'size' ? sizeUnits : kind === 'count' ? countUnits : { '': 1 };
  const factor = Object.hasOwn(units, unit)
    ? units[unit]
    : Number(whole + fraction) === 0 && unit === ''
      ? 1
      : undefined;
  if (factor === undefined) return unknownUnit(text, unit, kind, units);
  const scaled = BigInt(whole + fraction) * BigInt(factor);
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n) return { message: notWhole[kind] ?? 'Only whole numbers are possible here' };
  const value = scaled / divisor;
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return { message: `${text} is too big; the biggest is 2^53 - 1` };
  return bounded(Number(value), maximum);
}

function compound(text: string, maximum: number): NumberResult {
  let sum = 0n;
  for (const [, digits, unit] of text.matchAll(/(\d+)([a-zµ]+)/g))
    sum += BigInt(digits!) * BigInt(durationUnits[unit!]!);
  if (sum > BigInt(Number.MAX_SAFE_INTEGER)) return { message: `${text} is too big; the biggest is 2^53 - 1` };
  return bounded(Number(sum), maximum);
}

const notWhole: Readonly<Partial<Record<FieldKind, string>>> = {
  size: 'This is not a whole number of bytes',
  duration: 'This is not a whole number of nanoseconds',
};

function bounded(value: number, maximum: number): NumberResult {
  return value <= maximum ? { value } : { message: `${value} is too big; the biggest here is ${maximum}` };
}

function unknownUnit(
  text: string,
  unit: string,
  kind: FieldKind,
  units: Readonly<Record<string, number>>,
): NumberResult {
  if (kind === 'duration' && unit === '') {
    return { message: 'A duration needs a unit: ns, us, ms, s, m, h or d', suggestion: `${text}s` };
  }
  const number = text.slice(0, text.length - unit.length);
  const near = Object.keys(units).find((known) => known !== '' && known.toLowerCase() === unit.toLowerCase());
  const known = Object.keys(units).filter((known) => known !== '');
  if (known.length === 0) return { message: `This field has no units; write ${number}`, suggestion: number };
  const bits =
    kind === 'size' && /^[kKMGT](b|bit|bits|bps)$/.test(unit) ? ' (sizes are in bytes; a small b would be bits)' : '';
  const message = `Unknown unit ${JSON.stringify(unit).slice(0, 24)}${bits}; known are ${known.join(', ')}`;
  return near === undefined ? { message } : { message, suggestion: `${number}${near}` };
}

/** A value in the biggest unit that gives a whole number: 1500000 bytes is 1500kB. */
export function formatNumber(value: number, kind: FieldKind): string {
  for (const [factor, unit] of writtenUnits[kind] ?? []) {
    if (value !== 0 && value % factor === 0) return `${value / factor}${unit}`;
  }
  return String(value);
}
