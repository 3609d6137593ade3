/**
 * Rows as TabSeparated bytes, built in the worker that made them: numbers and addresses straight into a growing byte
 * array, no strings on the way. One RowWriter per table; columns are appended in the order of the table's definition.
 *
 * Rows come without the stamp (probe, epoch, partition, first_seq, last_seq): which stretch of the stream they belong to
 * is known at the flush, and the writer puts it before each (storage/clickhouse-writer.ts).
 */
import type { Enricher } from '../enrichment/index.js';
import { escapeTsv, tables } from '../tables/index.js';
import type { RowBlock, TableName } from '../tables/index.js';

const tab = 9;
const newline = 10;
const hexDigits = new TextEncoder().encode('0123456789abcdef');
const utf8 = new TextEncoder();
const placeColumns = 10;
/** Arrays up to this size stay with their writer. */
const smallBytes = 1 << 13;

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

  /** A 64-bit number in two halves. */
  number64(high: number, low: number): void {
    if (high === 0) return this.number(low >>> 0);
    const text = ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString();
    this.ascii(text);
    this.separate();
  }

  /** Any text; tabs, newlines, backslashes and NUL are escaped. */
  text(value: string): void {
    this.escaped(value, false);
    this.separate();
  }

  /** 16 address bytes in network order, as IPv6 text (eight groups, not shortened). */
  address(bytes: Uint8Array, offset: number): void {
    this.reserve(48);
    const out = this.bytes;
    let at = this.length;
    for (let i = 0; i < 16; i += 1) {
      const byte = bytes[offset + i]!;
      if (i > 0 && (i & 1) === 0) out[at++] = 58;
      out[at++] = hexDigits[byte >>> 4]!;
      out[at++] = hexDigits[byte & 15]!;
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
    let divisor = 100_000_000;
    let rest = nanoseconds;
    for (let i = 0; i < 9; i += 1) {
      const digit = Math.floor(rest / divisor);
      this.bytes[this.length++] = 48 + digit;
      rest -= digit * divisor;
      divisor = divisor >= 10 ? divisor / 10 : 1;
    }
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
    let rest = value;
    let places = 1;
    for (let limit = 10; limit <= rest; limit *= 10) places += 1;
    let at = this.length + places;
    this.length = at;
    while (rest > 0xffffffff) {
      const next = Math.floor(rest / 10);
      this.bytes[--at] = 48 + (rest - next * 10);
      rest = next;
    }
    rest >>>= 0;
    while (at > this.length - places) {
      const next = (rest / 10) >>> 0;
      this.bytes[--at] = 48 + (rest - next * 10);
      rest = next;
    }
  }

  private ascii(value: string): void {
    this.reserve(value.length);
    for (let i = 0; i < value.length; i += 1) this.bytes[this.length++] = value.charCodeAt(i);
  }

  private escaped(value: string, quoted: boolean): void {
    this.reserve(value.length * 6);
    let plain = true;
    for (let i = 0; i < value.length; i += 1) {
      const code = value.charCodeAt(i);
      if (code < 32 || code === 92 || code === 39 || code > 126) {
        plain = false;
        break;
      }
    }
    if (plain) {
      for (let i = 0; i < value.length; i += 1) this.bytes[this.length++] = value.charCodeAt(i);
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
    const grown = new Uint8Array(Math.max(wanted, next > smallBytes * 8 ? Math.max(next, this.expected) : next));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

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

  /** All rows, a block per table that has any; the sink is empty afterwards. */
  take(): RowBlock[] {
    return [...this.writers.values()].filter((writer) => writer.rows > 0).map((writer) => writer.take());
  }
}
