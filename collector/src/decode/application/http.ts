/**
 * HTTP/1.x (RFC 9112) of one direction of a connection, incrementally.
 *
 * Contract: bytes come in order, cut anywhere; bytes that are missing are told by `skip`. For each message the handler
 * hears `httpHead` when its head has been read and `httpEnd` when its body has ended (or cannot be followed). Requests
 * and responses are told apart by their first bytes, so it does not matter who is the client. Nothing throws.
 * Limits: a head of `headBytesMax`, header values as in `HttpMessage`.
 * After lost bytes or bytes that are no HTTP the parser waits for a segment that begins with a message; `touched` tells
 * whether the bytes given since it was cleared ended a message or stood outside any.
 */
import { Recognition } from './recognition.js';
import { asciiText, noBytes } from './text.js';

const headBytesMax = 65_536;
const hostCharactersMax = 255;
const targetCharactersMax = 2_048;
const userAgentCharactersMax = 512;
const contentTypeCharactersMax = 128;
const chunkLineBytesMax = 4_096;

const encode = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
/** Request methods of the IANA "HTTP Method Registry" and the UPnP and Microsoft ones that captures hold. */
const methods = (
  'GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK ' +
  'MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH PURGE QUERY REBIND ' +
  'REPORT SEARCH SUBSCRIBE UNSUBSCRIBE NOTIFY M-SEARCH POLL BCOPY BDELETE BMOVE BPROPFIND BPROPPATCH UNBIND UNCHECKOUT ' +
  'UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL RPC_IN_DATA RPC_OUT_DATA CCM_POST'
).split(' ');
const methodBytes = methods.map((method) => encode(`${method} `));
/** Methods (their indexes) by first letter, 0 = A. */
const methodsByLetter = Array.from({ length: 26 }, (_, letter) =>
  methods.flatMap((method, index) => (method.charCodeAt(0) === 65 + letter ? [index] : [])),
);
const responseStart = encode('HTTP/1.');
const versionStart = encode(' HTTP/1.');

const lf = 10;
const cr = 13;
const space = 32;

/** Does one of `patterns` stand at `at`; or could it, were there more bytes? */
function matchStart(bytes: Uint8Array, at: number, end: number, pattern: Uint8Array): number {
  const length = Math.min(pattern.length, end - at);
  for (let i = 0; i < length; i += 1) if (bytes[at + i] !== pattern[i]) return Recognition.No;
  return length === pattern.length ? Recognition.Yes : Recognition.Perhaps;
}

/** Index of the method at `at`, -1 = none, -2 = too few bytes to say. */
function methodAt(bytes: Uint8Array, at: number, end: number): number {
  let perhaps = -1;
  const letter = bytes[at]! - 65;
  if (letter < 0 || letter > 25) return -1;
  const candidates = methodsByLetter[letter]!;
  for (let i = 0; i < candidates.length; i += 1) {
    const match = matchStart(bytes, at, end, methodBytes[candidates[i]!]!);
    if (match === Recognition.Yes) return candidates[i]!;
    if (match === Recognition.Perhaps) perhaps = -2;
  }
  return perhaps;
}

/** Do the bytes look like the start of an HTTP/1.x message? Returns Recognition. */
export function recognizeHttp(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return Recognition.No;
  const response = matchStart(bytes, start, end, responseStart);
  if (response !== Recognition.No) return response;
  const method = methodAt(bytes, start, end);
  return method >= 0 ? Recognition.Yes : method === -2 ? Recognition.Perhaps : Recognition.No;
}

/** The message being read; one object per parser, overwritten by the next message. */
export class HttpMessage {
  isRequest = false;
  /** 9 for HTTP/0.9, 10, 11 */
  version = 11;
  /** of a request: as sent */
  method = '';
  /** of a request: origin form's path with query (RFC 9112 section 3.2), at most 2,048 characters */
  target = '';
  /** Host header, else the target's authority; at most 255 characters, case kept */
  host = '';
  userAgent = '';
  /** without parameters, lower case */
  contentType = '';
  /** of a response */
  status = 0;
  /** Content-Length, -1 = none */
  contentLength = -1;
  chunked = false;
  /** Connection: upgrade was named */
  upgrade = false;
  /** bytes of the message in the stream so far: head, body and chunk framing, captured or not */
  bytes = 0;
}

