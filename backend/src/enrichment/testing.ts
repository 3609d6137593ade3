/** For tests: bytes as threads share them, addresses as words. */
import { parseAddress } from '@netspectra/query';
import type { AddressWords } from '@netspectra/query';

/** The bytes in memory that threads share. */
export function sharedBytes(bytes: Uint8Array): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  return shared;
}

/** An address as words. */
export function words(text: string): AddressWords {
  const found = parseAddress(text);
  if (!found) throw new Error(`${text} is no address`);
  return found;
}

/** An address as 16 bytes in network order. */
export function addressBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words(text).entries()) view.setUint32(i * 4, word);
  return bytes;
}
