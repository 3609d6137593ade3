/** Byte helpers and the checksums of the Internet protocols. */

/**
 * @param {...(Uint8Array | number[])} parts
 * @returns {Uint8Array}
 */
export function concat(...parts) {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** @param {number} value */
export const be16 = (value) => [(value >>> 8) & 255, value & 255];
/** @param {number} value */
export const be32 = (value) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
/** @param {string} text */
export const ascii = (text) => new TextEncoder().encode(text);

/**
 * An IPv4 or IPv6 address from its text.
 * @param {string} text
 * @returns {Uint8Array} 4 or 16 bytes
 */
export function addressBytes(text) {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const [left, right] = text.split('::');
  /** @param {string | undefined} side */
  const groups = (side) => (side ? side.split(':').map((group) => parseInt(group, 16)) : []);
  const head = groups(left);
  const tail = groups(right);
  const middle = new Array(8 - head.length - tail.length).fill(0);
  return Uint8Array.from([...head, ...middle, ...tail].flatMap(be16));
}

/**
 * A MAC address 00:00:5e:00:53:xx, the documentation range of RFC 9542 section 2.1.2.
 * @param {number} last
 */
export const documentationMac = (last) => Uint8Array.from([0, 0, 0x5e, 0, 0x53, last & 255]);

/**
 * One's complement sum of 16-bit words (RFC 1071), not yet folded nor inverted.
 * @param {Uint8Array} bytes
 * @param {number} sum what was summed before
 */
export function sumWords(bytes, sum = 0) {
  let total = sum;
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) total += (bytes[i] << 8) | bytes[i + 1];
  if (even !== bytes.length) total += bytes[even] << 8;
  return total;
}

/**
 * The Internet checksum (RFC 1071) of a sum.
 * @param {number} sum
 */
export function foldChecksum(sum) {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 65536);
  return ~folded & 0xffff;
}

const crc32cTable = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

/**
 * CRC32c as SCTP uses it (RFC 9260 appendix A).
 * @param {Uint8Array} bytes
 */
export function crc32c(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crc32cTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
