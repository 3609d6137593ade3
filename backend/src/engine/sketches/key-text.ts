/** Keys of sketches as text: only where a report or row is written. */
import { nameOf } from '@netspectra/query';
import { addressText } from '../address-text.js';

/** What a key is made of: an address (4 words), two (8), a port or a protocol number (1). */
export type KeyKind = 'address' | 'pair' | 'port' | 'protocol';

export const keyWords: Readonly<Record<KeyKind, number>> = { address: 4, pair: 8, port: 1, protocol: 1 };

/** `192.0.2.7`, `192.0.2.7 > 2001:db8::1`, `443`, or the protocol's IANA name (its number when it has none). */
export function keyText(kind: KeyKind, words: Uint32Array, entry: number): string {
  if (kind === 'port') return String(words[entry]!);
  if (kind === 'protocol') return nameOf('protocol', words[entry]!) ?? String(words[entry]!);
  const bytes = new Uint8Array(words.buffer, words.byteOffset + entry * keyWords[kind] * 4, keyWords[kind] * 4);
  return kind === 'address' ? addressText(bytes) : `${addressText(bytes)} > ${addressText(bytes, 16)}`;
}
