import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLogger, logLine, textOf } from './logger.js';

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

test('long texts are cut, many characters of three bytes, too', () => {
  const fields = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`key${i}`, '\u0001'.repeat(10_000)]));
  for (const line of [logLine('info', '€'.repeat(100_000)), logLine('info', '€'.repeat(100_000), fields)]) {
    expect(Buffer.byteLength(line)).toBeLessThan(64 * 1024);
    expect(JSON.parse(line)).toMatchObject({ '@level': 'info' });
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

test('levels below the lowest are not written', () => {
  const lines: string[] = [];
  const logger = createLogger((line) => lines.push(line), 'warn');
  logger.debug('a');
  logger.info('b');
  logger.warn('c');
  logger.error('d');
  expect(lines.map((line) => (JSON.parse(line) as Record<string, string>)['@message'])).toEqual(['c', 'd']);
});
