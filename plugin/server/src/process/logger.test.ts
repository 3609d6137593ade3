import fc from 'fast-check';
import { expect, test } from 'vitest';
import { logLine, textOf } from './logger.js';

const keys = ['@level', '@message', '@timestamp'];

test('whatever is logged, every value is text, on one line below the host’s buffer', () => {
  fc.assert(
    fc.property(fc.anything(), fc.dictionary(fc.string(), fc.anything(), { maxKeys: 40 }), (message, fields) => {
      const line = logLine('info', message, fields);
      expect(line.endsWith('\n')).toBe(true);
      expect(line.trimEnd()).not.toContain('\n');
      expect(Buffer.byteLength(line)).toBeLessThan(64 * 1024);
      const value = JSON.parse(line) as Record<string, unknown>;
      expect(keys.every((key) => key in value)).toBe(true);
      expect(Object.values(value).every((each) => typeof each === 'string')).toBe(true);
    }),
  );
});

test('what cannot be printed does no harm', () => {
  const hostile = {
    get x() {
      throw new Error('no');
    },
  };
  const round: Record<string, unknown> = {};
  round['round'] = round;
  for (const value of [hostile, round, Symbol('x'), 10n, Object.create(null), { toJSON: () => undefined }]) {
    expect(typeof textOf(value)).toBe('string');
    expect(() => logLine('error', 'x', { value })).not.toThrow();
  }
});

test('long texts are cut, in bytes and not in characters, and the line stays JSON', () => {
  // A character of three bytes, one that is escaped by six, and the one by which a whole line ends.
  for (const character of ['€', '\u0001', '}']) {
    const text = character.repeat(10_000);
    for (const count of [0, 5, 10, 14, 20]) {
      const fields = Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}${character.repeat(70)}`, text]));
      const line = logLine('info', text, { ...fields, error: text });
      expect(Buffer.byteLength(line)).toBeLessThan(64 * 1024);
      const read = JSON.parse(line) as Record<string, string>;
      expect(read).toMatchObject({ '@level': 'info' });
      expect(read['@message']!.startsWith(character.repeat(500))).toBe(true);
    }
  }
});

test('time in the form of Go, and fields cannot take the place of the three', () => {
  const line = logLine(
    'warn',
    'x',
    { '@level': 'info', n: 1, gone: undefined },
    new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 67)),
  );
  expect(JSON.parse(line)).toEqual({
    '@level': 'warn',
    '@message': 'x',
    '@timestamp': '2026-01-02T03:04:05.067000Z',
    n: '1',
  });
});
