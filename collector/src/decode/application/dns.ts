/**
 * One DNS message (RFC 1035 section 4; also mDNS, RFC 6762, and LLMNR, RFC 4795, which share its format) from bytes.
 *
 * Contract: `parse` reads the header and the questions into a reused object and returns a reason code; it never throws
 * and never reads outside start..end. A message whose header could be read counts as a message whatever the reason.
 * Answers and the EDNS response code cost more and are read on demand, while the bytes are still there.
 * Limits: `questionsMax` questions, `pointersMax` compression pointers and 255 octets a name (RFC 1035 section 2.3.4).
 */
import { dnsTypeName } from './dns-names.js';
import { NameCache } from './name-cache.js';
import { noBytes, utf8CodePoint, utf8SequenceLength } from './text.js';

/** Why reading of a message stopped; 0 = read whole. */
export const DnsReason = {
  None: 0,
  /** fewer than 12 bytes: not a message at all */
  HeaderCut: 1,
  /** the bytes end inside a question or record */
  Cut: 2,
  /** a name longer than 255 octets, or whose pointers loop, point forward or are too many */
  BadName: 3,
  /** more questions than questionsMax: the first ones were read */
  TooManyQuestions: 4,
} as const;

const headerBytes = 12;
/** mDNS queries carry dozens of questions in one message at most; a 64 KiB message could claim 13,000. */
const questionsMax = 64;
const pointersMax = 64;
const nameOctetsMax = 255;
const answerCharactersMax = 512;
const typeOpt = 41;

/** Names read last. */
const names = new NameCache();

export class DnsMessage {
  id = 0;
  /** the 16 flag bits of the header */
  flags = 0;
  isResponse = false;
  opcode = 0;
  questionCount = 0;
  answerCount = 0;
  authorityCount = 0;
  additionalCount = 0;
  /** questions that could be read whole; the arrays below are valid up to it */
  questionsRead = 0;
  readonly questionNames: string[] = [];
  readonly questionTypes: number[] = [];
  readonly questionClasses: number[] = [];
  /** 0 .. questionSlots - 1: names that come again mostly have the same number as the last time, other names seldom; -1: none */
  readonly questionSlots: number[] = [];

  private bytes: Uint8Array = noBytes;
  private start = 0;
  private end = 0;
  private recordsAt = 0;
  private utf8 = false;
  private reason: number = DnsReason.None;
  /** where the name read last ended in the message */
  private nameEnd = 0;
  private nameSlot = -1;

  /**
   * Read header and questions of the message in bytes[start..end).
   * @param utf8 names may hold UTF-8 (mDNS: RFC 6762 section 16, LLMNR: RFC 4795 section 2.1), else octets above 126
   *   become \ddd
   * @returns DnsReason; with HeaderCut the other fields are those of no message
   */
  parse(bytes: Uint8Array, start: number, end: number, utf8 = false): number {
    this.questionsRead = 0;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.utf8 = utf8;
    if (end - start < headerBytes) return (this.reason = DnsReason.HeaderCut);
    this.id = this.word(start);
    this.flags = this.word(start + 2);
    this.isResponse = (this.flags & 0x8000) !== 0;
    this.opcode = (this.flags >>> 11) & 15;
    this.questionCount = this.word(start + 4);
    this.answerCount = this.word(start + 6);
    this.authorityCount = this.word(start + 8);
    this.additionalCount = this.word(start + 10);
    this.recordsAt = start + headerBytes;
    return (this.reason = this.readQuestions());
  }

  /** Name of the first question; '' when there is none that can be read. */
  get name(): string {
    return this.questionsRead > 0 ? this.questionNames[0]! : '';
  }

  /** Type of the first question; 0 when there is none. */
  get type(): number {
    return this.questionsRead > 0 ? this.questionTypes[0]! : 0;
  }

  /** Response code: the header's four bits and the eight of an OPT record (RFC 6891 section 6.1.3) when there is one. */
  rcode(): number {
    const low = this.flags & 15;
    if (this.additionalCount === 0 || this.reason !== DnsReason.None) return low;
    let at = this.recordsAt;
    const before = this.answerCount + this.authorityCount;
    const total = before + this.additionalCount;
    for (let i = 0; i < total; i += 1) {
      at = this.skipName(at);
      if (at < 0 || at + 10 > this.end) return low;
      // The root name, so that a mangled record of another section is not taken for OPT.
      if (i >= before && this.word(at) === typeOpt) return (this.bytes[at + 4]! << 4) | low;
      at += 10 + this.word(at + 8);
    }
    return low;
  }

