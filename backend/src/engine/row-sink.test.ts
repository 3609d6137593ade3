/** Values as text: what is written is what JavaScript's own (slow) conversions say, for numbers of all sizes. */
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseAddress } from '@netspectra/query';
import { tables } from '../tables/index.js';
import type { TableName } from '../tables/index.js';
import { recycleRows, RowSink, RowWriter } from './row-sink.js';

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

it('puts later rows where those lay that are stored, and none where some may still be read', () => {
  const take = (letter: string): Uint8Array => {
    const row = new RowWriter('top_keys');
    for (let i = 0; i < 500; i += 1) {
      row.begin();
      row.number(1_700_000_000);
      row.number(60);
      row.text('name');
      row.text(letter.repeat(100));
      row.zeros(tables.top_keys.rowColumns.length - 4);
      row.end();
    }
    const block = row.take();
    expect(block.rows).toBe(500);
    return block.bytes;
  };
  const first = take('a');
  const second = take('b');
  const kept = [first.slice(), second.slice()];
  expect(second.buffer).not.toBe(first.buffer);
  recycleRows([{ table: 'top_keys', rows: 500, bytes: first }]);
  const third = take('c');
  expect(third.buffer).toBe(first.buffer);
  expect(second).toEqual(kept[1]);
  const text = new TextDecoder().decode(third);
  expect(text).toBe(new TextDecoder().decode(kept[0]).replaceAll('a'.repeat(100), 'c'.repeat(100)));
});
