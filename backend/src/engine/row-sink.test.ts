/** Values as text: what is written is what JavaScript's own (slow) conversions say, for numbers of all sizes. */
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseAddress } from '@netspectra/query';
import { tables } from '../tables/index.js';
import type { TableName } from '../tables/index.js';
import { RowSink, RowWriter } from './row-sink.js';

/** The text of what `write` puts first into a row. */
function textOf(write: (row: RowWriter) => void): string {
  const row = new RowWriter('flows');
  row.begin();
  write(row);
  for (let column = 1; column < tables.flows.rowColumns.length; column += 1) row.number(0);
  row.end();
  return new TextDecoder().decode(row.take().bytes).split('\t')[0]!;
}

const edges = Array.from({ length: 16 }, (_, i) => [10 ** i - 1, 10 ** i, 10 ** i + 1]).flat();
const uint32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 999_999_999, 1e9, 0xffffffff));

it('numbers up to 2^53', () => {
  for (const value of [...edges, 0xffffffff, 2 ** 32, 2 ** 53 - 1])
    expect(textOf((row) => row.number(value))).toBe(String(value));
  fc.assert(fc.property(fc.maxSafeNat(), (value) => textOf((row) => row.number(value)) === String(value)));
});

it('numbers of 64 bits', () => {
  fc.assert(
    fc.property(uint32, uint32, (high, low) => {
      expect(textOf((row) => row.number64(high | 0, low | 0))).toBe(String((BigInt(high) << 32n) | BigInt(low)));
    }),
    {
      examples: [
        [0, 0],
        [0xffffffff, 0xffffffff],
        [0, 1e9],
        [2, 0x540be400],
        [1, 0],
      ],
    },
  );
});

it('times to the nanosecond', () => {
  fc.assert(
    fc.property(uint32, fc.integer({ min: 0, max: 999_999_999 }), (seconds, nanoseconds) => {
      const text = `${seconds}.${String(nanoseconds).padStart(9, '0')}`;
      expect(textOf((row) => row.time(seconds, nanoseconds))).toBe(text);
    }),
  );
});

it('addresses that say the same address', () => {
  const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(bytes, fc.boolean(), (address, ipv4) => {
      if (ipv4) address.set(mapped);
      const text = textOf((row) => row.address(address, 0));
      expect(isIPv6(text)).toBe(true);
      expect(parseAddress(text)).toEqual(parseAddress(grouped(address)));
      expect(text.startsWith('::ffff:')).toBe(ipv4 || mapped.every((byte, i) => address[i] === byte));
    }),
  );
});

const grouped = (bytes: Uint8Array): string =>
  Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16)).join(':');

it('text with what must be escaped in it', () => {
  expect(textOf((row) => row.text("plain 'til \\ here\tand é"))).toBe("plain 'til \\\\ here\\tand é");
});

/** A row of nothing. */
function row(sink: RowSink, name: TableName): void {
  const writer = sink.table(name);
  writer.begin();
  writer.zeros(tables[name].rowColumns.length);
  writer.end();
}

it('gives the accounting last, also when it was there first: it says that all the rest is stored', () => {
  const sink = new RowSink();
  row(sink, 'probe_stats');
  expect(sink.take().map(({ table }) => table)).toEqual(['probe_stats']);
  for (const name of ['flows', 'traffic', 'probe_stats'] as const) row(sink, name);
  expect(sink.take().map(({ table, rows }) => [table, rows])).toEqual([
    ['flows', 1],
    ['traffic', 1],
    ['probe_stats', 1],
  ]);
  expect(sink.take()).toEqual([]);
});