  /**
   * The answer section's data as text, one entry a record: addresses, names, `10 mail.example.` for MX ...; types
   * without a text form of their own as `DNSKEY 256 bytes`.
   * @param answersMax records beyond this many are left out
   */
  answers(answersMax: number): string[] {
    const texts: string[] = [];
    if (this.reason !== DnsReason.None) return texts;
    let at = this.recordsAt;
    for (let i = 0; i < this.answerCount && i < answersMax; i += 1) {
      at = this.skipName(at);
      if (at < 0 || at + 10 > this.end) break;
      const type = this.word(at);
      const length = this.word(at + 8);
      at += 10;
      if (at + length > this.end) break;
      texts.push(this.recordText(type, at, at + length).slice(0, answerCharactersMax));
      at += length;
    }
    return texts;
  }

  private readQuestions(): number {
    let at = this.recordsAt;
    const wanted = Math.min(this.questionCount, questionsMax);
    for (let i = 0; i < wanted; i += 1) {
      const name = this.questionName(at);
      if (name === undefined) return this.nameEnd < 0 ? DnsReason.BadName : DnsReason.Cut;
      at = this.nameEnd;
      if (at + 4 > this.end) return DnsReason.Cut;
      this.questionNames[i] = name;
      this.questionSlots[i] = this.nameSlot;
      this.questionTypes[i] = this.word(at);
      // The top bit asks for a unicast answer in mDNS (RFC 6762 section 5.4).
      this.questionClasses[i] = this.utf8 ? this.word(at + 2) & 0x7fff : this.word(at + 2);
      this.questionsRead = i + 1;
      at += 4;
    }
    this.recordsAt = at;
    return wanted < this.questionCount ? DnsReason.TooManyQuestions : DnsReason.None;
  }

  /** `readName` for questions: the same few names come again and again, so that most need no new text. */
  private questionName(at: number): string | undefined {
    const { bytes, utf8 } = this;
    this.nameSlot = -1;
    const stop = names.endOf(bytes, at, this.end);
    if (stop < 0) return this.readName(at, this.end);
    const slot = names.slotOf(bytes, at, stop, utf8);
    this.nameSlot = slot;
    const known = names.read(slot, at, stop, utf8);
    if (known !== undefined) {
      this.nameEnd = stop;
      return known;
    }
    const name = this.readName(at, this.end);
    if (name !== undefined) names.write(slot, at, stop, utf8, name);
    return name;
  }

