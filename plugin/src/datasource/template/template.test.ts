import fc from 'fast-check';
import { parseFilter } from '@netspectra/query';
import { describe, expect, it } from 'vitest';
import { expandMacros } from '../../../server/src/contract/macros.js';
import type { NetSpectraQuery } from '../types.js';
import { fillFilter } from './filter.js';
import type { Replace } from './variable.js';
import { fillQuery } from './variables.js';

/** Grafana's templateSrv.replace as far as it matters: format functions see the raw value, custom "all" values do not. */
function replacer(values: Record<string, unknown>, custom: Record<string, string> = {}): Replace {
  return (text, _scoped, format) =>
    text.replace(
      /\$\{(\w+)(?:[.:][^}]*)?\}|\$(\w+)|\[\[(\w+)(?::\w+)?\]\]/g,
      (whole, a?: string, b?: string, c?: string) => {
        const name = a ?? b ?? c ?? '';
        if (name in custom) return custom[name]!;
        if (!(name in values)) return whole;
        const value = values[name];
        if (typeof format === 'function') return format(value);
        return Array.isArray(value) ? `{${value.join(',')}}` : String(value);
      },
    );
}

const fill = (filter: string, values: Record<string, unknown>, custom?: Record<string, string>): string =>
  fillFilter(filter, {}, replacer(values, custom));

describe('variables in filters', () => {
  it.each([
    ['src_ip = $host', { host: '10.0.0.1' }, 'src_ip = 10.0.0.1'],
    ['src_ip = $host', { host: ['10.0.0.1', '10.0.0.2'] }, 'src_ip in (10.0.0.1, 10.0.0.2)'],
    ['src_ip != ${host}', { host: ['10.0.0.1', '10.0.0.2'] }, 'src_ip not in (10.0.0.1, 10.0.0.2)'],
    ['src_ip = $host and udp', { host: '10.0.0.1' }, 'src_ip = 10.0.0.1 and udp'],
    ['src_ip in $host', { host: '10.0.0.0/8' }, 'src_ip in (10.0.0.0/8)'],
    ['src_ip in ($host)', { host: ['10.0.0.0/8', 'fd00::/8'] }, 'src_ip in (10.0.0.0/8, fd00::/8)'],
    ['src_ip NOT  IN [[host]]', { host: ['10.0.0.1'] }, 'src_ip not in (10.0.0.1)'],
    ['dns_name = $name', { name: 'www.example.org' }, 'dns_name = "www.example.org"'],
    [
      'dns_name = $name',
      { name: ['a" or bytes > 0 or dns_name = "b'] },
      'dns_name = "a\\" or bytes > 0 or dns_name = \\"b"',
    ],
    ['dns_name ~ "*.$zone"', { zone: 'example.org' }, 'dns_name ~ "*.example.org"'],
    ['dns_name = "$name"', { name: 'a"b' }, 'dns_name = "a\\"b"'],
    ['dns_name ~ $name', { name: ['*.a', '*.b'] }, '(dns_name ~ "*.a" or dns_name ~ "*.b")'],
    ['(src_ip = $host) and tcp', { host: ['10.0.0.1', '10.0.0.2'] }, '(src_ip in (10.0.0.1, 10.0.0.2)) and tcp'],
    ['(tcp and src_ip = $host)', { host: ['10.0.0.1', '10.0.0.2'] }, '(tcp and src_ip in (10.0.0.1, 10.0.0.2))'],
    ['$filter', { filter: 'tcp and port = 80' }, 'tcp and port = 80'],
    ['src_port in (80, $port)', { port: ['443', '8443'] }, 'src_port in (80, 443, 8443)'],
    ['bytes > $__interval_ms', {}, 'bytes > $__interval_ms'],
    ['dst_port = 443', { dst_port: 1 }, 'dst_port = 443'],
  ])('%s with %j is %s', (filter, values, expected) => {
    expect(fill(filter, values)).toBe(expected);
  });

  it('leaves comparisons with everything out', () => {
    expect(fill('tcp and src_ip = $host', {}, { host: '*' })).toBe('protocol = tcp');
    expect(fill('src_ip in ($host)', {}, { host: '.*' })).toBe('');
    expect(fill('not src_ip = $host and udp', {}, { host: '*' })).toBe('protocol = udp');
    expect(fill('(src_ip = $host or dst_ip = $host) and dst_port = 53', { host: '' })).toBe('dst_port = 53');
    expect(fill('src_ip in ($host)', { host: [] })).toBe('');
  });

  it('leaves an empty filter out, where it is one term of several, too', () => {
    expect(fill('$filter', { filter: '' })).toBe('');
    expect(fill('($filter) and tcp', { filter: ' ' })).toBe('protocol = tcp');
    expect(fill('udp or not ($filter) and port = 53', { filter: 'tcp' })).toBe('udp or not (tcp) and port = 53');
    expect(fill('($filter) and probe in ($probe)', { filter: '' }, { probe: '*' })).toBe('');
    expect(fill('($filter) and probe in ($probe)', { filter: 'tcp or udp', probe: ['a', 'b'] })).toBe(
      '(tcp or udp) and probe in ("a", "b")',
    );
    // In a list nothing is left out: an empty value is a mistake there, and is told.
    expect(fill('src_port in (80, $port)', { port: '' })).toBe('src_port in (80, )');
  });

  it('never lets a value be more than a value', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 3 }), (values) => {
        fc.pre(!values.every((value) => ['*', '.*', '.+', '$__all', ''].includes(value)));
        const parsed = parseFilter(fill('http_path = $path', { path: values }));
        expect(parsed.ok).toBe(true);
        if (!parsed.ok) return;
        const texts =
          parsed.filter.kind === 'in'
            ? parsed.filter.items.map((item) => (item.kind === 'text' ? item.text : ''))
            : parsed.filter.kind === 'compare' && parsed.filter.value.kind === 'text'
              ? [parsed.filter.value.text]
              : [];
        expect(new Set(texts)).toEqual(new Set(values));
      }),
    );
  });
});

