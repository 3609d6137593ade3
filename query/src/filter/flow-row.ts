/**
 * One flow record as filters see it, for live data and detectors: numbers, texts and addresses by column, and either
 * direction of it. Filled in place and used again, so that nothing is made per record. It answers as SQL does over the
 * table `flows`; which column a field reads is taken from the registry, so that both cannot part.
 */
import type { DirectedReader } from './compile-predicate.js';
import { fieldCode, fieldCount, filterFields } from './fields.js';
import type { FieldId } from './fields.js';
import type { Source } from '../registry/source.js';

/** What a number is made of. */
const opNone = 0;
/** column a, or in the other direction b */
const opColumn = 1;
const opSum = 2;
/** 2 * a + b, turned round in the other direction */
const opLocalSides = 3;
/** the upper six bits of an octet */
const opDscp = 4;
const opVersion = 5;

const always = 0;
const withPorts = 1;
const withTcp = 2;
const withIcmp = 3;
const whenPositive = 4;

const presences: Readonly<Record<string, number>> = {
  'protocol IN (6, 17, 132)': withPorts,
  'protocol = 6': withTcp,
  'protocol IN (1, 58)': withIcmp,
  'rtt_ns > 0': whenPositive,
};

/** Fields that are no plain column: what they read instead. */
const special: Readonly<Partial<Record<FieldId, { op: number; a: string; b: string }>>> = {
  ip_version: { op: opVersion, a: 'protocol', b: 'protocol' },
  client_dscp: { op: opDscp, a: 'client_traffic_class', b: 'client_traffic_class' },
  traffic_direction: { op: opLocalSides, a: 'client_local', b: 'server_local' },
  duration: { op: opColumn, a: 'duration_ns', b: 'duration_ns' },
  flow_id: { op: opColumn, a: 'flow_id', b: 'flow_id' },
};

const ops = new Uint8Array(fieldCount);
const firsts = new Uint8Array(fieldCount);
const seconds = new Uint8Array(fieldCount);
const present = new Uint8Array(fieldCount);
const numberNames: string[] = [];
const textNames: string[] = [];
const addressNames = ['client_ip', 'server_ip'];

function place(names: string[], name: string): number {
  const at = names.indexOf(name);
  return at < 0 ? names.push(name) - 1 : at;
}

/**
 * What a field reads; undefined for an expression that is not known here: the field is then absent, and the test that
 * compares rows with SQL says so.
 */
function partsOf(id: FieldId, source: Source): { op: number; a: string; b: string } | undefined {
  const known = special[id];
  if (known) return known;
  const [a, b] = source.scope === 'directed' ? [source.client, source.server] : [source.expression, source.expression];
  const sum = /^\((\w+) \+ (\w+)\)$/.exec(a);
  if (sum && a === b) return { op: opSum, a: sum[1]!, b: sum[2]! };
  return /^\w+$/.test(a) && /^\w+$/.test(b) ? { op: opColumn, a, b } : undefined;
}

for (const field of filterFields) {
  const source = field.sources.flows;
  if (!source) continue;
  const id = field.id as FieldId;
  const code = fieldCode(id);
  const parts = partsOf(id, source);
  const presence = source.presentWhen === undefined ? always : presences[source.presentWhen];
  if (!parts || presence === undefined) continue;
  const { op, a, b } = parts;
  const names = field.kind === 'address' ? addressNames : field.kind === 'text' ? textNames : numberNames;
  ops[code] = op;
  firsts[code] = place(names, a);
  seconds[code] = place(names, b);
  present[code] = presence;
}

const protocolAt = place(numberNames, 'protocol');
const packetsAt = [place(numberNames, 'client_packets'), place(numberNames, 'server_packets')] as const;
const mapped = 0xffff;

/** Where a number stands in `numbers`: a column of `flows`, or duration_ns. Look it up once, not per record. */
export function flowNumberAt(column: string): number {
  return found(numberNames, column);
}

/** Where a text stands in `texts`. */
export function flowTextAt(column: string): number {
  return found(textNames, column);
}

function found(names: readonly string[], column: string): number {
  const at = names.indexOf(column);
  if (at < 0) throw new Error(`a flow row has no column ${column}`);
  return at;
}

/** The columns of a row that filters read. */
export const flowRowColumns: { readonly numbers: readonly string[]; readonly texts: readonly string[] } = {
  numbers: numberNames,
  texts: textNames,
};

export class FlowRow implements DirectedReader {
  /** by flowNumberAt, in base units */
  readonly numbers = new Float64Array(numberNames.length);
  /** by flowTextAt */
  readonly texts: string[] = textNames.map(() => '');
  /** client's four words, then server's; most significant first, IPv4 as ::ffff:a.b.c.d */
  readonly addresses = new Uint32Array(8);
  private back = false;

  setDirection(direction: 0 | 1): void {
    this.back = direction === 1;
  }

  hasDirection(direction: 0 | 1): boolean {
    return this.numbers[packetsAt[direction]]! > 0;
  }

  number(field: number): number {
    const { numbers } = this;
    const first = numbers[firsts[field]!]!;
    const second = numbers[seconds[field]!]!;
    const near = this.back ? second : first;
    if (present[field] !== always && !this.isPresent(present[field]!, near)) return NaN;
    switch (ops[field]) {
      case opColumn:
        return near;
      case opSum:
        return first + second;
      case opLocalSides:
        return near * 2 + (this.back ? first : second);
      case opDscp:
        return first >>> 2;
      case opVersion:
        return this.version();
      default:
        return NaN;
    }
  }

  text(field: number): string | null {
    if (ops[field] === opNone) return null;
    return this.texts[(this.back ? seconds : firsts)[field]!] ?? null;
  }

  hasAddress(field: number): boolean {
    return ops[field] !== opNone;
  }

  addressWord(field: number, word: number): number {
    return this.addresses[4 * (this.back ? seconds : firsts)[field]! + word]!;
  }

  private version(): 4 | 6 {
    const { addresses } = this;
    return addresses[0] === 0 && addresses[1] === 0 && addresses[2] === mapped ? 4 : 6;
  }

  private isPresent(presence: number, value: number): boolean {
    const protocol = this.numbers[protocolAt]!;
    switch (presence) {
      case withPorts:
        return protocol === 6 || protocol === 17 || protocol === 132;
      case withTcp:
        return protocol === 6;
      case withIcmp:
        return protocol === 1 || protocol === 58;
      default:
        return value > 0;
    }
  }
}