/** What the handler wants done with the body behind a head. */
export const HttpBody = {
  /** as the head says */
  Framed: 0,
  /** there is none: response to HEAD */
  None: 1,
  /** the connection is no HTTP any more after this message (CONNECT, Upgrade) */
  Ended: 2,
} as const;

export interface HttpHandler {
  /** A head has been read. Returns HttpBody. */
  httpHead(message: HttpMessage): number;
  /** The message is over. `complete` false: its end was not seen; bytes within it may be missing in either case. */
  httpEnd(message: HttpMessage, complete: boolean): void;
  /** The parser lost the thread: messages may be missing from here on. */
  httpLost(): void;
}

const State = {
  Head: 0,
  Body: 1,
  UntilClose: 2,
  ChunkSize: 3,
  ChunkData: 4,
  ChunkEnd: 5,
  Trailer: 6,
  /** bytes outside any message: wait for a segment that begins one */
  Lost: 7,
  /** no HTTP any more */
  Ended: 8,
} as const;

export class HttpParser {
  /** a first line was read and was HTTP's */
  confirmed = false;
  /** since it was cleared: a message ended in, or stood outside of any message were, bytes given to the parser */
  touched = false;
  /** heads larger than 64 KiB, lines that are no HTTP's, contradictory lengths */
  broken = 0;
  readonly message = new HttpMessage();

  private readonly handler: HttpHandler;
  private state: number = State.Head;
  /** the head, or a chunk's size line, gathered over segments */
  private buffer = noBytes;
  private have = 0;
  /** how far the head was searched for its end */
  private searched = 0;
  private firstLineEnd = -1;
  private bodyLeft = 0;
  private lineBytes = 0;
  private chunkSize = 0;
  private chunkDigits = 0;
  private chunkExtension = false;
  /** in the trailer: bytes on the current line */
  private trailerLine = 0;

  constructor(handler: HttpHandler) {
    this.handler = handler;
  }

  /** Between messages, nothing half-read? */
  get idle(): boolean {
    return this.state === State.Head && this.have === 0;
  }

  /** Bytes still to come of a body (or chunk) of known length; 0 outside one. */
  get bodyRemaining(): number {
    return this.state === State.Body || this.state === State.ChunkData ? this.bodyLeft : 0;
  }

  /** Waiting for the start of a message after lost bytes? */
  get lost(): boolean {
    return this.state === State.Lost;
  }

  get ended(): boolean {
    return this.state === State.Ended;
  }

