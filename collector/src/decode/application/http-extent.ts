/**
 * How far an HTTP/1.x message goes, from its head alone: for who passes messages on and need not read them (the probe's
 * payload picker). Says so only where Content-Length decides and nothing in the head contradicts; HttpParser is the one
 * that knows all cases. What depends on the request (HEAD, CONNECT) is the caller's to know.
 */
const lf = 10;
const cr = 13;
const one = 49;
/** lengths of more digits are left to the parser */
const digitsMax = 9;
const encode = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const lengthName = encode('content-length:');
const codingName = encode('transfer-encoding');

/** Does the line at `at` begin with this name, upper or lower case? */
function beginsWith(bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  if (end - at < name.length) return false;
  for (let i = 0; i < name.length; i += 1) {
    const byte = bytes[at + i]!;
    if ((byte >= 65 && byte <= 90 ? byte + 32 : byte) !== name[i]) return false;
  }
  return true;
}

/** A status line whose message has no body whatever its head says (RFC 9112 section 6.3): 1xx, 204, 304. */
function bodyless(bytes: Uint8Array, start: number): boolean {
  const first = bytes[start + 9]!;
  return first === one || (bytes[start + 10] === 48 && bytes[start + 11] === 52 && (first === 50 || first === 51));
}

/** What was read; one object is reused. */
export class HttpExtent {
  /** bytes of the head, its empty line included */
  head = 0;
  /** bytes of the message, head and body */
  whole = 0;

  /**
   * Read the head at bytes[start..end), which begins an HTTP message.
   * @param isResponse it begins with a status line
   * @returns false: its length does not show here; then nothing else is valid
   */
  read(bytes: Uint8Array, start: number, end: number, isResponse: boolean): boolean {
    if (isResponse && (end - start < 12 || bodyless(bytes, start))) return false;
    let length = -1;
    let line = lineAfter(bytes, start, end);
    for (;;) {
      const next = lineAfter(bytes, line, end);
      if (next < 0) return false;
      if (bytes[line] === lf || (bytes[line] === cr && next - line === 2)) {
        this.head = next - start;
        this.whole = this.head + length;
        return length >= 0;
      }
      if (beginsWith(bytes, line, next, codingName)) return false;
      if (beginsWith(bytes, line, next, lengthName)) {
        if (length >= 0) return false;
        length = digits(bytes, line + lengthName.length, next);
        if (length < 0) return false;
      }
      line = next;
    }
  }
}

/** Where the line behind the one at `at` begins, -1 when the bytes end before. */
function lineAfter(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0) return -1;
  while (at < end && bytes[at] !== lf) at += 1;
  return at < end ? at + 1 : -1;
}

/** A number with nothing but blanks around it up to the line's end, else -1. */
function digits(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && (bytes[at] === 32 || bytes[at] === 9)) at += 1;
  let value = 0;
  const first = at;
  for (; at < end && bytes[at]! >= 48 && bytes[at]! <= 57; at += 1) value = value * 10 + bytes[at]! - 48;
  if (at === first || at - first > digitsMax) return -1;
  while (at < end && (bytes[at] === 32 || bytes[at] === 9 || bytes[at] === cr)) at += 1;
  return bytes[at] === lf ? value : -1;
}
