import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { outerColumns, packetColumns } from './packet-batch.js';

const bytesPer = { u8: 1, u16: 2, u32: 4 };

it('docs/wire-format.md lists exactly the columns there are', () => {
  const text = readFileSync(new URL('../../docs/wire-format.md', import.meta.url), 'utf8');
  const listed = [...text.matchAll(/^\| (\d+) +\| `(\w+)` +\| (\d+) +\|$/gm)].map((row) => row.slice(1));
  const wanted = Object.entries({ ...packetColumns, ...outerColumns }).map(([name, spec]) => [
    String(spec.field),
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    String(spec.width * bytesPer[spec.type]),
  ]);
  expect(listed).toEqual(wanted);
});