  /** The next bytes of the stream, one segment's. */
  data(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.state === State.Lost) {
      if (recognizeHttp(bytes, start, end) === Recognition.No) {
        this.touched = true;
        return;
      }
      this.state = State.Head;
      this.have = 0;
      this.startHead();
    }
    while (at < end) {
      switch (this.state) {
        case State.Head:
          at = this.readHead(bytes, at, end);
          break;
        case State.Body:
        case State.ChunkData: {
          const step = Math.min(this.bodyLeft, end - at);
          this.advanceBody(step);
          at += step;
          break;
        }
        case State.UntilClose:
          this.message.bytes += end - at;
          return;
        case State.Lost:
          this.touched = true;
          return;
        case State.Ended:
          return;
        default:
          at = this.readChunkFraming(bytes, at, end);
      }
    }
  }

  /** `length` bytes of the stream that nobody has. */
  skip(length: number): void {
    while (length > 0) {
      if (this.state === State.Body || this.state === State.ChunkData) {
        const step = Math.min(this.bodyLeft, length);
        this.advanceBody(step);
        length -= step;
      } else if (this.state === State.UntilClose) {
        this.message.bytes += length;
        return;
      } else if (this.state === State.Lost || this.state === State.Ended) {
        return;
      } else {
        this.lose();
        return;
      }
    }
  }

  /**
   * The peer sends nothing more.
   * @param orderly by FIN, which ends a body of unknown length; else by RST, or the connection is given up
   */
  close(orderly: boolean): void {
    if (this.state === State.UntilClose) this.endMessage(orderly);
    else if (this.state !== State.Head && this.state !== State.Lost && this.state !== State.Ended) {
      this.endMessage(false);
    }
    this.state = State.Ended;
    this.buffer = noBytes;
    this.have = 0;
  }

  private lose(): void {
    const inBody = this.state !== State.Head;
    if (inBody) this.handler.httpEnd(this.message, false);
    this.state = State.Lost;
    this.have = 0;
    this.handler.httpLost();
  }

  private startHead(): void {
    this.have = 0;
    this.searched = 0;
    this.firstLineEnd = -1;
  }

  private endMessage(complete: boolean): void {
    this.touched = true;
    this.state = State.Head;
    this.startHead();
    this.handler.httpEnd(this.message, complete);
  }

  private advanceBody(step: number): void {
    this.bodyLeft -= step;
    this.message.bytes += step;
    if (this.bodyLeft > 0) return;
    if (this.state === State.ChunkData) {
      this.state = State.ChunkEnd;
      this.lineBytes = 0;
    } else {
      this.endMessage(true);
    }
  }

  /** Read head bytes from `at`; returns where to go on. */
  private readHead(bytes: Uint8Array, at: number, end: number): number {
    if (this.have === 0) {
      // Empty lines before a message are to be ignored (RFC 9112 section 2.2).
      while (at < end && (bytes[at] === cr || bytes[at] === lf)) at += 1;
      if (at === end) return at;
      this.startHead();
    }
    let source = bytes;
    let from = at;
    let stop = end;
    let before = 0;
    if (this.have > 0) {
      before = this.have;
      const room = headBytesMax - this.have;
      this.keep(bytes, at, Math.min(room, end - at));
      source = this.buffer;
      from = 0;
      stop = this.have;
    }
    const headEnd = this.findHeadEnd(source, from, stop);
    if (headEnd < 0) {
      if (headEnd === -2) {
        this.broken += 1;
        this.lose();
        this.touched = true;
        return end;
      }
      if (this.have === 0) this.keep(bytes, at, Math.min(headBytesMax, end - at));
      if (this.have >= headBytesMax) {
        this.broken += 1;
        this.lose();
        this.touched = true;
      }
      return end;
    }
    const consumed = headEnd - from - before;
    this.have = 0;
    this.parseHead(source, from, headEnd);
    return at + consumed;
  }

  /**
   * Offset behind the empty line that ends the head, -1 when it is not there yet, -2 when this is no HTTP. `searched`
   * and `firstLineEnd` count from the head's start.
   */
  private findHeadEnd(bytes: Uint8Array, from: number, end: number): number {
    if (this.firstLineEnd < 0) {
      if (recognizeHttp(bytes, from, end) === Recognition.No) return -2;
      let at = from + this.searched;
      while (at < end && bytes[at] !== lf) at += 1;
      this.searched = at - from;
      if (at === end) return -1;
      this.firstLineEnd = at - from;
      if (!this.parseFirstLine(bytes, from, at)) return -2;
    }
    let at = from + this.searched;
    // `at` is at a line end, or at bytes behind it that were too few to tell.
    while (at < end) {
      if (bytes[at] !== lf) {
        at += 1;
        continue;
      }
      if (at + 1 >= end) break;
      if (bytes[at + 1] === lf) return at + 2;
      if (bytes[at + 1] === cr) {
        if (at + 2 >= end) break;
        if (bytes[at + 2] === lf) return at + 3;
      }
      at += 1;
    }
    this.searched = at - from;
    return -1;
  }

  /** Request line or status line (RFC 9112 sections 3 and 4) in bytes[from..end), end at its line feed. */
  private parseFirstLine(bytes: Uint8Array, from: number, end: number): boolean {
    const { message } = this;
    if (end > from && bytes[end - 1] === cr) end -= 1;
    message.method = '';
    message.target = '';
    message.host = '';
    message.userAgent = '';
    message.contentType = '';
    message.status = 0;
    message.contentLength = -1;
    message.chunked = false;
    message.upgrade = false;
    message.bytes = 0;
    if (matchStart(bytes, from, end, responseStart) === Recognition.Yes) {
      // HTTP/1.x SP three digits
      if (end - from < 12 || bytes[from + 8] !== space) return false;
      let status = 0;
      for (let i = 9; i < 12; i += 1) {
        const digit = bytes[from + i]! - 48;
        if (digit < 0 || digit > 9) return false;
        status = status * 10 + digit;
      }
      if (end - from > 12 && bytes[from + 12] !== space) return false;
      message.isRequest = false;
      message.status = status;
      message.version = bytes[from + 7] === 48 ? 10 : 11;
      this.confirmed = true;
      return true;
    }
    const method = methodAt(bytes, from, end);
    if (method < 0) return false;
    message.isRequest = true;
    message.method = methods[method]!;
    let targetStart = from + methodBytes[method]!.length;
    while (targetStart < end && bytes[targetStart] === space) targetStart += 1;
    let targetEnd = end;
    while (targetEnd > targetStart && bytes[targetEnd - 1] === space) targetEnd -= 1;
    const versionAt = targetEnd - versionStart.length - 1;
    if (versionAt >= targetStart && matchStart(bytes, versionAt, targetEnd, versionStart) === Recognition.Yes) {
      const minor = bytes[targetEnd - 1]!;
      if (minor < 48 || minor > 57) return false;
      message.version = minor === 48 ? 10 : 11;
      targetEnd = versionAt;
    } else {
      // HTTP/0.9 knew only GET and a path; anything else without a version is another protocol (SIP, RTSP, ICAP).
      if (message.method !== 'GET' || bytes[targetStart] !== 47) return false;
      for (let at = targetStart; at < targetEnd; at += 1) if (bytes[at]! <= space) return false;
      message.version = 9;
    }
    this.readTarget(bytes, targetStart, targetEnd);
    // A line of HTTP/0.9 says too little; the empty line behind it, which clients send and tshark wants, decides.
    if (message.version !== 9) this.confirmed = true;
    return true;
  }

  private readTarget(bytes: Uint8Array, start: number, end: number): void {
    const { message } = this;
    if (message.method === 'CONNECT') {
      message.host = asciiText(bytes, start, end, hostCharactersMax);
      message.target = message.host;
      return;
    }
    if (bytes[start] !== 47) {
      // Absolute form: scheme://authority/path
      let at = start;
      while (at < end && at - start < 16 && bytes[at] !== 58) at += 1;
      if (at + 2 < end && bytes[at] === 58 && bytes[at + 1] === 47 && bytes[at + 2] === 47) {
        const authority = at + 3;
        at = authority;
        while (at < end && bytes[at] !== 47 && bytes[at] !== 63) at += 1;
        message.host = asciiText(bytes, authority, at, hostCharactersMax);
        message.target = at < end ? asciiText(bytes, at, end, targetCharactersMax) : '/';
        return;
      }
    }
    message.target = asciiText(bytes, start, end, targetCharactersMax);
  }

  private parseHead(bytes: Uint8Array, from: number, headEnd: number): void {
    const { message } = this;
    this.confirmed = true;
    message.bytes = headEnd - from;
    let lineStart = from + this.firstLineEnd + 1;
    let lengthConflict = false;
    let otherCoding = false;
    while (lineStart < headEnd) {
      let at = lineStart;
      while (at < headEnd && bytes[at] !== lf) at += 1;
      let lineEnd = at > lineStart && bytes[at - 1] === cr ? at - 1 : at;
      const next = at + 1;
      let colon = lineStart;
      while (colon < lineEnd && bytes[colon] !== 58) colon += 1;
      if (colon < lineEnd) {
        let valueStart = colon + 1;
        while (valueStart < lineEnd && isBlank(bytes[valueStart]!)) valueStart += 1;
        while (lineEnd > valueStart && isBlank(bytes[lineEnd - 1]!)) lineEnd -= 1;
        switch (headerAt(bytes, lineStart, colon)) {
          case Header.Host:
            message.host = asciiText(bytes, valueStart, lineEnd, hostCharactersMax);
            break;
          case Header.UserAgent:
            message.userAgent = asciiText(bytes, valueStart, lineEnd, userAgentCharactersMax);
            break;
          case Header.ContentType: {
            let stop = valueStart;
            while (stop < lineEnd && bytes[stop] !== 59 && !isBlank(bytes[stop]!)) stop += 1;
            message.contentType = asciiText(bytes, valueStart, stop, contentTypeCharactersMax).toLowerCase();
            break;
          }
          case Header.ContentLength: {
            const length = contentLengthValue(bytes, valueStart, lineEnd);
            if (length < 0 || (message.contentLength >= 0 && message.contentLength !== length)) lengthConflict = true;
            message.contentLength = length;
            break;
          }
          case Header.TransferEncoding:
            // The last coding rules (RFC 9112 section 6.3).
            message.chunked = endsWithToken(bytes, valueStart, lineEnd, chunkedToken);
            otherCoding = !message.chunked;
            break;
          case Header.Connection:
            if (hasToken(bytes, valueStart, lineEnd, upgradeToken)) message.upgrade = true;
            break;
          default:
        }
      }
      lineStart = next;
    }
    this.frameBody(this.handler.httpHead(message), lengthConflict, otherCoding);
  }

  /** Where does the message end? RFC 9112 section 6.3, in its order. */
  private frameBody(wish: number, lengthConflict: boolean, otherCoding: boolean): void {
    const { message } = this;
    this.state = State.Body;
    this.bodyLeft = 0;
    const { status } = message;
    if (wish === HttpBody.Ended) {
      this.endMessage(true);
      this.state = State.Ended;
      return;
    }
    const bodyless = !message.isRequest && (status < 200 || status === 204 || status === 304);
    if (wish === HttpBody.None || bodyless || message.version === 9) {
      this.endMessage(true);
    } else if (message.chunked) {
      this.startChunk();
    } else if (otherCoding && !message.isRequest) {
      this.state = State.UntilClose;
    } else if (lengthConflict || otherCoding) {
      // Nobody can say where this message ends.
      this.broken += 1;
      this.endMessage(false);
      this.state = State.Lost;
      this.handler.httpLost();
    } else if (message.contentLength > 0) {
      this.bodyLeft = message.contentLength;
    } else if (message.contentLength === 0 || message.isRequest) {
      this.endMessage(true);
    } else {
      this.state = State.UntilClose;
    }
  }

  private startChunk(): void {
    this.state = State.ChunkSize;
    this.chunkSize = 0;
    this.chunkDigits = 0;
    this.chunkExtension = false;
    this.lineBytes = 0;
  }

  /** Size lines, line ends behind chunks, and trailers (RFC 9112 section 7.1), byte by byte. */
  private readChunkFraming(bytes: Uint8Array, at: number, end: number): number {
    while (at < end) {
      const byte = bytes[at]!;
      at += 1;
      this.message.bytes += 1;
      this.lineBytes += 1;
      if (this.lineBytes > chunkLineBytesMax) return this.breakChunks(end);
      if (this.state === State.ChunkSize) {
        if (byte === lf) {
          if (this.chunkDigits === 0) return this.breakChunks(end);
          this.lineBytes = 0;
          if (this.chunkSize === 0) {
            this.state = State.Trailer;
            this.trailerLine = 0;
            continue;
          }
          this.state = State.ChunkData;
          this.bodyLeft = this.chunkSize;
          return at;
        }
        if (this.chunkExtension || byte === cr) continue;
        const digit = hexValue(byte);
        if (digit >= 0) {
          this.chunkSize = this.chunkSize * 16 + digit;
          this.chunkDigits += 1;
          if (this.chunkDigits > 12) return this.breakChunks(end);
        } else if (byte === 59 || isBlank(byte)) {
          this.chunkExtension = true;
        } else {
          return this.breakChunks(end);
        }
      } else if (this.state === State.ChunkEnd) {
        if (byte === lf) {
          this.startChunk();
        } else if (byte !== cr) {
          return this.breakChunks(end);
        }
      } else {
        if (byte === lf) {
          if (this.trailerLine === 0) {
            this.endMessage(true);
            return at;
          }
          this.trailerLine = 0;
        } else if (byte !== cr) {
          this.trailerLine += 1;
        }
      }
    }
    return at;
  }

  private breakChunks(end: number): number {
    this.broken += 1;
    this.lose();
    this.touched = true;
    return end;
  }

  private keep(bytes: Uint8Array, at: number, count: number): void {
    if (this.buffer.length < this.have + count) {
      const grown = new Uint8Array(Math.min(headBytesMax, Math.max(this.have + count, 2 * this.buffer.length, 1_024)));
      grown.set(this.buffer.subarray(0, this.have));
      this.buffer = grown;
    }
    for (let i = 0; i < count; i += 1) this.buffer[this.have + i] = bytes[at + i]!;
    this.have += count;
  }
}

