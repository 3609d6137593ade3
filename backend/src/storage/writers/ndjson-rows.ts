/**
 * Row blocks as NDJSON: one object a line, the stamp's columns first, typed as docs/storage.md ("Other writers") says.
 *
 * From bytes to bytes, no object a row. ClickHouse's escapes inside a text are nearly JSON's own (`\t`, `\n`, `\r`, `\b`,
 * `\f`, `\\`); only `\'` and `\0` differ, and quotes and other control characters, which ClickHouse leaves as they are.
 */
import { tables } from '../../tables/index.js';
import type { Flush, RowBlock, TableName } from '../../tables/index.js';

export type Stamp = Pick<Flush, 'probe' | 'epoch' | 'partition' | 'firstSeq' | 'lastSeq'>;

const tab = 9;
const newline = 10;
const quote = 34;
const apostrophe = 39;
const backslash = 92;
const letterU = 117;
const digit0 = 48;
/** Digits of 2^53: JSON readers that use doubles are exact up to it. */
const exactMax = '9007199254740992';
/** What one byte of a field can become (`\u0000`), and what a converted time or address takes at most. */
const growth = 6;
const convertedMax = 64;
/** Addresses of one call that are remembered as text. */
const addressesMax = 4_096;

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An identifier (flow_id) is no amount: text always, so that its type does not change from row to row. */
type Kind = 'number' | 'amount' | 'identifier' | 'text' | 'address' | 'time' | 'numbers' | 'texts' | 'map';

function kindOf(name: string, type: string): Kind {
  if (name === 'flow_id') return 'identifier';
  if (type === 'UInt64') return 'amount';
  if (type.startsWith('UInt')) return 'number';
  if (type === 'IPv6') return 'address';
  if (type.startsWith('DateTime')) return 'time';
  if (type.startsWith('Map(')) return 'map';
  if (type === 'Array(String)') return 'texts';
  return type.startsWith('Array(') ? 'numbers' : 'text';
}

interface Column {
  /** `,"name":` */
  readonly key: Uint8Array;
  readonly kind: Kind;
}

const columnsOf = new Map<TableName, readonly Column[]>();
function tableColumns(table: TableName): readonly Column[] {
  let known = columnsOf.get(table);
  if (!known) {
    known = tables[table].rowColumns.map(({ name, type }) => ({ key: ascii(`,"${name}":`), kind: kindOf(name, type) }));
    columnsOf.set(table, known);
  }
  return known;
}

const amount = (value: number | bigint): string => (BigInt(value) > BigInt(exactMax) ? `"${value}"` : String(value));

/** The leading columns of every row of a flush, with the object's opening brace. */
function stampText({ probe, epoch, partition, firstSeq, lastSeq }: Stamp): Uint8Array {
  return ascii(
    `{"probe":${JSON.stringify(probe)},"epoch":"${epoch}","partition":${partition},` +
      `"first_seq":${amount(firstSeq)},"last_seq":${amount(lastSeq)}`,
  );
}

/** IPv6 text of eight groups (or any other form) as RFC 5952 says; IPv4-mapped addresses dotted. */
export function plainAddress(text: string): string {
  // The platform's own serialiser (WHATWG URL) writes RFC 5952: longest run of zero groups, lower case.
  const host = URL.canParse(`http://[${text}]`) ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text;
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (!mapped) return host;
  const [high, low] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)];
  return `${high >>> 8}.${high & 255}.${low >>> 8}.${low & 255}`;
}

/** Lines of one call: a growing byte array that is handed out and begun anew. */
class Lines {
  private bytes = new Uint8Array(1 << 16);
  length = 0;
  private lastSecond = -1;
  private lastSecondText: Uint8Array = new Uint8Array();
  private readonly addresses = new Map<string, Uint8Array>();
  private readonly decoder = new TextDecoder('latin1');

  /** What is there; it holds until the next write. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    this.length = 0;
    return taken;
  }

  reserve(bytes: number): void {
    const wanted = this.length + bytes;
    if (wanted <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** Byte by byte: for some twenty of them a call of `set` costs more. */
  copy(from: Uint8Array, start = 0, end = from.length): void {
    const out = this.bytes;
    let at = this.length;
    for (let i = start; i < end; i += 1) out[at++] = from[i]!;
    this.length = at;
  }

  field(kind: Kind, from: Uint8Array, start: number, end: number): void {
    switch (kind) {
      case 'number':
        return this.copy(from, start, end);
      case 'amount':
        return this.amount(from, start, end);
      case 'identifier':
        return this.quoted(from, start, end);
      case 'text':
        return this.text(from, start, end);
      case 'address':
        return this.address(from, start, end);
      case 'time':
        return this.time(from, start, end);
      case 'numbers':
        return this.list(from, start, end);
      case 'texts':
      case 'map':
        return this.nested(from, start, end);
    }
  }

