/**
 * TLS records (RFC 8446 section 5.1, RFC 5246 section 6.2) of one direction, and the ClientHello in them.
 *
 * Contract: bytes come in order, cut anywhere; missing ones are told by `skip`. The parser follows record borders to the
 * end of the connection (encrypted records keep their headers) and tells of each ClientHello. Nothing throws.
 * Limits: a ClientHello of 64 KiB, 16 ALPN names, names of 255 bytes.
 * `touched`: the bytes given since it was cleared held a record's beginning or end (or stood outside any record).
 */
import { Recognition } from './recognition.js';
import { asciiText, noBytes } from './text.js';

const recordHeaderBytes = 5;
/** 2^14 and the 2,048 that TLS 1.2 allows encryption to add (RFC 5246 section 6.2.3). */
const recordBytesMax = 16_384 + 2_048;
const helloBytesMax = 65_536;
const alpnMax = 16;
const nameCharactersMax = 255;
const typeHandshake = 22;
const handshakeClientHello = 1;

/** Could these be the first bytes of a TLS record? Returns Recognition. */
export function recognizeTls(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= 0) return Recognition.No;
  const type = bytes[start]!;
  if (type < 20 || type > 23) return Recognition.No;
  if (length > 1 && bytes[start + 1] !== 3) return Recognition.No;
  if (length > 2 && bytes[start + 2]! > 4) return Recognition.No;
  if (length > 3 && bytes[start + 3]! > recordBytesMax >> 8) return Recognition.No;
  if (length < recordHeaderBytes) return Recognition.Perhaps;
  const record = (bytes[start + 3]! << 8) | bytes[start + 4]!;
  // An alert is 2 bytes and a ChangeCipherSpec 1; encrypted alerts are longer, an empty record is only application data.
  if (record > recordBytesMax || (record === 0 && type !== 23)) return Recognition.No;
  return Recognition.Yes;
}

/** What a ClientHello asks for. */
export class ClientHello {
  /** server_name (RFC 6066 section 3), as sent; '' without one */
  serverName = '';
  /** ALPN protocol names (RFC 7301), in the client's order, without GREASE */
  alpn: string[] = [];
  /** highest version offered, 0x0304 = TLS 1.3 */
  version = 0;

  /** Name of the highest version offered, as Wireshark writes it. */
  get versionName(): string {
    return tlsVersionName(this.version);
  }
}

/** Name of a ProtocolVersion value. */
export function tlsVersionName(version: number): string {
  if (version === 0x0300) return 'SSL 3.0';
  if (version >= 0x0301 && version <= 0x0304) return `TLS 1.${version - 0x0301}`;
  return `0x${version.toString(16).padStart(4, '0')}`;
}

/** Values that clients send to keep servers from ossifying (RFC 8701). */
const isGrease = (value: number): boolean => (value & 0x0f0f) === 0x0a0a && value >>> 8 === (value & 0xff);

/**
 * Read the ClientHello body (RFC 8446 section 4.1.2: behind type and length) in bytes[at..end).
 * @returns false when its own lengths do not fit; then `hello` holds what was read before
 */
export function readClientHello(bytes: Uint8Array, at: number, end: number, hello: ClientHello): boolean {
  hello.serverName = '';
  hello.alpn = [];
  hello.version = 0;
  if (end - at < 2 + 32 + 1) return false;
  const legacy = (bytes[at]! << 8) | bytes[at + 1]!;
  if (legacy >>> 8 !== 3) return false;
  hello.version = legacy;
  at += 34;
  at += 1 + bytes[at]!; // session id
  if (at + 2 > end) return false;
  at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!); // cipher suites
  if (at + 1 > end) return false;
  at += 1 + bytes[at]!; // compression methods
  if (at === end) return true; // no extensions at all: SSL 3.0, TLS 1.0
  if (at + 2 > end) return false;
  const stop = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!);
  if (stop > end) return false;
  at += 2;
  while (at + 4 <= stop) {
    const type = (bytes[at]! << 8) | bytes[at + 1]!;
    const last = at + 4 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    at += 4;
    if (last > stop) return false;
    if (type === 0) readServerName(bytes, at, last, hello);
    else if (type === 16) readAlpn(bytes, at, last, hello);
    else if (type === 43) readVersions(bytes, at, last, hello);
    at = last;
  }
  return at === stop;
}

