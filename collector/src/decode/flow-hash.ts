/**
 * Direction-free 32-bit hash of a 5-tuple.
 *
 * Both endpoints are mixed by themselves and added, so A->B and B->A agree; the sum is mixed again with the protocol.
 * The mixer is the two-round xorshift-multiply with Chris Wellons's low-bias constants ("Prospecting for Hash
 * Functions", 2018). Not keyed: whoever picks addresses at will can pile flows onto one partition.
 */

/** Third word of ::ffff:a.b.c.d (RFC 4291 2.5.5.2) as a signed little-endian word: bytes 00 00 ff ff. */
export const mappedPrefix = 0xffff0000 | 0;

function mix(value: number): number {
  let x = value;
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return x ^ (x >>> 16);
}

// Every sum is cut to 32 bits at once: V8 then never meets a number that is not a machine integer, which would cost it the code it
// had compiled for those it met before.

function endpoint(w0: number, w1: number, w2: number, w3: number, port: number): number {
  // The odd multiplier spreads ports over all 32 bits: neighbouring addresses and ports do not cancel.
  const low = (w3 + Math.imul(port, 0x9e3779b1)) | 0;
  if (w0 === 0 && w1 === 0 && w2 === mappedPrefix) return mix(low);
  const high = mix(mix((w0 + 0x3c6ef372) | 0) ^ w1);
  return mix((((high + mix(w2 ^ 0x5bd1e995)) | 0) + low) | 0);
}

/**
 * Hash of addresses (four words each, as in PacketBatch, signed or unsigned), ports and IANA protocol number.
 * @returns unsigned 32-bit number, equal for both directions
 */
export function flowHash(
  s0: number,
  s1: number,
  s2: number,
  s3: number,
  d0: number,
  d1: number,
  d2: number,
  d3: number,
  sourcePort: number,
  destinationPort: number,
  protocol: number,
): number {
  const source = endpoint(s0 | 0, s1 | 0, s2 | 0, s3 | 0, sourcePort);
  const destination = endpoint(d0 | 0, d1 | 0, d2 | 0, d3 | 0, destinationPort);
  return mix((((source + destination) | 0) + Math.imul(protocol + 1, 0x85ebca6b)) | 0) >>> 0;
}

/** Partition 0 .. partitions-1 (at most 65,536) of a flow hash, from its high bits. */
export function partitionOf(hash: number, partitions: number): number {
  return ((hash >>> 16) * partitions) >>> 16;
}
