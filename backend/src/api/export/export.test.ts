/** Answers as CSV and NDJSON: what they hold, what they must not become, and that they cost no memory. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../problem.js';
import { csvHeader, encodeRows, timeText } from './encode.js';
import type { Column } from './encode.js';
import { negotiate } from './negotiate.js';
import { tidyFrames } from './tidy.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

describe('negotiation (RFC 9110, 12.5.1)', () => {
  test.each([
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['text/csv', 'csv'],
    ['TEXT/CSV; charset=utf-8', 'csv'],
    ['application/x-ndjson', 'ndjson'],
    ['application/json;q=0.5, text/csv;q=0.9', 'csv'],
    ['text/*', 'csv'],
    ['text/*;q=0.3, */*;q=0.2', 'csv'],
    ['application/json;q=0, */*', 'ndjson'],
    ['text/csv;q=0, text/*;q=1, application/json;q=0.1', 'json'],
    ['text/html, application/xhtml+xml, */*;q=0.8', 'json'],
    ['text/csv;q=2, application/json;q=0.1', 'json'],
  ])('%s -> %s', (accept, form) => expect(negotiate(accept)).toBe(form));

  test.each(['text/html', 'text/csv;q=0', ';;;', 'image/*', 'x'])('%s is refused', (accept) => {
    expect(() => negotiate(accept)).toThrow(ApiError);
  });

  test('a header of any shape is decided or refused, quickly', () => {
    const begin = performance.now();
    fc.assert(
      fc.property(
        fc.string({ maxLength: 4000, unit: fc.constantFrom(',', ';', 'q', '=', '/', '*', 'a', ' ', '1') }),
        (accept) => {
          try {
            expect(['json', 'csv', 'ndjson']).toContain(negotiate(accept));
          } catch (error) {
            expect(error).toBeInstanceOf(ApiError);
          }
        },
      ),
      { seed, numRuns: 300 },
    );
    expect(performance.now() - begin).toBeLessThan(3000);
  });
});

/** RFC 4180, read back: records of fields. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let field = '';
  for (let i = 0; i < text.length;) {
    if (text[i] === '"' && field === '') {
      for (i += 1; text[i] !== '"' || text[i + 1] === '"'; i += 1) {
        if (i >= text.length) throw new Error('a quote that does not end');
        if (text[i] === '"') i += 1;
        field += text[i];
      }
      i += 1;
    } else if (text[i] === ',') {
      record.push(field);
      field = '';
      i += 1;
    } else if (text.startsWith('\r\n', i)) {
      records.push([...record, field]);
      record = [];
      field = '';
      i += 2;
    } else {
      field += text[i];
      i += 1;
    }
  }
  if (field !== '' || record.length > 0) throw new Error('the last line does not end');
  return records;
}

describe('CSV', () => {
  const columns: Column[] = [
    { name: 'time', type: 'time' },
    { name: 'host', type: 'string' },
    { name: 'value', type: 'number' },
  ];
  const encode = (host: string | null, value: number | null = 1) =>
    encodeRows('csv', columns, { rows: 1, values: [[1_700_000_000_000], [host], [value]] }, 0, 1);

  test('has a header, CRLF, quotes where they are needed, and empty cells for what is absent', () => {
    expect(csvHeader(columns)).toBe('time,host,value\r\n');
    expect(encode('a "b", c\nd')).toBe('2023-11-14T22:13:20.000Z,"a ""b"", c\nd",1\r\n');
    expect(encode(null, null)).toBe('2023-11-14T22:13:20.000Z,,\r\n');
    expect(timeText(1_700_000_000_000.25)).toBe('2023-11-14T22:13:20.000250Z');
  });

  test.each([
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    ' =cmd|calc',
    '\n=1',
    '\u00a0=1',
    '\u0000=1',
    '\uff1d1',
    '=HYPERLINK("http://x","y")',
  ])('text from the wire that looks like a formula is no formula: %j', (text) => {
    const [[, host]] = parseCsv(encode(text)) as [string[]];
    expect(host).toBe(`'${text}`);
  });

  test('numbers keep their sign, and plain text is as it was', () => {
    expect(encode('www.example.org', -5)).toContain(',www.example.org,-5\r\n');
    expect(encode("it's", 5)).toContain(",it's,5\r\n");
  });

  test(`whatever the text, it comes back whole and never begins like a formula (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        const [record] = parseCsv(encode(text));
        expect(record).toHaveLength(3);
        const host = record![1]!;
        expect(host === text || host === `'${text}`).toBe(true);
        expect(host.trimStart()).not.toMatch(/^[=+\-@\uff1d\uff0b\uff0d\uff20]/u);
      }),
      { seed, numRuns: 2000 },
    );
  });
});

describe('NDJSON', () => {
  test('is one object a line, whatever the text', () => {
    const columns: Column[] = [{ name: 'a"b', type: 'string' }];
    const text = encodeRows('ndjson', columns, { rows: 2, values: [['x\ny\u2028', null]] }, 0, 2);
    expect(text.split('\n')).toHaveLength(3);
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([{ 'a"b': 'x\ny\u2028' }, { 'a"b': null }]);
  });
});

describe('frames as rows', () => {
  test('a wide time series becomes long: time, labels, measures', () => {
    const field = (name: string, labels?: Record<string, string>) => ({
      name,
      type: name === 'time' ? ('time' as const) : ('number' as const),
      ...(labels ? { labels } : {}),
    });
    const frame = {
      schema: {
        refId: 'A',
        fields: [
          field('time'),
          field('bytes', { app: 'tls' }),
          field('packets', { app: 'tls' }),
          field('bytes', { app: 'dns' }),
          field('packets', { app: 'dns' }),
        ],
      },
      data: {
        values: [
          [1, 2],
          [10, 20],
          [3, 4],
          [30, null],
          [5, 6],
        ],
      },
    };
    const { columns, blocks } = tidyFrames([frame]);
    expect(columns.map(({ name }) => name)).toEqual(['time', 'app', 'bytes', 'packets']);
    expect(blocks).toEqual([
      {
        rows: 2,
        values: [
          [1, 2],
          ['tls', 'tls'],
          [10, 20],
          [3, 4],
        ],
      },
      {
        rows: 2,
        values: [
          [1, 2],
          ['dns', 'dns'],
          [30, null],
          [5, 6],
        ],
      },
    ]);
  });

  test('several frames share their columns and are told apart', () => {
    const frame = (name: string, field: string) => ({
      schema: { refId: 'A', name, fields: [{ name: field, type: 'string' as const }] },
      data: { values: [['x']] },
    });
    const { columns, blocks } = tidyFrames([frame('nodes', 'id'), frame('edges', 'source')]);
    expect(columns.map(({ name }) => name)).toEqual(['frame', 'id', 'source']);
    expect(blocks.map(({ values }) => values)).toEqual([
      [['nodes'], ['x'], []],
      [['edges'], [], ['x']],
    ]);
  });
});