function readServerName(bytes: Uint8Array, at: number, end: number, hello: ClientHello): void {
  at += 2; // list length
  while (at + 3 <= end) {
    const type = bytes[at]!;
    const last = at + 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
    if (last > end) return;
    if (type === 0) {
      hello.serverName = asciiText(bytes, at + 3, last, nameCharactersMax);
      return;
    }
    at = last;
  }
}

function readAlpn(bytes: Uint8Array, at: number, end: number, hello: ClientHello): void {
  at += 2;
  while (at < end && hello.alpn.length < alpnMax) {
    const last = at + 1 + bytes[at]!;
    if (last > end) return;
    const grease = last - at === 3 && isGrease((bytes[at + 1]! << 8) | bytes[at + 2]!);
    if (!grease) hello.alpn.push(asciiText(bytes, at + 1, last, nameCharactersMax));
    at = last;
  }
}

function readVersions(bytes: Uint8Array, at: number, end: number, hello: ClientHello): void {
  let best = 0;
  for (at += 1; at + 2 <= end; at += 2) {
    const version = (bytes[at]! << 8) | bytes[at + 1]!;
    if (version > best && version >>> 8 === 3) best = version;
  }
  if (best > 0) hello.version = best;
}

export interface TlsHandler {
  /** A whole ClientHello; the object is the parser's and is overwritten by the next. */
  tlsClientHello(hello: ClientHello): void;
}

const State = { Header: 0, Body: 1, Lost: 2, Ended: 3 } as const;

export class TlsParser {
  /**
   * One lives for ever, with its ClientHello: else V8 forgets what they look like whenever it collects everything and finds none,
   * and throws away the code that was compiled for them.
   */
  static readonly kept = new TlsParser({ tlsClientHello: () => {} });

  /** a record header was read */
  confirmed = false;
  touched = false;
  /** ClientHellos that were cut by lost bytes, too large or malformed, and bytes where a record should begin */
  broken = 0;
  private readonly handler: TlsHandler;
  private readonly hello = new ClientHello();
  private state: number = State.Header;
  private readonly header = new Uint8Array(recordHeaderBytes);
  private headerHave = 0;
  private left = 0;
  private collecting = false;
  private greeted = false;
  private buffer = noBytes;
  private have = 0;

  constructor(handler: TlsHandler) {
    this.handler = handler;
  }

  /** Waiting for the start of a record after lost bytes? */
  get lost(): boolean {
    return this.state === State.Lost;
  }

  /**
   * Bytes still to come of the record at hand when nothing else is half-done (0: a record's header is next), else -1.
   * A parser that `resume`s with this number goes on as this one would.
   */
  get remaining(): number {
    if (this.collecting) return -1;
    if (this.state === State.Body) return this.left;
    return this.state === State.Header && this.headerHave === 0 ? 0 : -1;
  }

  /** Go on in a connection whose ClientHello was seen, `left` bytes before the next record. */
  resume(left: number): void {
    this.left = left;
    this.state = left > 0 ? State.Body : State.Header;
    this.confirmed = true;
    this.greeted = true;
  }

