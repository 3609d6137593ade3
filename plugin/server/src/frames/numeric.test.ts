import { expect, test } from 'vitest';
import type { Column } from './model.js';
import { numericFrame } from './numeric.js';

const text = (name: string, values: (string | null)[]): Column => ({ name, type: 'string', nullable: true, values });
const number = (name: string, values: (number | null)[]): Column => ({ name, type: 'number', nullable: true, values });
const shown = (columns: readonly Column[]) => Object.fromEntries(columns.map(({ name, values }) => [name, values]));

test('labels are different, also of a group that is called as the rest is', () => {
  const { columns, meta } = numericFrame(
    [text('app', ['other', null, '', 'other']), number('bytes', [1, 2, 3, 4])],
    1,
    'A',
  );
  expect(meta).toEqual({ type: 'numeric-long', typeVersion: [0, 1] });
  expect(shown(columns)).toEqual({ app: ['other', '(none)', '(none) (2)', 'other (2)'], bytes: [1, 2, 3, 4] });
});

test('nor does a group that is called as another would be then have its labels', () => {
  const names = ['other', 'other (2)', 'other', 'other (2)', 'other', ''];
  const [apps] = numericFrame([text('app', names), number('bytes', [1, 2, 3, 4, 5, 6])], 1, 'A').columns;
  expect(apps!.values).toEqual(['other', 'other (2)', 'other (3)', 'other (2) (2)', 'other (4)', '(none)']);
});

test('numbers that are dimensions are labels; bounds are no numbers of their own', () => {
  const columns = [number('port', [53]), number('hosts', [5]), number('hosts_lower', [4]), number('hosts_upper', [6])];
  expect(shown(numericFrame(columns, 1, 'A').columns)).toEqual({ port: ['53'], hosts: [5] });
  expect(shown(numericFrame(columns, 1, 'A', 'lower').columns)).toEqual({ port: ['53'], hosts: [4] });
  expect(shown(numericFrame(columns, 1, 'A', 'upper').columns)).toEqual({ port: ['53'], hosts: [6] });
});

test('a name that only looks like a bound is a measure', () => {
  expect(shown(numericFrame([number('x_lower', [4])], 0, 'A').columns)).toEqual({ x_lower: [4] });
});

test('several measures are rows', () => {
  const { columns } = numericFrame([text('a', ['x', 'y']), number('m', [1, 2]), number('n', [3, null])], 1, 'A');
  expect(shown(columns)).toEqual({ a: ['x', 'y', 'x', 'y'], measure: ['m', 'm', 'n', 'n'], value: [1, 2, 3, null] });
});

test('no rows: no fields', () => {
  expect(numericFrame([text('a', []), number('m', [])], 1, 'A').columns).toEqual([]);
});
