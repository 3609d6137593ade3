/** docs/differences.md and `differences` say the same: every capture, and every field of it. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { differences } from './differences.js';

it('every difference is on the page, and nothing else', () => {
  const page = readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8');
  const codes = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
  const told = [...page.matchAll(/^\| (`[^|]+`) \| ([^|]+) \| ([^|]+) \|$/gm)].map(([, capture, fields, why]) => {
    // Each reason of the table stands below it in words.
    for (const reason of why!.split(';')) expect(page.toLowerCase()).toContain(`- **${reason.trim()}.**`);
    return [codes(capture!)[0], codes(fields!).sort()];
  });
  const done = Object.entries(differences).map(([capture, { fields }]) => [capture, [...fields].sort()]);
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(done));
  expect(told).toHaveLength(done.length);
});
