import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame } from '../../../../test/kit/plugin-host/frames.js';
import { encodeFrames } from './arrow.js';
import type { Column } from './model.js';

const text = fc.string({ unit: 'binary' });
/** Arrow has no field without a name. */
const fieldName = fc.string({ unit: 'binary', minLength: 1 });
const valuesOf = {
  time: fc.integer({ min: -8.64e15, max: 8.64e15 }).filter((ms) => Math.abs(ms) < 9.2e12),
  number: fc.oneof(fc.double(), fc.integer()),
  string: text,
  boolean: fc.boolean(),
} as const;

const column = (length: number): fc.Arbitrary<Column> =>
  fc.constantFrom(...(['time', 'number', 'string', 'boolean'] as const)).chain((type) =>
    fc.record({
      name: fieldName,
      type: fc.constant(type),
      nullable: fc.constant(true),
      labels: fc.dictionary(text, text, { maxKeys: 3 }),
      values: fc.array(fc.option(valuesOf[type] as fc.Arbitrary<number | string | boolean>), {
        minLength: length,
        maxLength: length,
      }),
    }),
  );

test('what goes in comes out, of any type, with nulls, names and labels', () => {
  const frames = fc.integer({ min: 0, max: 40 }).chain((length) => fc.array(column(length), { maxLength: 5 }));
  fc.assert(
    fc.property(frames, text, (columns, name) => {
      const [bytes] = encodeFrames([{ name, refId: 'A', meta: { type: 'table' }, columns }]);
      const frame = decodeFrame(bytes!);
      expect(frame).toMatchObject({ name, refId: 'A', meta: { type: 'table' } });
      expect(frame.fields.map(({ name: of, type, labels }) => ({ of, type, labels }))).toEqual(
        columns.map(({ name: of, type, labels }) => ({ of, type, labels: { ...labels } })),
      );
      frame.fields.forEach(({ values }, i) => {
        const { type, values: expected } = columns[i]!;
        expect(values).toEqual(
          type === 'time' ? expected.map((ms) => (ms === null ? null : BigInt(ms as number) * 1_000_000n)) : expected,
        );
      });
    }),
  );
});

test('fractions of a millisecond stay', () => {
  const time: Column = { name: 't', type: 'time', nullable: false, values: [1_700_000_000_123.25, 0.5, -0.5] };
  const [bytes] = encodeFrames([{ refId: 'A', meta: {}, columns: [time] }]);
  expect(decodeFrame(bytes!).fields[0]!.values).toEqual([1_700_000_000_123_250_000n, 500_000n, -500_000n]);
});

test('frames that Grafana would not take are mistakes', () => {
  const values = { name: 'a', type: 'number', nullable: false } as const;
  const columns = [
    { ...values, values: [1] },
    { ...values, values: [] },
  ];
  expect(() => encodeFrames([{ refId: 'A', meta: {}, columns }])).toThrow(/differ in length/);
  const [bytes] = encodeFrames([{ refId: 'A', meta: {}, columns: [{ ...values, values: [null] }] }]);
  expect(() => decodeFrame(bytes!)).toThrow(/not nullable/);
  const [noticed] = encodeFrames([
    { refId: 'A', meta: { notices: [{ severity: 'fatal' as 'error', text: 'x' }] }, columns: [] },
  ]);
  expect(() => decodeFrame(noticed!)).toThrow(/notices/);
});