  private word(at: number): number {
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  private long(at: number): number {
    return ((this.word(at) << 16) | this.word(at + 2)) >>> 0;
  }

  /** Offset behind the name at `at`, or -1 when it runs out of the message. */
  private skipName(at: number): number {
    const { bytes, end } = this;
    while (at < end) {
      const length = bytes[at]!;
      if (length === 0) return at + 1;
      if (length >= 0xc0) return at + 2 <= end ? at + 2 : -1;
      if (length >= 0x40) return -1;
      at += 1 + length;
    }
    return -1;
  }

  /**
   * The name at `at` as RFC 1035 section 5.1 writes it: no dot at the end but for the root ('.'), dots and backslashes
   * inside labels escaped. Sets nameEnd to where it ends (-1: malformed). undefined when it cannot be read.
   * @param limit where the name's own bytes must end; pointers may go anywhere before themselves
   */
  private readName(at: number, limit: number): string | undefined {
    const { bytes, start } = this;
    let text = '';
    let octets = 1;
    let pointers = 0;
    let jumped = false;
    let bound = limit;
    this.nameEnd = 0;
    for (;;) {
      if (at >= bound) return undefined;
      const length = bytes[at]!;
      if (length === 0) {
        if (!jumped) this.nameEnd = at + 1;
        return text === '' ? '.' : text;
      }
      if (length >= 0xc0) {
        if (at + 2 > bound) return undefined;
        const target = start + (((length & 0x3f) << 8) | bytes[at + 1]!);
        pointers += 1;
        if (!jumped) this.nameEnd = at + 2;
        // A pointer goes back ("a prior occurance", RFC 1035 section 4.1.4), which alone rules out loops.
        if (target >= at || target < start + headerBytes || pointers > pointersMax) {
          this.nameEnd = -1;
          return undefined;
        }
        jumped = true;
        bound = this.end;
        at = target;
        continue;
      }
      octets += 1 + length;
      if (length >= 0x40 || octets > nameOctetsMax) {
        this.nameEnd = -1;
        return undefined;
      }
      if (at + 1 + length > bound) return undefined;
      if (text !== '') text += '.';
      text += this.labelText(at + 1, at + 1 + length);
      at += 1 + length;
    }
  }

  private labelText(at: number, end: number): string {
    const { bytes } = this;
    let text = '';
    while (at < end) {
      const byte = bytes[at]!;
      if (byte > 126 && this.utf8) {
        const length = byte > 127 ? utf8SequenceLength(bytes, at, end) : 0;
        const point = length > 0 ? utf8CodePoint(bytes, at, length) : 0;
        // U+0080..U+009F are control characters.
        if (point >= 0xa0) {
          text += String.fromCodePoint(point);
          at += length;
          continue;
        }
      }
      if (byte === 46 || byte === 92) text += `\\${String.fromCharCode(byte)}`;
      else if (byte < 32 || byte > 126) text += `\\${String(byte).padStart(3, '0')}`;
      else text += String.fromCharCode(byte);
      at += 1;
    }
    return text;
  }

  private recordText(type: number, at: number, end: number): string {
    const { bytes } = this;
    const length = end - at;
    switch (type) {
      case 1:
        return length === 4
          ? `${bytes[at]!}.${bytes[at + 1]!}.${bytes[at + 2]!}.${bytes[at + 3]!}`
          : unreadRecord(type, length);
      case 28:
        return length === 16 ? ipv6Text(bytes, at) : unreadRecord(type, length);
      case 2:
      case 5:
      case 12:
      case 39:
        return this.readName(at, end) ?? unreadRecord(type, length);
      case 15: {
        const name = length > 2 ? this.readName(at + 2, end) : undefined;
        return name === undefined ? unreadRecord(type, length) : `${this.word(at)} ${name}`;
      }
      case 33: {
        const name = length > 6 ? this.readName(at + 6, end) : undefined;
        return name === undefined
          ? unreadRecord(type, length)
          : `${this.word(at)} ${this.word(at + 2)} ${this.word(at + 4)} ${name}`;
      }
      case 16:
      case 99:
        return this.stringsText(at, end);
      case 6: {
        const primary = this.readName(at, end);
        const rest = this.nameEnd;
        const mailbox = primary === undefined ? undefined : this.readName(rest, end);
        const numbers = this.nameEnd;
        if (primary === undefined || mailbox === undefined || numbers + 20 > end) return unreadRecord(type, length);
        const times = [0, 4, 8, 12, 16].map((offset) => this.long(numbers + offset));
        return `${primary} ${mailbox} ${times.join(' ')}`;
      }
      case 64:
      case 65:
        return this.serviceText(at, end) ?? unreadRecord(type, length);
      default:
        return unreadRecord(type, length);
    }
  }

  /** Character strings in quotes, as in a zone file. */
  private stringsText(at: number, end: number): string {
    const parts: string[] = [];
    let left = answerCharactersMax;
    while (at < end && left > 0) {
      const stop = Math.min(end, at + 1 + this.bytes[at]!);
      let text = '';
      for (at += 1; at < stop; at += 1) {
        const byte = this.bytes[at]!;
        if (byte === 34 || byte === 92) text += `\\${String.fromCharCode(byte)}`;
        else if (byte < 32 || byte > 126) text += `\\${String(byte).padStart(3, '0')}`;
        else text += String.fromCharCode(byte);
      }
      parts.push(`"${text}"`);
      left -= text.length;
    }
    return parts.join(' ');
  }

  /** SVCB and HTTPS (RFC 9460 section 2.2): priority, target, and of the parameters alpn and port. */
  private serviceText(at: number, end: number): string | undefined {
    if (end - at < 3) return undefined;
    const name = this.readName(at + 2, end);
    if (name === undefined) return undefined;
    let text = `${this.word(at)} ${name}`;
    let next = this.nameEnd;
    while (next + 4 <= end) {
      const key = this.word(next);
      const stop = next + 4 + this.word(next + 2);
      next += 4;
      if (stop > end) break;
      if (key === 1) {
        const protocols: string[] = [];
        while (next < stop) {
          const last = Math.min(stop, next + 1 + this.bytes[next]!);
          protocols.push(this.labelText(next + 1, last));
          next = last;
        }
        text += ` alpn=${protocols.join(',')}`;
      } else if (key === 3 && stop - next === 2) {
        text += ` port=${this.word(next)}`;
      }
      next = stop;
    }
    return text;
  }
}

/** RFC 5952 text of 16 address bytes. */
function ipv6Text(bytes: Uint8Array, at: number): string {
  let bestStart = -1;
  let bestLength = 1; // one group of zeros alone is not shortened
  let runStart = -1;
  for (let group = 0; group <= 8; group += 1) {
    const zero = group < 8 && bytes[at + 2 * group]! === 0 && bytes[at + 2 * group + 1]! === 0;
    if (zero && runStart < 0) runStart = group;
    if (!zero && runStart >= 0) {
      if (group - runStart > bestLength) {
        bestStart = runStart;
        bestLength = group - runStart;
      }
      runStart = -1;
    }
  }
  let text = '';
  for (let group = 0; group < 8; group += 1) {
    if (group === bestStart) {
      text += '::';
      group += bestLength - 1;
      continue;
    }
    if (text !== '' && !text.endsWith(':')) text += ':';
    text += ((bytes[at + 2 * group]! << 8) | bytes[at + 2 * group + 1]!).toString(16);
  }
  return text;
}

/** What a DnsFramer tells: a message in bytes[start..end), which may be cut at its end. */
export interface DnsFrameHandler {
  dnsMessage(bytes: Uint8Array, start: number, end: number): void;
}

/** What is said of a record whose data is not read, or cannot be. */
const unreadRecord = (type: number, length: number): string => `${dnsTypeName(type)} ${length} bytes`;

/**
 * DNS over TCP (RFC 1035 section 4.2.2, RFC 7766): two bytes of length before each message, cut anywhere by segments.
 * One per direction. After lost bytes whose number is known it goes on at the next message's start; when it is not, it
 * waits for a segment that holds exactly one message.
 */
export class DnsFramer {
  /** messages given up because bytes in them were lost, or lengths too small for a header */
  broken = 0;
  private readonly handler: DnsFrameHandler;
  private buffer = noBytes;
  private have = 0;
  /** bytes of the message that are still to come; -1 while its length is being read */
  private wanted = -1;
  private lengthHigh = -1;
  private skipping = 0;
  private lost = false;

