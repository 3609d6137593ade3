/**
 * Rows as TabSeparated bytes, built in the worker that made them: numbers and addresses straight into a growing byte
 * array, no strings on the way. One RowWriter per table; columns are appended in the order of the table's definition.
 *
 * Rows come without the stamp (probe, epoch, partition, first_seq, last_seq): which stretch of the stream they belong to
 * is known at the flush, and the writer puts it before each (storage/clickhouse-writer.ts).
 */
import { BufferPool } from '@netspectra/collector/memory';
import type { Enricher } from '../enrichment/index.js';
import { escapeTsv, tables } from '../tables/index.js';
import type { RowBlock, TableName } from '../tables/index.js';

const tab = 9;
const newline = 10;
const utf8 = new TextEncoder();
/** 00 .. 99, and 00 .. ff */
const decimalPairs = utf8.encode(Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0')).join(''));
const hexPairs = utf8.encode(Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0')).join(''));
const mappedPrefix = utf8.encode('::ffff:');
const billion = 1_000_000_000;
const placeColumns = 10;
/** Arrays up to this size stay with their writer. */
const smallBytes = 1 << 13;
/** Arrays that writers have grown out of, and those of blocks that are stored; a writer grows by doubling. */
const arrays = new BufferPool({ bytesMax: 8 << 20, sizeOf: (length) => 2 ** Math.ceil(Math.log2(length)) });

/** country, AS number, AS name, network, local: the client's, then the server's */
const unknownPlaces = utf8.encode('\t0\t\t\t0\t'.repeat(2));

export class RowWriter {
  readonly table: TableName;
  rows = 0;
  private bytes = new Uint8Array(smallBytes);
  /** what the block before needed: the next one begins with about as much */
  private expected = smallBytes;
  private length = 0;
  private column = 0;
  private readonly columnCount: number;
  /** what knows about addresses; null: nothing is known */
  enricher: Enricher | null;

  constructor(table: TableName, enricher: Enricher | null = null) {
    this.enricher = enricher;
    this.table = table;
    this.columnCount = tables[table].rowColumns.length;
  }

  /** Bytes gathered so far. */
  get size(): number {
    return this.length;
  }

  /** Start a row. */
  begin(): void {
    this.column = 0;
  }

  /** End the row; throws when the row does not have exactly the table's columns (our own mistake). */
  end(): void {
    if (this.column !== this.columnCount) {
      throw new Error(`${this.table}: a row of ${this.column} columns, expected ${this.columnCount}`);
    }
    this.bytes[this.length - 1] = newline;
    this.rows += 1;
  }

  /** A whole number, 0 .. 2^53. */
  number(value: number): void {
    this.reserve(24);
    this.digits(value);
    this.separate();
  }

  /** So many columns of 0. */
  zeros(columns: number): void {
    this.reserve(columns * 2);
    const out = this.bytes;
    let at = this.length;
    for (const end = at + columns * 2; at < end; at += 2) {
      out[at] = 48;
      out[at + 1] = tab;
    }
    this.length = at;
    this.column += columns;
  }

  /** A 64-bit number in two halves, each signed or unsigned. */
  number64(high: number, low: number): void {
    // Long division by 10^9, 16 bits at a time: what is above it fits a double, and no BigInt is made.
    const top = high >>> 0;
    const middle = (top % billion) * 65_536 + (low >>> 16);
    const bottom = (middle % billion) * 65_536 + (low & 0xffff);
    const above =
      Math.floor(top / billion) * 0x1_0000_0000 + Math.floor(middle / billion) * 65_536 + Math.floor(bottom / billion);
    if (above === 0) return this.number(low >>> 0);
    this.reserve(24);
    this.digits(above);
    this.length = nineDigits(this.bytes, this.length, bottom % billion);
    this.separate();
  }

  /** Any text; tabs, newlines, backslashes and NUL are escaped. */
  text(value: string): void {
    this.escaped(value, false);
    this.separate();
  }

  /** 16 address bytes in network order, as IPv6 text: ::ffff:c000:0207 for IPv4, else eight groups, not shortened. */
  address(bytes: Uint8Array, offset: number): void {
    this.reserve(48);
    const out = this.bytes;
    let at = this.length;
    let from = 0;
    if (isMapped(bytes, offset)) {
      for (; from < mappedPrefix.length; from += 1) out[at++] = mappedPrefix[from]!;
      from = 12;
    }
    for (let i = from; i < 16; i += 2) {
      if (i > from) out[at++] = 58;
      const left = bytes[offset + i]! << 1;
      const right = bytes[offset + i + 1]! << 1;
      out[at] = hexPairs[left]!;
      out[at + 1] = hexPairs[left + 1]!;
      out[at + 2] = hexPairs[right]!;
      out[at + 3] = hexPairs[right + 1]!;
      at += 4;
    }
    this.length = at;
    this.separate();
  }

  /**
   * What is known about two addresses (16 bytes each, network order): client_country .. server_local, the last ten
   * columns of the tables that have addresses.
   */
  places(bytes: Uint8Array, client: number, server: number): void {
    this.column += placeColumns;
    if (this.enricher === null) {
      this.piece(unknownPlaces, 0, unknownPlaces.length);
      return;
    }
    this.placeOf(this.enricher, bytes, client);
    this.placeOf(this.enricher, bytes, server);
  }

  /** DateTime64(9) as seconds.nanoseconds since the epoch, UTC. */
  time(seconds: number, nanoseconds: number): void {
    this.reserve(32);
    this.digits(seconds);
    this.bytes[this.length++] = 46;
    this.length = nineDigits(this.bytes, this.length, nanoseconds);
    this.separate();
  }

  numbers(values: ArrayLike<number>): void {
    this.reserve(values.length * 21 + 4);
    this.bytes[this.length++] = 91;
    for (let i = 0; i < values.length; i += 1) {
      if (i > 0) this.bytes[this.length++] = 44;
      this.digits(values[i]!);
    }
    this.bytes[this.length++] = 93;
    this.separate();
  }

  texts(values: readonly string[]): void {
    this.reserve(4);
    this.bytes[this.length++] = 91;
    values.forEach((value, i) => {
      this.ascii(i > 0 ? ",'" : "'");
      this.escaped(value, true);
      this.ascii("'");
    });
    this.reserve(4);
    this.bytes[this.length++] = 93;
    this.separate();
  }

  /** Map(String, UInt64) */
  map(values: Readonly<Record<string, number>>): void {
    this.ascii('{');
    Object.entries(values).forEach(([key, value], i) => {
      this.ascii(i > 0 ? ",'" : "'");
      this.escaped(key, true);
      this.ascii(`':${value}`);
    });
    this.ascii('}');
    this.separate();
  }

  /** Take the rows gathered so far; the writer is empty afterwards. */
  take(): RowBlock {
    const { table, rows, length } = this;
    // A large array is handed over as it is: kept for the next block it would lie about for as long as rows are gathered, and
    // an engine has such a writer for every table of every stream.
    const large = length > smallBytes;
    const block = { table, rows, bytes: large ? this.bytes.subarray(0, length) : this.bytes.slice(0, length) };
    if (large) {
      this.bytes = new Uint8Array(smallBytes);
      this.expected = length;
    }
    this.rows = 0;
    this.length = 0;
    return block;
  }

  /** A place's number holds until the next lookup, so its text is copied at once. */
  private placeOf(enricher: Enricher, bytes: Uint8Array, offset: number): void {
    const place = enricher.placeOf(bytes, offset);
    this.piece(enricher.text, enricher.textStart[place]!, enricher.textStart[place + 1]!);
  }

  /** Ready columns, tabs included. Byte by byte: for some twenty of them a call of `set` costs more. */
  private piece(from: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    const out = this.bytes;
    let at = this.length;
    for (let i = start; i < end; i += 1) out[at++] = from[i]!;
    this.length = at;
  }

  private digits(value: number): void {
    if (value < 10) {
      this.bytes[this.length++] = 48 + value;
      return;
    }
    const out = this.bytes;
    let rest = value;
    let places = 2;
    for (let limit = 100; limit <= rest; limit *= 10) places += 1;
    let at = this.length + places;
    this.length = at;
    while (rest > 0xffffffff) {
      const next = Math.floor(rest / 10);
      out[--at] = 48 + (rest - next * 10);
      rest = next;
    }
    let low = rest >>> 0;
    while (low >= 100) {
      const next = (low / 100) >>> 0;
      const pair = (low - next * 100) << 1;
      out[--at] = decimalPairs[pair + 1]!;
      out[--at] = decimalPairs[pair]!;
      low = next;
    }
    if (low >= 10) {
      out[at - 1] = decimalPairs[(low << 1) + 1]!;
      out[at - 2] = decimalPairs[low << 1]!;
    } else out[at - 1] = 48 + low;
  }

  private ascii(value: string): void {
    this.reserve(value.length);
    for (let i = 0; i < value.length; i += 1) this.bytes[this.length++] = value.charCodeAt(i);
  }

  private escaped(value: string, quoted: boolean): void {
    this.reserve(value.length * 6);
    const out = this.bytes;
    const start = this.length;
    let i = 0;
    for (; i < value.length; i += 1) {
      const code = value.charCodeAt(i);
      if (code < 32 || code === 92 || code === 39 || code > 126) break;
      out[start + i] = code;
    }
    if (i === value.length) {
      this.length = start + i;
      return;
    }
    const encoded = utf8.encode(escapeTsv(value, quoted));
    this.reserve(encoded.length);
    this.bytes.set(encoded, this.length);
    this.length += encoded.length;
  }

  private separate(): void {
    this.bytes[this.length++] = tab;
    this.column += 1;
  }

  private reserve(bytes: number): void {
    const wanted = this.length + bytes + 8;
    if (wanted <= this.bytes.length) return;
    const next = this.bytes.length * 2;
    const least = Math.max(wanted, next > smallBytes * 8 ? Math.max(next, this.expected) : next);
    const grown = new Uint8Array(arrays.take(least).buffer);
    grown.set(this.bytes.subarray(0, this.length));
    arrays.giveBack(this.bytes);
    this.bytes = grown;
  }
}

/** IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2)? */
function isMapped(bytes: Uint8Array, offset: number): boolean {
  if (bytes[offset + 10] !== 255 || bytes[offset + 11] !== 255) return false;
  for (let i = 0; i < 10; i += 1) if (bytes[offset + i] !== 0) return false;
  return true;
}

/** Write a number below 10^9 with leading zeros. @returns where to go on */
function nineDigits(out: Uint8Array, at: number, value: number): number {
  let rest = value >>> 0;
  for (let place = at + 7; place > at; place -= 2) {
    const next = (rest / 100) >>> 0;
    const pair = (rest - next * 100) << 1;
    out[place] = decimalPairs[pair]!;
    out[place + 1] = decimalPairs[pair + 1]!;
    rest = next;
  }
  out[at] = 48 + rest;
  return at + 9;
}

/** Nobody reads these blocks any more: later rows may lie in their memory. */
export function recycleRows(blocks: readonly RowBlock[]): void {
  for (const { bytes } of blocks) arrays.giveBack(bytes);
}

const rank = ({ table }: RowWriter): number => (table === 'probe_stats' ? 1 : 0);

/** A partition's row writers, one per table, made when first used. */
export class RowSink {
  private readonly writers = new Map<TableName, RowWriter>();
  private enricher: Enricher | null;

  /** @param enricher what knows about addresses; null: nothing is known */
  constructor(enricher: Enricher | null = null) {
    this.enricher = enricher;
  }

  /** From now on rows say what this one knows. */
  enrich(enricher: Enricher): void {
    this.enricher = enricher;
    for (const writer of this.writers.values()) writer.enricher = enricher;
  }

  table(name: TableName): RowWriter {
    let writer = this.writers.get(name);
    if (!writer) {
      writer = new RowWriter(name, this.enricher);
      this.writers.set(name, writer);
    }
    return writer;
  }

  /** Bytes gathered in all tables. */
  get size(): number {
    let size = 0;
    for (const writer of this.writers.values()) size += writer.size;
    return size;
  }

  /**
   * All rows, a block per table that has any, the accounting table's last: what it has is in the store whole, also when the
   * stream's first flush brought accounting alone. The sink is empty afterwards.
   */
  take(): RowBlock[] {
    const filled = [...this.writers.values()].filter((writer) => writer.rows > 0);
    return filled.sort((a, b) => rank(a) - rank(b)).map((writer) => writer.take());
  }
}
