/**
 * Filter -> function over one record, for live data and detectors. It answers as the SQL of compile-sql.ts does.
 * Compiling allocates, calling does not (beyond what a reader's `text` does): networks are words, lists sorted intervals.
 */
import type { AddressWords } from './address.js';
import { compareAddresses, networkLast } from './address.js';
import type { CompareOperator, FilterItem, FilterNode, FilterPattern } from './ast.js';
import { fieldCode, fieldOf } from './fields.js';
import type { FieldId } from './fields.js';
import { compileGlob, lowerAscii } from './glob.js';
import { compileRegex, parseRegex } from './regex.js';

/**
 * A record as filters see it: one packet, or one direction of a flow. Fields are numbers, `fieldCode(id)`; src_* is the
 * sender, dst_* the receiver in the direction at hand. A field that the record does not have is absent. `host` and
 * `port` are never asked for, only their parts.
 */
export interface FieldReader {
  /** value in the field's base unit (bytes, nanoseconds, plain), NaN when absent */
  number(field: number): number;
  /** value, null when absent */
  text(field: number): string | null;
  /** false when absent; addressWord is then not asked for */
  hasAddress(field: number): boolean;
  /**
   * Word 0..3 of the address, 0 the most significant, unsigned, IPv4 as ::ffff:a.b.c.d. (The columns of a PacketBatch
   * hold network order bytes: on a little-endian machine their words must be swapped.)
   */
  addressWord(field: number, word: number): number;
}

export type Predicate = (record: FieldReader) => boolean;

/** A record of both directions; the fields it answers with are those of the direction last set. */
export interface DirectedReader extends FieldReader {
  /** 0: the client sends, 1: the server sends */
  setDirection(direction: 0 | 1): void;
  /** whether packets went that way */
  hasDirection(direction: 0 | 1): boolean;
}

type NumberTest = (value: number) => boolean;

function numberTest(operator: string, wanted: number): NumberTest {
  switch (operator) {
    case '=':
      return (value) => value === wanted;
    case '!=':
      return (value) => value !== wanted;
    case '<':
      return (value) => value < wanted;
    case '<=':
      return (value) => value <= wanted;
    case '>':
      return (value) => value > wanted;
    case '>=':
      return (value) => value >= wanted;
    default:
      throw new Error(`unknown operator ${operator}`);
  }
}

/** Is the value in one of the items? Overlaps are merged, then found by binary search. */
function numberMembership(items: readonly FilterItem[]): NumberTest {
  const intervals = items.map((item): [number, number] => {
    if (item.kind === 'number') return [item.value, item.value];
    if (item.kind === 'numberRange') return [item.first, item.last];
    throw new Error(`${item.kind} among numbers`);
  });
  const merged = mergeIntervals(intervals, (a, b) => a - b);
  const firsts = Float64Array.from(merged, (interval) => interval[0]);
  const lasts = Float64Array.from(merged, (interval) => interval[1]);
  return (value) => {
    let low = 0;
    let high = firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lasts[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low < firsts.length && firsts[low]! <= value;
  };
}

function mergeIntervals<T>(intervals: readonly [T, T][], compare: (a: T, b: T) => number): [T, T][] {
  const merged: [T, T][] = [];
  for (const [first, last] of [...intervals].sort((a, b) => compare(a[0], b[0]))) {
    const before = merged.at(-1);
    if (before && compare(first, before[1]) <= 0) {
      if (compare(last, before[1]) > 0) before[1] = last;
    } else merged.push([first, last]);
  }
  return merged;
}

function addressInterval(item: FilterItem): [AddressWords, AddressWords] {
  if (item.kind === 'address') return [item.words, item.words];
  if (item.kind === 'addressRange') return [item.first, item.last];
  if (item.kind === 'network') return [item.network.words, networkLast(item.network)];
  throw new Error(`${item.kind} among addresses`);
}

function addressMembership(field: number, items: readonly FilterItem[], negated: boolean): Predicate {
  const merged = mergeIntervals(items.map(addressInterval), compareAddresses);
  const firsts = Uint32Array.from(merged.flatMap((interval) => [...interval[0]]));
  const lasts = Uint32Array.from(merged.flatMap((interval) => [...interval[1]]));
  const count = merged.length;
  return (record) => {
    if (!record.hasAddress(field)) return false;
    const a = record.addressWord(field, 0);
    const b = record.addressWord(field, 1);
    const c = record.addressWord(field, 2);
    const d = record.addressWord(field, 3);
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(lasts, 4 * middle, a, b, c, d)) low = middle + 1;
      else high = middle;
    }
    // lasts[low] is not before the address: it is inside unless the interval begins after it.
    const inside = low < count && !isAfter(firsts, 4 * low, a, b, c, d);
    return inside !== negated;
  };
}

/** words[at..at+3] < (a, b, c, d) */
function isBefore(words: Uint32Array, at: number, a: number, b: number, c: number, d: number): boolean {
  if (words[at] !== a) return words[at]! < a;
  if (words[at + 1] !== b) return words[at + 1]! < b;
  if (words[at + 2] !== c) return words[at + 2]! < c;
  return words[at + 3]! < d;
}

/** words[at..at+3] > (a, b, c, d) */
function isAfter(words: Uint32Array, at: number, a: number, b: number, c: number, d: number): boolean {
  if (words[at] !== a) return words[at]! > a;
  if (words[at + 1] !== b) return words[at + 1]! > b;
  if (words[at + 2] !== c) return words[at + 2]! > c;
  return words[at + 3]! > d;
}