describe('variables inside of quotes', () => {
  it.each(['"', "'"])('stay inside of %s, and are read once', (quote) => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('"', "'", '\\', '$a', '${a}', '[[a]]', '$__from', '\n', ' or tcp', 'x'), {
          maxLength: 6,
        }),
        (parts) => {
          const text = parts.join('');
          const filled = fill(`http_path = ${quote}<$path>${quote}`, { path: text, a: 'PUT IN' });
          const parsed = parseFilter(expandMacros(filled, { fromMs: 0, toMs: 1, intervalMs: 1_000 }));
          expect(parsed.ok && parsed.filter).toMatchObject({ value: { text: `<${text}>` } });
        },
      ),
    );
  });
});

describe('variables in other fields', () => {
  const base: NetSpectraQuery = {
    refId: 'A',
    version: 1,
    type: 'table',
    measures: ['$measure'],
    groupBy: ['$by', 'src_ip/$bits'],
  };
  const filled = (query: Partial<NetSpectraQuery>, values: Record<string, unknown>): NetSpectraQuery =>
    fillQuery({ ...base, ...query }, {}, replacer(values));

  it('makes several entries of several values, and none of none', () => {
    const query = filled({}, { measure: ['bytes', 'packets'], by: ['vlan', 'vlan', 'probe'], bits: 24 });
    expect(query.measures).toEqual(['bytes', 'packets']);
    expect(query.groupBy).toEqual(['vlan', 'probe', 'src_ip/24']);
    expect(filled({ groupBy: ['$by'] }, { by: 'none' }).groupBy).toEqual([]);
  });

  it('fills limit, interval, order, comparison, direction and the ranges of explain', () => {
    const query = filled(
      {
        limit: '$top',
        interval: '${step}',
        direction: '$way' as 'in',
        orderBy: [{ measure: '$measure' as 'bytes', direction: 'asc' }],
        compareTo: { offset: '$ago' },
        explain: { at: '$when', width: '10m' },
      },
      { measure: 'bytes', by: 'vlan', bits: 24, top: '25', step: '1m', way: 'in', ago: '1w', when: '1700000000000' },
    );
    expect(query).toMatchObject({
      limit: 25,
      interval: '1m',
      direction: 'in',
      orderBy: [{ measure: 'bytes', direction: 'asc' }],
      compareTo: { offset: '1w' },
      explain: { at: '1700000000000', width: '10m' },
    });
  });

  it('leaves macros to the server side', () => {
    expect(filled({ interval: '$__interval' }, {}).interval).toBe('$__interval');
  });
});