  constructor(handler: DnsFrameHandler) {
    this.handler = handler;
  }

  /** The next bytes of the stream, one segment's. */
  data(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.lost) {
      if (end - start < 2 + headerBytes || ((bytes[start]! << 8) | bytes[start + 1]!) !== end - start - 2) return;
      this.lost = false;
    }
    while (at < end) {
      if (this.skipping > 0) {
        const step = Math.min(this.skipping, end - at);
        this.skipping -= step;
        at += step;
        continue;
      }
      if (this.wanted < 0) {
        const byte = bytes[at]!;
        at += 1;
        if (this.lengthHigh < 0) {
          this.lengthHigh = byte;
          continue;
        }
        this.wanted = (this.lengthHigh << 8) | byte;
        this.lengthHigh = -1;
        this.have = 0;
        if (this.wanted < headerBytes) {
          // No DNS message is that short: this is not the start of one.
          this.lose();
          return;
        }
        continue;
      }
      const step = Math.min(this.wanted, end - at);
      if (this.have === 0 && step === this.wanted) {
        this.wanted = -1;
        this.handler.dnsMessage(bytes, at, at + step);
      } else {
        this.keep(bytes, at, step);
        this.wanted -= step;
        if (this.wanted === 0) {
          this.wanted = -1;
          this.handler.dnsMessage(this.buffer, 0, this.have);
          this.have = 0;
        }
      }
      at += step;
    }
  }

  /** `length` bytes of the stream that nobody has. */
  skip(length: number): void {
    if (length <= 0 || this.lost) return;
    if (this.skipping > 0) {
      const step = Math.min(this.skipping, length);
      this.skipping -= step;
      length -= step;
      if (length === 0) return;
    }
    if (this.wanted >= 0 && length <= this.wanted) {
      // The message's own end is known: hand over what is there and go on behind it.
      this.broken += 1;
      this.skipping = this.wanted - length;
      if (this.have >= headerBytes) this.handler.dnsMessage(this.buffer, 0, this.have);
      this.wanted = -1;
      this.have = 0;
      return;
    }
    this.lose();
  }

  private lose(): void {
    this.broken += 1;
    this.lost = true;
    this.wanted = -1;
    this.lengthHigh = -1;
    this.have = 0;
    this.skipping = 0;
  }

  private keep(bytes: Uint8Array, at: number, count: number): void {
    if (this.buffer.length < this.have + count) {
      const grown = new Uint8Array(Math.max(this.have + count, 2 * this.buffer.length, 512));
      grown.set(this.buffer.subarray(0, this.have));
      this.buffer = grown;
    }
    for (let i = 0; i < count; i += 1) this.buffer[this.have + i] = bytes[at + i]!;
    this.have += count;
  }
}
