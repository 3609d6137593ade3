/**
 * Filter -> ClickHouse condition. Values become query parameters, {p0:IPv6}, never text in the SQL; columns and
 * expressions are constants of the registry. The condition is 0 or 1 for every row, never NULL.
 */
import type { AddressWords } from './address.js';
import { formatAddress, networkLast } from './address.js';
import type { FilterItem, FilterNode, FilterPattern } from './ast.js';
import { isDirectedFilter } from './ast.js';
import { fieldOf } from './fields.js';
import type { FieldId, FilterField } from './fields.js';
import { globToLike, lowerAscii } from './glob.js';
import { parseRegex, regexToRe2 } from './regex.js';
import { directionExists, directionSeen, sourceSql, sourceSqlBy } from '../registry/source.js';
import type { Direction, Source } from '../registry/source.js';
import type { QueryTable } from '../registry/tables.js';

/** Values for the client's `query_params`. Addresses are text as ClickHouse reads an IPv6. */
export type SqlParameter = number | string | readonly number[] | readonly string[];

export interface CompiledSql {
  /** a condition in brackets, or `1` for the filter that keeps everything */
  readonly sql: string;
  readonly params: Readonly<Record<string, SqlParameter>>;
}

export interface SqlOptions {
  readonly table: QueryTable;
  /**
   * How directed fields (src_ip ...) are read. 'any' (absent: this): rows stand as they are and one is kept when either
   * of its directions fits and has packets. 'seen', of `flows`: also when these are packets that another probe had brought.
   * 0 or 1: only that direction is looked at. `{ column }`: rows were already made directed, this SQL (a constant of the
   * caller) says which direction a row is.
   */
  readonly direction?: 'any' | 'seen' | Direction | { readonly column: string };
  /** begins the parameter names, so that several filters fit in one statement; absent: 'p' */
  readonly parameterPrefix?: string;
}

type ReadDirection = Direction | { readonly column: string };

class SqlCompiler {
  readonly params: Record<string, SqlParameter> = {};
  private readonly bound = new Map<string, string>();

  constructor(
    private readonly table: QueryTable,
    private readonly prefix: string,
  ) {}

  node(node: FilterNode, direction: ReadDirection): string {
    switch (node.kind) {
      case 'all':
        return '1';
      case 'and':
      case 'or':
        return `(${node.terms.map((term) => this.node(term, direction)).join(node.kind === 'and' ? ' AND ' : ' OR ')})`;
      case 'not':
        return `(NOT ${this.node(node.term, direction)})`;
      case 'compareFields':
        return this.pair(node, direction);
      default:
        return this.either(node, direction);
    }
  }

  /** Two columns of one row; false where one of them is absent. */
  private pair(node: FilterNode & { kind: 'compareFields' }, direction: ReadDirection): string {
    const sources = [node.field, node.other].map((id) => this.source(fieldOf(id)));
    const isText = fieldOf(node.field).kind === 'text';
    const [left, right] = sources.map((source) => {
      const value = valueSql(source, direction);
      return isText ? `lower(${value})` : value;
    });
    const present = sources.flatMap((source) => source.presentWhen ?? []);
    const condition = `(${left!} ${node.operator} ${right!})`;
    return present.length === 0 ? condition : `(${[...new Set(present)].join(' AND ')} AND ${condition})`;
  }

  /** `host` and `port` test both sides: one must fit, or for a negated comparison both. */
  private either(node: FilterNode & { field: FieldId }, direction: ReadDirection): string {
    const field = fieldOf(node.field);
    if (!field.either) return this.test(node, field, direction);
    const negated = node.kind === 'compare' ? node.operator === '!=' : 'negated' in node && node.negated;
    const [first, second] = field.either.map((part) => this.test(node, fieldOf(part), 0));
    return `(${first!} ${negated ? 'AND' : 'OR'} ${second!})`;
  }

  private test(node: FilterNode, field: FilterField, direction: ReadDirection): string {
    const source = this.source(field);
    const condition = this.condition(node, valueSql(source, direction));
    return source.presentWhen === undefined ? condition : `(${source.presentWhen} AND ${condition})`;
  }

  private source(field: FilterField): Source {
    const source = field.sources[this.table];
    if (!source) throw new Error(`table ${this.table} has no field ${field.id}; see filterTables`);
    return source;
  }

  private condition(node: FilterNode, value: string): string {
    switch (node.kind) {
      case 'compare': {
        const { operator } = node;
        const text = node.value.kind === 'text';
        return `(${text ? `lower(${value})` : value} ${operator} ${this.scalar(node.value)})`;
      }
      case 'in':
        return this.membership(value, node.items, node.negated);
      case 'match':
        return this.match(value, node.pattern, node.negated);
      default:
        throw new Error(`${node.kind} is not a comparison`);
    }
  }

  private scalar(item: FilterItem): string {
    switch (item.kind) {
      case 'address':
        return this.address(item.words);
      case 'number':
        return this.bind('UInt64', item.value);
      case 'text':
        return this.bind('String', lowerAscii(item.text));
      default:
        throw new Error(`${item.kind} is not a single value`);
    }
  }

