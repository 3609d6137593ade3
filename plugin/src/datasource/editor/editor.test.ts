import type { DimensionId } from '@netspectra/query';
import { queryTypes } from '@netspectra/query';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { migrateQuery, newQuery } from '../../../server/src/contract/query.js';
import type { NetSpectraQuery } from '../types.js';
import { withParts, withType } from './change.js';
import { checkQuery } from './check.js';
import { dimensionOptions, measureOptions } from './choices.js';
import { codeOf, queryOfCode } from './code.js';
import { completions, remembered } from './filter-completion.js';
import { tokenizeLine } from './filter-language.js';
import { corrected, filterProblems, problemText } from './filter-problems.js';
import { explainChoice, orderChoice, orderOptions, withExplain, withOrder } from './option-values.js';

const query = (part: Partial<NetSpectraQuery> = {}): NetSpectraQuery => ({ ...newQuery, refId: 'A', ...part });

describe('a query before it is asked', () => {
  it('is right as it is made', () => {
    expect(checkQuery(query())).toEqual({});
    for (const type of queryTypes) {
      const changed = withType(query(), type);
      expect(checkQuery(changed), type).toEqual({});
      expect(migrateQuery(changed).type).toBe(type);
    }
  });

  it.each<[Partial<NetSpectraQuery>, string, RegExp]>([
    [{ measures: [] }, 'measures', /choose a measure/],
    [{ measures: ['bites'] }, 'measures', /no measure bites/],
    [{ type: 'explain', measures: ['bytes', 'packets'] }, 'measures', /one measure/],
    [{ type: 'graph', measures: ['flows'], groupBy: ['src_ip', 'dst_ip'] }, 'measures', /does not add up/],
    [{ type: 'explain', measures: ['bytes'], filter: 'dns_name = "a"' }, 'measures', /bytes and the filter/],
    [{ groupBy: ['sauce'] }, 'groupBy', /no dimension sauce/],
    [{ groupBy: ['src_ip/99/1'] }, 'groupBy', /0 to 32/],
    [{ groupBy: ['vlan/8'] }, 'groupBy', /no address/],
    [{ type: 'graph', groupBy: ['src_ip'] }, 'groupBy', /two or more/],
    [{ type: 'flows', measures: [], filter: 'dns_name = "a"' }, 'filter', /flow records/],
    [{ limit: 1001 }, 'limit', /1 to 1,000/],
    [{ limit: 'ten' }, 'limit', /whole number/],
    [{ interval: '5 minutes' }, 'interval', /duration/],
    [{ compareTo: { offset: 'yesterday' } }, 'compareTo', /previous/],
    [{ type: 'graph', groupBy: ['src_ip', 'dst_ip'], compareTo: { offset: '1d' } }, 'compareTo', /only/],
    [{ type: 'explain', explain: { at: 'noon' } }, 'at', /2026/],
    [{ type: 'explain', explain: { at: '$when', width: 'long' } }, 'width', /10m/],
    [{ measures: ['dns_error_ratio'], groupBy: ['vlan', 'http_host'] }, 'measures', /dns_error_ratio and http_host/],
  ])('%j is wrong in %s', (part, field, message) => {
    expect(checkQuery(query(part))).toEqual({ [field]: expect.stringMatching(message) as string });
  });

  it('is not judged by what a variable may hold', () => {
    const parts = {
      measures: ['$m'],
      groupBy: ['${by}'],
      limit: '$top',
      interval: '$__interval',
      filter: 'src_ip = $ip',
    };
    expect(checkQuery(query(parts))).toEqual({});
  });
});

describe('changes', () => {
  it('of the type keep what the new type has', () => {
    const before = query({
      filter: 'tcp',
      interval: '1m',
      compareTo: { offset: '1d' },
      direction: 'in',
      live: 'rates',
    });
    expect(withType(before, 'graph')).toEqual({
      ...newQuery,
      refId: 'A',
      type: 'graph',
      groupBy: ['src_ip', 'dst_ip'],
      filter: 'tcp',
      direction: 'in',
    });
    expect(withType(before, 'timeseries')).toBe(before);
  });

  it('leave no key without a value', () => {
    expect(withParts(query({ filter: 'tcp' }), { filter: '', direction: undefined })).toEqual(query());
  });

  it('of the order and the ranges come back as choices', () => {
    const table = query({ type: 'table', measures: ['bytes'], groupBy: ['src_ip/24'] });
    for (const { value } of orderOptions(table)) expect(orderChoice(withOrder(table, value))).toBe(value);
    for (const choice of ['before', 'at', 'offset'] as const) {
      expect(explainChoice(withExplain(query({ type: 'explain' }), choice))).toBe(choice);
    }
    const strange = query({ type: 'table', orderBy: [{ measure: 'packets', direction: 'asc' }] });
    expect(orderOptions(strange).map(({ value }) => value)).toContain('measure packets asc');
  });
});