  /** The next bytes of the stream, one segment's. */
  data(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.state === State.Lost) {
      this.touched = true;
      if (recognizeTls(bytes, start, end) === Recognition.No) return;
      this.state = State.Header;
      this.headerHave = 0;
    }
    while (at < end) {
      if (this.state === State.Body) {
        const step = Math.min(this.left, end - at);
        if (this.collecting) this.collect(bytes, at, at + step);
        this.left -= step;
        at += step;
        if (this.left === 0) this.endRecord();
      } else if (this.state === State.Header) {
        this.touched = true;
        this.header[this.headerHave] = bytes[at]!;
        this.headerHave += 1;
        at += 1;
        if (this.headerHave === recordHeaderBytes) this.startRecord();
        else if (recognizeTls(this.header, 0, this.headerHave) === Recognition.No) this.lose();
      } else {
        return;
      }
    }
  }

  /** `length` bytes of the stream that nobody has. */
  skip(length: number): void {
    if (length <= 0 || this.state >= State.Lost) return;
    if (this.collecting) this.giveUpHello();
    if (this.state === State.Body && length <= this.left) {
      this.left -= length;
      if (this.left === 0) this.endRecord();
    } else {
      this.state = State.Lost;
    }
  }

  /** The peer sends nothing more. */
  close(_orderly: boolean): void {
    if (this.collecting) this.giveUpHello();
    this.state = State.Ended;
    this.buffer = noBytes;
  }

  private lose(): void {
    this.broken += 1;
    this.state = State.Lost;
    this.collecting = false;
    this.have = 0;
  }

  private endRecord(): void {
    this.touched = true;
    this.state = State.Header;
    this.headerHave = 0;
  }

  private startRecord(): void {
    const { header } = this;
    if (recognizeTls(header, 0, recordHeaderBytes) !== Recognition.Yes) {
      this.lose();
      return;
    }
    this.confirmed = true;
    this.left = (header[3]! << 8) | header[4]!;
    if (this.left === 0) {
      this.endRecord();
      return;
    }
    this.state = State.Body;
    // A handshake record may begin in the middle of a ClientHello that began in the record before.
    if (header[0] === typeHandshake) {
      if (!this.collecting) {
        this.collecting = true;
        this.have = 0;
      }
    } else if (this.collecting) {
      this.giveUpHello();
    }
  }

  private giveUpHello(): void {
    if (!this.greeted) this.broken += 1;
    this.collecting = false;
    this.have = 0;
  }

  /** Bytes of a handshake record's body. */
  private collect(bytes: Uint8Array, at: number, end: number): void {
    if (this.have === 0 && bytes[at] !== handshakeClientHello) {
      // Another handshake message, or an encrypted one: not of interest. Its whole record is passed over.
      this.collecting = false;
      return;
    }
    if (this.have === 0 && end - at >= 4 && helloLength(bytes, at) + 4 <= end - at) {
      this.readHello(bytes, at);
      return;
    }
    this.keep(bytes, at, Math.min(end - at, helloBytesMax + 4 - this.have));
    if (this.have < 4) return;
    const length = helloLength(this.buffer, 0);
    // After a ClientHello only one that is whole in its record counts: encrypted records look like anything.
    if (length > helloBytesMax || (this.greeted && length + 4 > this.recordLength())) this.giveUpHello();
    else if (length + 4 <= this.have) this.readHello(this.buffer, 0);
  }

  /** The whole ClientHello, type and length included, stands at `at`. */
  private readHello(bytes: Uint8Array, at: number): void {
    this.collecting = false;
    this.have = 0;
    this.buffer = noBytes;
    if (readClientHello(bytes, at + 4, at + 4 + helloLength(bytes, at), this.hello)) {
      this.greeted = true;
      this.handler.tlsClientHello(this.hello);
    } else if (!this.greeted) {
      this.broken += 1;
    }
  }

  private recordLength(): number {
    return (this.header[3]! << 8) | this.header[4]!;
  }

  private keep(bytes: Uint8Array, at: number, count: number): void {
    if (this.buffer.length < this.have + count) {
      const grown = new Uint8Array(Math.max(this.have + count, 2 * this.buffer.length, 1_024));
      grown.set(this.buffer.subarray(0, this.have));
      this.buffer = grown;
    }
    for (let i = 0; i < count; i += 1) this.buffer[this.have + i] = bytes[at + i]!;
    this.have += count;
  }
}

/** The 24 bits behind a handshake message's type. */
function helloLength(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
