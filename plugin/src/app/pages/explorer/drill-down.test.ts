// @vitest-environment jsdom
/** Links through Grafana's own code: its links of fields, its variables, its clean-up of URLs. */
import '../../../testing/dom.js';
import type { Field } from '@grafana/data';
import { FieldType, getLinksSupplier, toDataFrame } from '@grafana/data';
import {
  EmbeddedScene,
  SceneCSSGridLayout,
  sceneGraph,
  SceneTimeRange,
  SceneVariableSet,
  TestVariable,
} from '@grafana/scenes';
import { dimensions, findField, parseFilter } from '@netspectra/query';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandMacros, leftVariable } from '../../../../server/src/contract/macros.js';
import { fillFilter } from '../../../datasource/template/filter.js';
import { settledSearch } from '../../shared/links.js';
import { columnLinks, hostLink } from './drill-down.js';
import type { ExplorerState } from './panels.js';
import { start } from './panels.js';

const scene = new EmbeddedScene({
  $timeRange: new SceneTimeRange({ from: 'now-1h', to: 'now' }),
  $variables: new SceneVariableSet({
    variables: ['secret', '__user', 'a'].map((name) => new TestVariable({ name, value: 'PUT IN', text: 'PUT IN' })),
  }),
  body: new SceneCSSGridLayout({ children: [] }),
});
const replace = (text: string, scoped?: object, format?: unknown): string =>
  sceneGraph.interpolate(scene, text, scoped as never, format as never);

const nowhere: ExplorerState = start;

/** Where Grafana sends somebody who chooses the last link of a cell, after the explorer has opened. */
function follow(column: string, value: unknown, place = nowhere, pick = -1): URLSearchParams {
  const links = columnLinks(place).find((each) => each.column === column)!.links;
  const type = typeof value === 'number' ? FieldType.number : FieldType.string;
  const frame = toDataFrame({ fields: [{ name: column, type, values: [value], config: { links: [...links] } }] });
  const field: Field = frame.fields[0]!;
  const made = getLinksSupplier(frame, field, {}, replace)({ valueRowIndex: 0 });
  const url = new URL(made.at(pick)!.href, 'http://grafana');
  return new URLSearchParams(settledSearch(url.search) ?? url.search);
}

/** The filter as the API gets it from a panel of the explorer. */
function asked(filter: string): string {
  const filled = fillFilter(filter, {}, replace);
  expect(leftVariable(filled)).toBeUndefined();
  return expandMacros(filled, { fromMs: 0, toMs: 1, intervalMs: 1_000 });
}

const hostile = fc.oneof(
  fc.string({ maxLength: 60, unit: 'grapheme' }),
  fc.string({ maxLength: 60, unit: 'binary' }).filter((text) => !/[\0\p{Cs}]/u.test(text)),
  fc
    .array(
      fc.constantFrom(
        ...['"', "'", '\\', '\\"', '\\u{22}', '$a', '${secret}', '${__user.login}', '${__from}', '$__interval'],
        ...['[[a]]', '[[', ']]', '${', '}', '$', '%22', '%', '&', '#', '+', '=', '|', '/', '\n', '\t', ' ', '\u202e'],
        ...[
          '<img src=x onerror=alert(1)>',
          '&#34;',
          '&tab;',
          'javascript:alert(1)',
          ' or bytes > 0',
          '*',
          '?',
          'é',
          '日本',
        ],
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
);
const textColumns = dimensions.filter(({ id }) => findField(id)?.kind === 'text').map(({ id }) => id);

describe('links of values', () => {
  it('lead to a filter for exactly that value, whatever was captured', () => {
    fc.assert(
      fc.property(fc.constantFrom(...textColumns), hostile, (column, value) => {
        const parsed = parseFilter(asked(follow(column, value).get('filter')!));
        expect(parsed.ok && parsed.filter).toMatchObject({ kind: 'compare', value: { kind: 'text', text: value } });
      }),
      { numRuns: 1_000 },
    );
  });

  it('keep what was chosen before, exactly', () => {
    fc.assert(
      fc.property(hostile, hostile, (first, second) => {
        const filter = follow('http_path', first).get('filter')!;
        const parsed = parseFilter(asked(follow('dns_name', second, { ...nowhere, filter }).get('filter')!));
        expect(parsed.ok && parsed.filter.kind === 'and' && parsed.filter.terms).toMatchObject([
          { value: { text: first } },
          { value: { text: second } },
        ]);
      }),
      { numRuns: 300 },
    );
  });

  it('are patterns for what no filter can write', () => {
    expect(follow('dns_name', 'a\0*b').get('filter')).toBe('dns_name ~ "a?\\\\*b"');
  });

  it.each([
    ['dst_port', 443, 'dst_port = 443'],
    ['protocol', 'tcp', 'protocol = tcp'],
    ['src_ip', '2001:db8::1', 'src_ip = 2001:db8::1'],
    ['src_country', '', 'src_country = ""'],
    ['src_ip', null, undefined],
    ['filter', 'vlan = 7 or vlan = 8', 'vlan = 7 or vlan = 8'],
  ])('of %s %j add %s', (column, value, expected) => {
    const filter = follow(column, value).get('filter') ?? undefined;
    expect(filter).toBe(expected);
    if (filter !== undefined) expect(parseFilter(filter).ok).toBe(true);
  });

  it('keep the range, the view and what was typed', () => {
    const place: ExplorerState = {
      ...start,
      source: 'u2',
      view: 'host',
      host: '10.0.0.1',
      filter: 'tcp or dns_name = "a&b$c"',
    };
    expect(Object.fromEntries(follow('src_ip', '10.0.0.9', place))).toMatchObject({
      source: 'u2',
      view: 'host',
      host: '10.0.0.1',
      filter: '(tcp or dns_name = "a&b$c") and src_ip = 10.0.0.9',
      from: 'now-1h',
      to: 'now',
    });
    expect(Object.fromEntries(follow('src_ip', '10.0.0.9', place, 0))).toMatchObject({
      source: 'u2',
      view: 'host',
      host: '10.0.0.9',
      filter: 'tcp or dns_name = "a&b$c"',
      from: 'now-1h',
      to: 'now',
    });
    expect(hostLink(nowhere).url).toContain('view=host');
  });

  it('ignore columns that are none', () => {
    expect(settledSearch('?key=a%22b&value=1&filter=tcp&from=1')).toBe('from=1&filter=tcp');
    expect(settledSearch('?filter=tcp&from=1')).toBeUndefined();
  });
});