describe('choices', () => {
  it('have every measure with its group, unit and meaning, groups together', () => {
    expect(measureOptions.find(({ value }) => value === 'rtt_p95')).toMatchObject({
      group: 'TCP health',
      description: expect.stringContaining('(time)') as string,
    });
    const groups = measureOptions.map(({ group }) => group);
    const runs = groups.filter((group, i) => group !== groups[i - 1]);
    expect(new Set(runs).size).toBe(runs.length);
  });

  it('have networks of addresses only', () => {
    const values = dimensionOptions.map(({ value }) => value);
    expect(values).toContain('src_ip/24');
    expect(values).not.toContain('vlan/24');
  });
});

describe('code', () => {
  it('is the query and comes back as it', () => {
    const stored = query({ filter: 'tcp', orderBy: [{ measure: 'bytes', direction: 'asc' }], hide: true });
    expect(queryOfCode(codeOf(stored), stored)).toEqual(stored);
    expect(codeOf(stored)).not.toMatch(/refId|version|hide/);
  });

  it.each([
    ['{', /not JSON/],
    ['[]', /object is expected/],
    ['{"type": "pie"}', /type: one of/],
    ['{"type": "table", "mesures": []}', /no key mesures/],
    ['{"type": "table", "measures": "bytes"}', /measures: a list/],
  ])('%s is refused', (text, message) => {
    expect(queryOfCode(text, query())).toMatch(message);
  });
});

describe('mistakes in a filter', () => {
  it('are told with what could be meant', () => {
    const [first] = filterProblems('dst_prot = 80');
    expect(first).toMatchObject({ offset: 0, suggestion: 'dst_port' });
    expect(problemText(first!)).toContain('dst_port');
    expect(corrected('dst_prot = 80', first!)).toBe('dst_port = 80');
  });

  it('do not touch template variables, and are seen beside them', () => {
    expect(filterProblems('src_ip = $host and dst_port in ($ports)')).toEqual([]);
    expect(filterProblems('$filter')).toEqual([]);
    expect(filterProblems('src_ip = ${host} and dst_prot = 80')).toMatchObject([{ offset: 21 }]);
    expect(filterProblems('[[all]] and')).not.toEqual([]);
  });

  it('never fail on any text', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void filterProblems(text)));
  });
});

describe('completion', () => {
  it('asks for values where they help and offers them first', async () => {
    const values = vi.fn(() => Promise.resolve(['10.0.0.7', '10.0.0.9']));
    const items = await completions('src_ip = 10.', 12, values);
    expect(values).toHaveBeenCalledWith('src_ip', '10.');
    expect(items.slice(0, 2).map(({ insert }) => insert)).toEqual(['10.0.0.7', '10.0.0.9']);
    values.mockClear();
    await completions('src_i', 5, values);
    expect(values).not.toHaveBeenCalled();
  });

  it('has the language when values cannot be had', async () => {
    const items = await completions('protocol = ', 11, () => Promise.reject(new Error('down')));
    expect(items.map(({ label }) => label)).toContain('tcp');
  });

  it('asks the same once in a while, and again after a failure', async () => {
    let now = 0;
    const ask = vi.fn((_dimension: DimensionId, prefix: string) =>
      prefix === 'x' ? Promise.reject(new Error('down')) : Promise.resolve([prefix]),
    );
    const values = remembered(ask, () => now, 1_000, 2);
    await values('src_ip', 'a');
    await values('src_ip', 'a');
    expect(ask).toHaveBeenCalledTimes(1);
    now = 1_001;
    await values('src_ip', 'a');
    expect(ask).toHaveBeenCalledTimes(2);
    await expect(values('src_ip', 'x')).rejects.toThrow('down');
    await expect(values('src_ip', 'x')).rejects.toThrow('down');
    expect(ask).toHaveBeenCalledTimes(4);
    await values('src_ip', 'b');
    await values('src_ip', 'c');
    await values('src_ip', 'a');
    expect(ask).toHaveBeenCalledTimes(7); // the oldest went: two are kept
  });
});

describe('highlighting', () => {
  it('knows a token by what stands on the lines before', () => {
    const first = tokenizeLine('dst_port in (80,', { before: '' });
    const second = tokenizeLine('443)', first.endState as unknown as { before: string });
    expect(second.tokens).toEqual([
      { startIndex: 0, scopes: 'number' },
      { startIndex: 3, scopes: 'delimiter' },
    ]);
  });
});
