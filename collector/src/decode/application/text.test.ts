import { expect, it } from 'vitest';
import { asciiText } from './text.js';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

it('says what the bytes say, also of more texts of one length than are remembered', () => {
  const texts = Array.from({ length: 5_000 }, (_, i) => `host-${String(i).padStart(5, '0')}.example`);
  for (let turn = 0; turn < 2; turn += 1)
    for (const text of texts) expect(asciiText(bytesOf(`<${text}>`), 1, text.length + 1, 255)).toBe(text);
});

it('of long, cut and unprintable bytes, too', () => {
  const long = 'a/'.repeat(500);
  expect(asciiText(bytesOf(long), 0, 1_000, 2_048)).toBe(long);
  expect(asciiText(bytesOf(long), 0, 1_000, 7)).toBe('a/a/a/a');
  expect(asciiText(bytesOf('a\x00\x7f\xffb'), 0, 5, 255)).toBe('a\\x00\\x7f\\xffb');
  expect(asciiText(bytesOf('a'), 1, 1, 255)).toBe('');
});
