/**
 * Addresses as text: IPv4-mapped addresses dotted, others as RFC 5952 says. No Node imports: runs in the browser too.
 */

/**
 * @param bytes holds 16 address bytes in network order at `offset`, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2)
 * @returns `192.0.2.7` for an IPv4-mapped address, else IPv6 text as of RFC 5952: lower case, no leading zeros, the first
 * longest run of two or more zero groups as `::`
 */
export function addressText(bytes: Uint8Array, offset = 0): string {
  if (offset < 0 || offset + 16 > bytes.length) throw new RangeError('an address is 16 bytes');
  let mapped = bytes[offset + 10] === 255 && bytes[offset + 11] === 255;
  for (let i = 0; i < 10 && mapped; i += 1) mapped = bytes[offset + i] === 0;
  if (mapped) return `${bytes[offset + 12]}.${bytes[offset + 13]}.${bytes[offset + 14]}.${bytes[offset + 15]}`;
  const groups: number[] = [];
  for (let i = 0; i < 8; i += 1) groups.push((bytes[offset + 2 * i]! << 8) | bytes[offset + 2 * i + 1]!);
  let runStart = -1;
  let runLength = 1; // a single zero group is not shortened (RFC 5952 section 4.2.2)
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > runLength) {
      runStart = start;
      runLength = length;
    }
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return runStart < 0 ? hex(0, 8) : `${hex(0, runStart)}::${hex(runStart + runLength, 8)}`;
}
