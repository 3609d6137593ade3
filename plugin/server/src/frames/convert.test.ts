import type { Frame } from '@netspectra/query';
import { describe, expect, test } from 'vitest';
import { convertAnswer } from './convert.js';
import type { ApiMeta } from './meta.js';

const meta: ApiMeta = {
  tables: ['traffic'],
  watermarkMs: 5,
  partial: true,
  plan: 'traffic:\n counters',
  samplingRate: 1,
  drops: { kernelDropped: 0, undecodable: 0, flowsFolded: 0, latePackets: 0 },
  errorBounds: [],
  truncated: false,
  fromMs: 0,
  toMs: 10,
  intervalMs: 1,
  filter: null,
  rowsRead: 7,
  elapsedMs: 3.2,
};
const options = { refId: 'B', type: 'table', numeric: false, dimensions: 0, notices: [] } as const;
const frame = (fields: Frame['schema']['fields'], values: Frame['data']['values'], more: object = {}): Frame => ({
  schema: { refId: 'q0', meta: { type: 'table', ...more }, fields },
  data: { values },
});

describe('columns', () => {
  test('a null makes a column nullable, whatever its flag says; what is no type of ours is text', () => {
    const fields = [
      { name: 'a', type: 'number' },
      { name: 'b', type: 'number', typeInfo: { frame: 'float64', nullable: true } },
      { name: 'c', type: 'other' },
      { name: 'd', type: 'boolean' },
    ] as const;
    const [converted] = convertAnswer(
      [
        frame(fields, [
          [1, null],
          [1, 2],
          ['x', 'y'],
          [true, false],
        ]),
      ],
      meta,
      options,
    );
    expect(converted!.columns.map(({ name, type, nullable }) => [name, type, nullable])).toEqual([
      ['a', 'number', true],
      ['b', 'number', true],
      ['c', 'string', false],
      ['d', 'boolean', false],
    ]);
    expect(converted!.refId).toBe('B');
  });

  test('series share their times, and one measure has no label of it', () => {
    const fields = [
      { name: 'time', type: 'time' },
      { name: 'bytes', type: 'number', labels: { app: 'x' } },
      { name: 'bytes', type: 'number', labels: { app: 'y' } },
    ] as const;
    const times = [0, 1];
    const series = convertAnswer([frame(fields, [times, [1, 2], [3, 4]])], meta, { ...options, type: 'timeseries' });
    expect(series.map(({ columns }) => columns[1]!.labels)).toEqual([{ app: 'x' }, { app: 'y' }]);
    expect(series.every(({ columns }) => columns[0]!.values === times)).toBe(true);
  });
});

describe('what an answer says of itself', () => {
  const said = (more: Partial<ApiMeta>, frames: Frame[] = [frame([], [])]) =>
    convertAnswer(frames, { ...meta, ...more }, options)[0]!.meta;

  test('trust data without what differs from run to run; the plan and the statements', () => {
    const { custom, executedQueryString, notices } = said({
      sql: 'SELECT {a:UInt8}',
      params: { a: 1 },
      further: [{ sql: 'SELECT 2' }],
    });
    expect(custom).toEqual({ netspectra: { ...meta, elapsedMs: undefined } });
    expect(custom!['netspectra']).not.toHaveProperty('elapsedMs');
    expect(executedQueryString).toBe('-- traffic: counters\n\nSELECT {a:UInt8}\n-- with {"a":1}\n\nSELECT 2');
    expect(notices).toBeUndefined();
  });

  test('what was lost is a warning, what is estimated a hint, and nothing is told twice', () => {
    const drops = { kernelDropped: 1, undecodable: 2_000, flowsFolded: 3, latePackets: 4 };
    const twice = { notices: [{ severity: 'info', text: 'same' }] };
    const { notices } = said({ drops, samplingRate: 10 }, [frame([], [], twice), frame([], [], twice)]);
    expect(notices!.map(({ severity, text }) => `${severity}: ${text}`)).toEqual([
      'info: same',
      'warning: 1 packet was lost before the capture: the true numbers are higher',
      'warning: 2,000 packets could not be decoded',
      'warning: a flow table was full: 3 flows are counted as "other"',
      'info: one of up to 10 packets was captured; counts are estimates',
    ]);
  });
});
