import fc from 'fast-check';
import { parseFilter } from '@netspectra/query';
import { describe, expect, it } from 'vitest';
import type { NetSpectraQuery } from '../types.js';
import { displayText } from './display-text.js';
import { addValue, hasValue, toggleValue } from './explore-filters.js';
import { addTerm, andFilters, removeTerm, termOf, termsOf } from './filter-terms.js';
import { migrated } from './migrate.js';

const query = (part: Partial<NetSpectraQuery> = {}): NetSpectraQuery => ({
  refId: 'A',
  version: 1,
  type: 'timeseries',
  measures: ['bits_per_second'],
  groupBy: [],
  ...part,
});

describe('ad hoc filters as terms', () => {
  it.each([
    [{ key: 'src_ip', operator: '=', value: '10.0.0.1' }, 'src_ip = 10.0.0.1'],
    [{ key: 'src_ip/24', operator: '=', value: '10.0.0.0/24' }, 'src_ip in 10.0.0.0/24'],
    [{ key: 'src_ip/24', operator: '!=', value: '10.0.0.0/24' }, 'src_ip not in 10.0.0.0/24'],
    [{ key: 'protocol', operator: '=', value: 'tcp' }, 'protocol = tcp'],
    [{ key: 'dns_name', operator: '=', value: 'a b' }, 'dns_name = "a b"'],
    [{ key: 'dns_name', operator: '=', value: '' }, 'dns_name = ""'],
    [{ key: 'dns_name', operator: '=~', value: '^a/b' }, 'dns_name =~ /^a\\/b/'],
    [{ key: 'dns_name', operator: '!~', value: 'x' }, 'not dns_name =~ /x/'],
    [{ key: 'dst_port', operator: '=|', value: '80', values: ['80', '443'] }, 'dst_port in (80, 443)'],
    [{ key: 'dst_port', operator: '!=|', value: '80', values: ['80', 'https'] }, 'dst_port not in (80, https)'],
    [{ key: 'vlan', operator: '>', value: '100' }, 'vlan > 100'],
    [{ key: 'src_ip', operator: '=~', value: '10.0.0.0/8' }, 'src_ip in 10.0.0.0/8'],
    [{ key: 'period', operator: '=', value: '1 week before' }, undefined],
    [{ key: 'src_ip', operator: '=', value: 'other' }, undefined],
  ])('%j is %s', (chosen, expected) => {
    const term = termOf(chosen);
    expect(term).toBe(expected);
    if (term !== undefined) expect(parseFilter(term).ok).toBe(true);
  });

  it('keeps any text value what it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (value) => {
        const parsed = parseFilter(termOf({ key: 'http_path', operator: '=', value })!);
        expect(parsed.ok && parsed.filter.kind === 'compare' && parsed.filter.value).toEqual({
          kind: 'text',
          text: value,
        });
      }),
    );
  });

  it('does not let a value of an address field out of its term', () => {
    const term = termOf({ key: 'src_ip', operator: '=', value: '10.0.0.1 or bytes > 0' })!;
    expect(term).toBe('src_ip = "10.0.0.1 or bytes > 0"');
  });

  it('puts brackets only where they are needed', () => {
    expect(andFilters('tcp', '', undefined, 'vlan = 1')).toBe('tcp and vlan = 1');
    expect(andFilters('tcp or udp', 'vlan = 1')).toBe('(tcp or udp) and vlan = 1');
    expect(andFilters('tcp or udp')).toBe('tcp or udp');
  });

  it('adds and takes away terms however they are written', () => {
    expect(termsOf('tcp and (vlan = 1 or vlan = 2)')).toEqual(['protocol = tcp', 'vlan = 1 or vlan = 2']);
    expect(addTerm('src 10.0.0.1', 'src_ip = 10.0.0.1')).toBe('src 10.0.0.1');
    expect(removeTerm('src 10.0.0.1 and (udp or tcp)', 'src_ip = 10.0.0.1')).toBe('protocol = udp or protocol = tcp');
  });
});

describe("Explore's plus and minus", () => {
  const value = { key: 'src_ip', value: '10.0.0.1' };

  it('narrows, turns round, and goes as a switch', () => {
    const narrowed = addValue(query({ filter: 'tcp' }), value, false);
    expect(narrowed.filter).toBe('tcp and src_ip = 10.0.0.1');
    expect(hasValue(narrowed, value)).toBe(true);
    const without = toggleValue(narrowed, value, true);
    expect(without.filter).toBe('protocol = tcp and src_ip != 10.0.0.1');
    expect(hasValue(without, value)).toBe(false);
    expect(toggleValue(without, value, true).filter).toBe('protocol = tcp');
  });

  it('leaves the query alone where no filter can say it', () => {
    const before = query({ filter: 'tcp' });
    expect(addValue(before, { key: 'src_ip', value: 'other' }, false)).toBe(before);
  });
});

describe('stored queries', () => {
  it('are new where nothing was chosen', () => {
    const { query: made } = migrated({ refId: 'B', datasource: { uid: 'x' } } as NetSpectraQuery);
    expect(made).toMatchObject({
      refId: 'B',
      type: 'timeseries',
      measures: ['bits_per_second'],
      groupBy: ['application'],
    });
  });

  it('of a version before keep what they said, and Grafana its keys', () => {
    const stored = {
      refId: 'C',
      hide: true,
      type: 'table',
      measures: ['bytes'],
      filter: 'tcp',
    } as unknown as NetSpectraQuery;
    expect(migrated(stored)).toEqual({
      query: { refId: 'C', hide: true, version: 1, type: 'table', measures: ['bytes'], groupBy: [], filter: 'tcp' },
    });
  });

  it('that nobody can read are told', () => {
    const { mistake } = migrated({ ...query(), version: 99 } as unknown as NetSpectraQuery);
    expect(mistake).toMatch(/newer version/);
  });
});

describe('a query in one line', () => {
  it.each([
    [query(), 'bits_per_second'],
    [
      query({ type: 'table', groupBy: ['src_ip/24'], filter: ' tcp ', limit: 5, other: true, direction: 'in' }),
      'table: bits_per_second by src_ip/24 where tcp (in) (5, other)',
    ],
    [query({ type: 'flows', measures: [], filter: 'tcp' }), 'flow records where tcp'],
    [query({ type: 'explain', compareTo: { offset: '1w' } }), 'what changed: bits_per_second against 1w'],
    [query({ live: 'talkers' }), 'live: talkers'],
  ])('%#', (given, expected) => {
    expect(displayText(given)).toBe(expected);
  });
});
