import { expect, it } from 'vitest';
import { CounterTable } from './counter-table.js';

it('adds up, keeps the order of arrival and loses nothing while it grows, also when it is used again', () => {
  const table = new CounterTable(2, 3, 4096);
  for (let round = 0; round < 3; round += 1) {
    const keys: string[] = [];
    for (let i = 0; !table.full; i += 1) {
      const a = 0xffff_ffff - Math.floor(i / 7);
      const b = i % 7;
      keys.push(`${a} ${b}`);
      for (const value of [1, i]) {
        const at = table.at(a, b, 0, 0);
        table.values[at] = table.values[at]! + 1;
        table.values[at + 2] = table.values[at + 2]! + value;
      }
    }
    expect(keys.length).toBe(2048);
    const seen: string[] = [];
    table.drain((key, at) => {
      expect([...table.values.subarray(at, at + 3)]).toEqual([2, 0, 1 + seen.length]);
      seen.push([...key].join(' '));
    });
    expect(seen).toEqual(keys);
  }
});

it('is never used past its bound', () => {
  const table = new CounterTable(1, 1, 128);
  for (let i = 0; i < 64; i += 1) table.at(i, 0, 0, 0);
  expect(table.full).toBe(true);
  expect(() => table.at(64, 0, 0, 0)).toThrow('past');
  expect(table.at(3, 0, 0, 0)).toBe(table.at(3, 0, 0, 0));
});
