/** Text out of hostile bytes: printable ASCII as it is, every other byte as \xNN, so that nothing is lost or hidden. */

/** Buffers that are not needed yet share this one: two parsers a connection would make two each. */
export const noBytes = new Uint8Array(0);

const hexDigits = '0123456789abcdef';

const cachedTexts = 2_048;
/** Longer ones are requests' targets, which do not come again. */
const cachedCharactersMax = 128;
/** by hash; hosts, user agents and types are few and come again and again */
const texts: string[] = new Array<string>(cachedTexts).fill('');
const decoder = new TextDecoder();

/**
 * Bytes start..end as text.
 * @param charactersMax bytes beyond this many are left out
 */
export function asciiText(bytes: Uint8Array, start: number, end: number, charactersMax: number): string {
  const stop = Math.min(end, start + charactersMax);
  const length = stop - start;
  let hash = length;
  for (let at = start; at < stop; at += 1) {
    const byte = bytes[at]!;
    if (byte < 32 || byte >= 127) return escapedText(bytes, start, stop);
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  // Character by character a string of a hundred would be as many objects.
  if (length > cachedCharactersMax) return decoder.decode(bytes.subarray(start, stop));
  const slot = (hash ^ (hash >>> 15)) & (cachedTexts - 1);
  const known = texts[slot]!;
  if (known.length === length && isText(known, bytes, start)) return known;
  const text = decoder.decode(bytes.subarray(start, stop));
  texts[slot] = text;
  return text;
}

function isText(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

function escapedText(bytes: Uint8Array, start: number, stop: number): string {
  let text = '';
  for (let at = start; at < stop; at += 1) {
    const byte = bytes[at]!;
    if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
    else text += `\\x${hexDigits[byte >>> 4]!}${hexDigits[byte & 15]!}`;
  }
  return text;
}

/**
 * Length of the well-formed UTF-8 sequence that begins at `at` with a byte above 127 (RFC 3629 section 4: no overlong
 * forms, no surrogates, nothing above U+10FFFF), or 0.
 */
export function utf8SequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  const length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : 0;
  const total = first >= 0xf0 && first <= 0xf4 ? 4 : length;
  if (total === 0 || at + total > end) return 0;
  const second = bytes[at + 1]!;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < total; i += 1) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return total;
}

/** The code point of a sequence that utf8SequenceLength accepted. */
export function utf8CodePoint(bytes: Uint8Array, at: number, length: number): number {
  let point = bytes[at]! & (0xff >> (length + 1));
  for (let i = 1; i < length; i += 1) point = (point << 6) | (bytes[at + i]! & 0x3f);
  return point;
}