const Header = {
  None: -1,
  Host: 0,
  UserAgent: 1,
  ContentType: 2,
  ContentLength: 3,
  TransferEncoding: 4,
  Connection: 5,
} as const;
/** Index = Header value. */
const headerNames = ['host', 'user-agent', 'content-type', 'content-length', 'transfer-encoding', 'connection'].map(
  encode,
);
const chunkedToken = encode('chunked');
const upgradeToken = encode('upgrade');

const isBlank = (byte: number): boolean => byte === 32 || byte === 9;
const lower = (byte: number): number => (byte >= 65 && byte <= 90 ? byte + 32 : byte);

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = lower(byte);
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function equalsFold(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i += 1) if (lower(bytes[start + i]!) !== name[i]) return false;
  return true;
}

function headerAt(bytes: Uint8Array, start: number, colon: number): number {
  // A blank before the colon is a known way to smuggle a header past one of two readers; it is no name.
  const length = colon - start;
  if (length < 4 || length > 17) return Header.None;
  for (let i = 0; i < headerNames.length; i += 1) if (equalsFold(bytes, start, colon, headerNames[i]!)) return i;
  return Header.None;
}

/** Content-Length: digits, or the same digits again behind commas; -1 when it is neither or beyond 2^53. */
function contentLengthValue(bytes: Uint8Array, start: number, end: number): number {
  let value = -1;
  let at = start;
  do {
    let part = 0;
    let digits = 0;
    while (at < end && isBlank(bytes[at]!)) at += 1;
    for (; at < end && bytes[at]! >= 48 && bytes[at]! <= 57; at += 1) {
      part = part * 10 + bytes[at]! - 48;
      digits += 1;
    }
    while (at < end && isBlank(bytes[at]!)) at += 1;
    if (digits === 0 || part > Number.MAX_SAFE_INTEGER || (at < end && bytes[at] !== 44)) return -1;
    if (value >= 0 && value !== part) return -1;
    value = part;
    at += 1;
  } while (at <= end);
  return value;
}

/** Is the last of the comma-separated tokens this one? */
function endsWithToken(bytes: Uint8Array, start: number, end: number, token: Uint8Array): boolean {
  let at = end;
  while (at > start && bytes[at - 1] !== 44) at -= 1;
  while (at < end && isBlank(bytes[at]!)) at += 1;
  return equalsFold(bytes, at, end, token);
}

/** Is one of the comma-separated tokens this one? */
function hasToken(bytes: Uint8Array, start: number, end: number, token: Uint8Array): boolean {
  let at = start;
  while (at < end) {
    let stop = at;
    while (stop < end && bytes[stop] !== 44) stop += 1;
    let first = at;
    let last = stop;
    while (first < last && isBlank(bytes[first]!)) first += 1;
    while (last > first && isBlank(bytes[last - 1]!)) last -= 1;
    if (equalsFold(bytes, first, last, token)) return true;
    at = stop + 1;
  }
  return false;
}