  private quoted(from: Uint8Array, start: number, end: number): void {
    this.byte(quote);
    this.copy(from, start, end);
    this.byte(quote);
  }

  private amount(from: Uint8Array, start: number, end: number): void {
    const digits = end - start;
    const exact =
      digits < exactMax.length ||
      (digits === exactMax.length && this.decoder.decode(from.subarray(start, end)) <= exactMax);
    if (exact) this.copy(from, start, end);
    else this.quoted(from, start, end);
  }

  private text(from: Uint8Array, start: number, end: number): void {
    this.byte(quote);
    for (let i = start; i < end; i += 1) i = this.character(from, i);
    this.byte(quote);
  }

  /** One character of a text, in ClickHouse's escapes. @returns where it ends */
  private character(from: Uint8Array, at: number): number {
    const byte = from[at]!;
    if (byte === backslash) {
      const escaped = from[at + 1]!;
      if (escaped === apostrophe) this.byte(apostrophe);
      else if (escaped === digit0) this.control(0);
      else {
        this.byte(backslash);
        this.byte(escaped);
      }
      return at + 1;
    }
    if (byte === quote) {
      this.byte(backslash);
      this.byte(quote);
    } else if (byte < 32) this.control(byte);
    else this.byte(byte);
    return at;
  }

  private control(code: number): void {
    this.byte(backslash);
    this.byte(letterU);
    for (const character of code.toString(16).padStart(4, '0')) this.byte(character.charCodeAt(0));
  }

  private address(from: Uint8Array, start: number, end: number): void {
    const text = this.decoder.decode(from.subarray(start, end));
    let plain = this.addresses.get(text);
    if (!plain) {
      plain = ascii(`"${plainAddress(text)}"`);
      if (this.addresses.size >= addressesMax) this.addresses.clear();
      this.addresses.set(text, plain);
    }
    this.copy(plain);
  }

  /** Seconds, or seconds.nanoseconds, as RFC 3339 in UTC. */
  private time(from: Uint8Array, start: number, end: number): void {
    let seconds = 0;
    let at = start;
    for (; at < end && from[at] !== 46; at += 1) seconds = seconds * 10 + (from[at]! - digit0);
    if (seconds !== this.lastSecond) {
      this.lastSecond = seconds;
      this.lastSecondText = ascii(`"${new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length)}`);
    }
    this.copy(this.lastSecondText);
    this.copy(from, at, end);
    this.byte(90);
    this.byte(quote);
  }

  /** `[1,2]` is JSON already; elements of 64 bits may be too large. */
  private list(from: Uint8Array, start: number, end: number): void {
    let first = start + 1;
    this.byte(from[start]!);
    for (let at = first; at < end; at += 1) {
      const byte = from[at]!;
      if (byte >= digit0 && byte <= digit0 + 9) continue;
      if (at > first) this.amount(from, first, at);
      this.byte(byte);
      first = at + 1;
    }
  }

  /** Arrays of text and maps of text to numbers: apostrophes around the texts become quotes. */
  private nested(from: Uint8Array, start: number, end: number): void {
    let inside = false;
    let number = -1;
    for (let at = start; at < end; at += 1) {
      const byte = from[at]!;
      if (inside) {
        if (byte === apostrophe) {
          inside = false;
          this.byte(quote);
        } else at = this.character(from, at);
        continue;
      }
      if (byte >= digit0 && byte <= digit0 + 9) {
        if (number < 0) number = at;
        continue;
      }
      if (number >= 0) this.amount(from, number, at);
      number = -1;
      inside = byte === apostrophe;
      this.byte(inside ? quote : byte);
    }
  }
}

/**
 * The rows of a block as NDJSON, in pieces of about `pieceBytes` that end with a line.
 * @returns pieces that each hold until the next is asked for
 */
export function* ndjsonPieces(block: RowBlock, stamp: Stamp, pieceBytes = 1 << 18): Generator<Uint8Array> {
  const columns = tableColumns(block.table);
  const head = stampText(stamp);
  const { bytes } = block;
  const lines = new Lines();
  for (let at = 0; at < bytes.length;) {
    lines.reserve(head.length);
    lines.copy(head);
    for (const { key, kind } of columns) {
      let end = at;
      while (end < bytes.length && bytes[end] !== tab && bytes[end] !== newline) end += 1;
      lines.reserve(key.length + (end - at) * growth + convertedMax);
      lines.copy(key);
      lines.field(kind, bytes, at, end);
      at = end + 1;
    }
    if (bytes[at - 1] !== newline) throw new Error(`${block.table}: a row that does not have the table's columns`);
    lines.reserve(2);
    lines.byte(125);
    lines.byte(newline);
    if (lines.length >= pieceBytes) yield lines.take();
  }
  if (lines.length > 0) yield lines.take();
}