  /** Plain values go as one array, networks and ranges each as an interval; many networks as one array a prefix. */
  private membership(value: string, items: readonly FilterItem[], negated: boolean): string {
    const parts: string[] = [];
    const addresses = items.flatMap((item) => (item.kind === 'address' ? [sqlAddress(item.words)] : []));
    const numbers = items.flatMap((item) => (item.kind === 'number' ? [item.value] : []));
    const texts = items.flatMap((item) => (item.kind === 'text' ? [lowerAscii(item.text)] : []));
    if (addresses.length > 0) parts.push(`${value} IN ${this.bind('Array(IPv6)', addresses)}`);
    if (numbers.length > 0) parts.push(`${value} IN ${this.bind('Array(UInt64)', numbers)}`);
    if (texts.length > 0) parts.push(`lower(${value}) IN ${this.bind('Array(String)', texts)}`);
    const { many, rest } = networksByPrefix(items);
    for (const [prefix, networks] of many) {
      const firsts = this.bind('Array(IPv6)', networks);
      parts.push(`tupleElement(IPv6CIDRToRange(${value}, ${prefix}), 1) IN ${firsts}`);
    }
    for (const item of rest) {
      const interval = this.interval(item);
      if (interval) parts.push(`(${value} >= ${interval[0]} AND ${value} <= ${interval[1]})`);
    }
    const any = `(${parts.join(' OR ')})`;
    return negated ? `(NOT ${any})` : any;
  }

  private interval(item: FilterItem): [string, string] | undefined {
    if (item.kind === 'network') return [this.address(item.network.words), this.address(networkLast(item.network))];
    if (item.kind === 'addressRange') return [this.address(item.first), this.address(item.last)];
    if (item.kind === 'numberRange') return [this.bind('UInt64', item.first), this.bind('UInt64', item.last)];
    return undefined;
  }

  private match(value: string, pattern: FilterPattern, negated: boolean): string {
    let test: string;
    if (pattern.kind === 'glob') test = `(lower(${value}) LIKE ${this.bind('String', globToLike(pattern.text))})`;
    else {
      const parsed = parseRegex(pattern.source, pattern.ignoreCase);
      if ('error' in parsed) throw new Error(`unchecked regular expression: ${parsed.error.message}`);
      test = `match(${value}, ${this.bind('String', regexToRe2(parsed.regex))})`;
    }
    return negated ? `(NOT ${test})` : test;
  }

  private address(words: AddressWords): string {
    return this.bind('IPv6', sqlAddress(words));
  }

  /** The same value twice is one parameter: both directions of a flow are compared with the same values. */
  private bind(type: string, value: SqlParameter): string {
    const key = `${type} ${JSON.stringify(value)}`;
    const name = this.bound.get(key) ?? `${this.prefix}${this.bound.size}`;
    this.bound.set(key, name);
    this.params[name] = value;
    return `{${name}:${type}}`;
  }
}

/**
 * More networks of one length than this are looked up together: by the address cut to the length, in a set. A comparison
 * of two million addresses with 800 networks took 0.26 s that way and 10 s one by one, which for a few is the
 * quicker way and lets the index help.
 */
const networksOneByOneMax = 4;

/** First addresses of the networks of each prefix that has many; and all other items. */
function networksByPrefix(items: readonly FilterItem[]): {
  readonly many: ReadonlyMap<number, readonly string[]>;
  readonly rest: readonly FilterItem[];
} {
  const byPrefix = new Map<number, string[]>();
  for (const item of items) {
    if (item.kind !== 'network') continue;
    const { words, prefix } = item.network;
    const known = byPrefix.get(prefix);
    if (known) known.push(sqlAddress(words));
    else byPrefix.set(prefix, [sqlAddress(words)]);
  }
  const many = new Map([...byPrefix].filter(([, networks]) => networks.length > networksOneByOneMax));
  return { many, rest: items.filter((item) => item.kind !== 'network' || !many.has(item.network.prefix)) };
}

function valueSql(source: Source, direction: ReadDirection): string {
  return typeof direction === 'object' ? sourceSqlBy(source, direction.column) : sourceSql(source, direction);
}

/** ClickHouse's IPv6 type takes mapped addresses in mixed notation. */
function sqlAddress(words: AddressWords): string {
  const text = formatAddress(words);
  return text.includes(':') ? text : `::ffff:${text}`;
}

/**
 * The filter as a condition over rows of one table.
 * Throws when the table lacks a field of the filter: choose among `filterTables(filter)`.
 */
export function compileSql(filter: FilterNode, options: SqlOptions): CompiledSql {
  const prefix = options.parameterPrefix ?? 'p';
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(prefix)) throw new Error(`bad parameter prefix ${prefix}`);
  const compiler = new SqlCompiler(options.table, prefix);
  const direction = options.direction ?? 'any';
  const isAny = direction === 'any' || direction === 'seen';
  if (!isAny) return { sql: compiler.node(filter, direction), params: compiler.params };
  if (!isDirectedFilter(filter, options.table)) return { sql: compiler.node(filter, 0), params: compiler.params };
  const exists = direction === 'seen' ? directionSeen : directionExists;
  const [there, back] = ([0, 1] as const).map((way) => `(${exists[way]} AND ${compiler.node(filter, way)})`);
  return { sql: `(${there!} OR ${back!})`, params: compiler.params };
}