function numberPredicate(field: number, test: NumberTest, negated: boolean): Predicate {
  return (record) => {
    const value = record.number(field);
    return value === value && test(value) !== negated; // NaN, absent, is not equal to itself
  };
}

function textPredicate(field: number, test: (text: string) => boolean, negated: boolean): Predicate {
  return (record) => {
    const value = record.text(field);
    return value !== null && test(value) !== negated;
  };
}

function textMembership(items: readonly FilterItem[]): (text: string) => boolean {
  const wanted = new Set(
    items.map((item) => {
      if (item.kind !== 'text') throw new Error(`${item.kind} among texts`);
      return lowerAscii(item.text);
    }),
  );
  return (text) => wanted.has(lowerAscii(text));
}

function patternTest(pattern: FilterPattern): (text: string) => boolean {
  if (pattern.kind === 'glob') return compileGlob(pattern.text);
  const parsed = parseRegex(pattern.source, pattern.ignoreCase);
  if ('error' in parsed) throw new Error(`unchecked regular expression: ${parsed.error.message}`);
  return compileRegex(parsed.regex);
}

type Comparison = FilterNode & { kind: 'compare' | 'in' | 'match' };

function comparison(node: Comparison, id: FieldId): Predicate {
  const field = fieldCode(id);
  const { kind } = fieldOf(id);
  if (node.kind === 'match') return textPredicate(field, patternTest(node.pattern), node.negated);
  if (node.kind === 'in') {
    if (kind === 'address') return addressMembership(field, node.items, node.negated);
    if (kind === 'text') return textPredicate(field, textMembership(node.items), node.negated);
    return numberPredicate(field, numberMembership(node.items), node.negated);
  }
  const negated = node.operator === '!=';
  if (node.value.kind === 'address') return addressMembership(field, [node.value], negated);
  if (node.value.kind === 'text') return textPredicate(field, textMembership([node.value]), negated);
  return numberPredicate(field, numberTest(node.operator, node.value.value), false);
}

function either(node: Comparison): Predicate {
  const parts = fieldOf(node.field).either;
  if (!parts) return comparison(node, node.field);
  const first = comparison(node, parts[0]);
  const second = comparison(node, parts[1]);
  const negated = node.kind === 'compare' ? node.operator === '!=' : node.negated;
  return negated ? (record) => first(record) && second(record) : (record) => first(record) || second(record);
}

/** Two fields of the record against each other; false when one is absent. */
function pair(node: FilterNode & { kind: 'compareFields' }): Predicate {
  const field = fieldCode(node.field);
  const other = fieldCode(node.other);
  const equal = node.operator === '=';
  const { kind } = fieldOf(node.field);
  if (kind === 'address') {
    return (record) =>
      record.hasAddress(field) && record.hasAddress(other) && sameAddress(record, field, other) === equal;
  }
  if (kind === 'text') {
    return (record) => {
      const value = record.text(field);
      const wanted = value === null ? null : record.text(other);
      return value !== null && wanted !== null && sameText(value, wanted) === equal;
    };
  }
  return numberPair(field, node.operator, other);
}

function sameAddress(record: FieldReader, field: number, other: number): boolean {
  for (let i = 3; i >= 0; i -= 1) if (record.addressWord(field, i) !== record.addressWord(other, i)) return false;
  return true;
}

/** Equal but for the case of ASCII letters; makes no new text. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y && (x >= 65 && x <= 90 ? x + 32 : x) !== (y >= 65 && y <= 90 ? y + 32 : y)) return false;
  }
  return true;
}

/** NaN, absent, is neither equal to, nor before or after anything; only != needs care. */
function numberPair(field: number, operator: CompareOperator, other: number): Predicate {
  switch (operator) {
    case '=':
      return (record) => record.number(field) === record.number(other);
    case '!=':
      return (record) => {
        const a = record.number(field);
        const b = record.number(other);
        return a < b || a > b;
      };
    case '<':
      return (record) => record.number(field) < record.number(other);
    case '<=':
      return (record) => record.number(field) <= record.number(other);
    case '>':
      return (record) => record.number(field) > record.number(other);
    case '>=':
      return (record) => record.number(field) >= record.number(other);
  }
}

function all(terms: readonly Predicate[]): Predicate {
  return (record) => {
    for (let i = 0; i < terms.length; i += 1) if (!terms[i]!(record)) return false;
    return true;
  };
}

function any(terms: readonly Predicate[]): Predicate {
  return (record) => {
    for (let i = 0; i < terms.length; i += 1) if (terms[i]!(record)) return true;
    return false;
  };
}

/** The filter as a function over a record in one direction. */
export function compilePredicate(filter: FilterNode): Predicate {
  switch (filter.kind) {
    case 'all':
      return () => true;
    case 'and':
      return all(filter.terms.map(compilePredicate));
    case 'or':
      return any(filter.terms.map(compilePredicate));
    case 'not': {
      const term = compilePredicate(filter.term);
      return (record) => !term(record);
    }
    case 'compareFields':
      return pair(filter);
    default:
      return either(filter);
  }
}

/**
 * The filter over a bidirectional record, as SQL's direction 'any': true when a direction that has packets fits.
 * `directed` is `isDirectedFilter(filter, 'flows')`; without directed fields the directions are not looked at.
 */
export function eitherDirection(predicate: Predicate, directed: boolean): (record: DirectedReader) => boolean {
  return (record) => {
    if (!directed) {
      record.setDirection(0);
      return predicate(record);
    }
    for (let direction = 0; direction < 2; direction += 1) {
      const way = direction === 0 ? 0 : 1;
      if (!record.hasDirection(way)) continue;
      record.setDirection(way);
      if (predicate(record)) return true;
    }
    return false;
  };
}
