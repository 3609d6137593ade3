// @vitest-environment jsdom
import '../testing/dom.js';
import { parseFilter, parseGroupKey } from '@netspectra/query';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { checkQuery } from '../datasource/editor/check.js';
import type { Engine, Probe } from '../datasource/resources/probes.js';
import { bodyOf, captureActions, draftOf, draftProblems, newDraft } from './pages/capture-rules/capture-rule.js';
import { filterOf, panelsOf, rowSteps, start } from './pages/explorer/panels.js';
import { firstSteps, healthOf } from './pages/home/health.js';
import { pages } from './shared/ids.js';
import { explorerUrl, explorerViews, filterOfTargets } from './shared/links.js';
import type { Status } from './shared/status.js';

const good: Status = {
  reachable: true,
  ready: true,
  dependencies: [{ name: 'store', ok: true, detail: '' }],
  role: 'Viewer',
  may: { changeRules: false, changeCaptureRules: false, tokens: false },
};
const probe: Probe = {
  id: 'p1',
  last_seen: 1,
  lag_seconds: 1,
  first_packet: 1,
  last_packet: 1,
  flows_live: 1,
  packets: 1_000_000,
  bytes: 1,
  decoded: 1,
  drops: { kernel: 0, filtered: 0, undecodable: 0 },
  undecodable_reasons: {},
  late_packets: 0,
  flows_folded: 0,
  sources: [],
};
const engine: Engine = {
  id: 'p1',
  state: 'reading',
  source: 'eth0',
  workers: 2,
  packets_read: 1,
  packets_stored: 1,
  bytes_stored: 1,
  flows_live: 1,
  watermark: 1,
  lag_seconds: 1,
  memory_bytes: 1,
  limits: {},
};

describe('the health of the pipeline', () => {
  const levels = (...given: Parameters<typeof healthOf>): Record<string, string> =>
    Object.fromEntries(healthOf(...given).map(({ name, level }) => [name, level]));

  it('is good when all is', () => {
    expect(levels(good, [probe], [engine])).toEqual({
      API: 'good',
      Probes: 'good',
      'Capture loss': 'good',
      Engines: 'good',
    });
  });

  it('names the store that is down', () => {
    const status = { ...good, ready: false, dependencies: [{ name: 'store', ok: false, detail: 'refused' }] };
    expect(levels(status, [], [])).toEqual({ API: 'bad', store: 'bad' });
  });

  it('warns of loss, of folded flows and of an engine that is behind', () => {
    const losing = { ...probe, drops: { ...probe.drops, kernel: 100 } };
    expect(levels(good, [losing], [engine])['Capture loss']).toBe('warning');
    expect(levels(good, [{ ...probe, flows_folded: 1 }], [engine])['Capture loss']).toBe('warning');
    expect(levels(good, [probe], [{ ...engine, lag_seconds: 120 }])['Engines']).toBe('warning');
    // A capture file is of the past.
    expect(levels(good, [probe], [{ ...engine, source: '/tmp/a.pcap', lag_seconds: 1e9 }])['Engines']).toBe('good');
  });

  it('has first steps until there is traffic', () => {
    expect(firstSteps({ ...good, ready: false }, [], 'u').map(({ done }) => done)).toEqual([false, false, false]);
    expect(firstSteps(good, [probe], 'u').every(({ done }) => done)).toBe(true);
  });
});

describe('the explorer', () => {
  const places = explorerViews.flatMap((view) =>
    ['', '10.0.0.1', '2001:db8::1', '1 or tcp'].flatMap((host) =>
      ['', 'tcp', 'tcp or udp'].map((filter) => ({ ...start, view, host, filter })),
    ),
  );

  it.each(places)('asks what can be asked in %j', (place) => {
    const panels = panelsOf(place);
    expect(panels.length).toBeGreaterThan(0);
    for (const { query, title } of panels) {
      if (place.host.includes(' ') && place.view === 'host') {
        // What is no address stays one wrong word: no part of it is read as a filter.
        expect(query.filter).toContain('"1 or tcp"');
        continue;
      }
      expect(checkQuery(query), title).toEqual({});
      expect(parseFilter(query.filter ?? '').ok, `${title}: ${query.filter}`).toBe(true);
      for (const key of query.groupBy) expect(typeof parseGroupKey(key)).toBe('object');
    }
  });

  it('counts flows where a filter leaves no bytes, and leaves out what it leaves nothing of', () => {
    const titles = (filter: string): string[] =>
      panelsOf({ ...start, view: 'host', host: '10.0.0.1', filter }).map(({ title }) => title);
    expect(titles('')).toContain('Names asked for');
    expect(titles('tcp')).not.toContain('Names asked for');
    const named = panelsOf({ ...start, filter: 'dns_name = "example.org"' });
    expect(named.find(({ title }) => title === 'Who sends')?.query.measures).toEqual(['flows']);
    for (const { query } of named) expect(checkQuery(query)).toEqual({});
  });

  it('goes on live, lists more flows, and explains a moment', () => {
    const first = (place: object) => panelsOf({ ...start, ...place })[0]!.query;
    expect(first({ live: true })).toMatchObject({ live: 'applications' });
    expect(first({}).live).toBeUndefined();
    for (const rows of rowSteps) expect(first({ view: 'flows', rows })).toMatchObject({ limit: rows });
    const explained = (at: string) => panelsOf({ ...start, view: 'changes', at }).map(({ query }) => query);
    expect(explained('1767225600000')).toMatchObject([{}, { type: 'explain', explain: { at: '1767225600000' } }]);
    // What is no time is said at its field; the range is compared with the time before.
    for (const at of ['', 'noon']) {
      expect(explained(at)[0]).toMatchObject({ compareTo: { offset: 'previous' } });
      expect(explained(at)[1]).not.toHaveProperty('explain');
    }
  });

  it('keeps what was typed beside the host', () => {
    expect(filterOf({ view: 'host', host: '10.0.0.1', filter: 'tcp or udp' })).toBe('(tcp or udp) and host = 10.0.0.1');
    expect(filterOf({ view: 'flows', host: '10.0.0.1', filter: 'tcp' })).toBe('tcp');
  });

  it('has an address for every place', () => {
    expect(explorerUrl({})).toBe(pages.explorer);
    expect(explorerUrl({ view: 'flows', filter: 'a = "b&c"', from: 'now-1h', to: 'now' })).toBe(
      `${pages.explorer}?view=flows&filter=a+%3D+%22b%26c%22&from=now-1h&to=now`,
    );
    expect(
      filterOfTargets([{ refId: 'A', filter: 'tcp' } as never, { refId: 'B', filter: 'udp', hide: true } as never]),
    ).toBe('tcp');
    expect(filterOfTargets([{ refId: 'A', filter: 'tcp' } as never, { refId: 'B' }])).toBeUndefined();
  });
});

describe('capture rules', () => {
  it.each(captureActions)('with %s come back from the form as they went in', (action) => {
    const body = bodyOf({ ...newDraft, name: 'No backups', filter: 'port 873', probes: 'edge-*,core', action });
    expect(bodyOf(draftOf(body))).toEqual(body);
    expect(draftProblems(draftOf(body))).toEqual({});
    expect(body.probes).toEqual(['edge-*', 'core']);
  });

  it('tell what is wrong', () => {
    const draft = { ...newDraft, probes: 'a b/c', filter: 'port', action: 'sample' as const, rate: '1', priority: '' };
    expect(Object.keys(draftProblems(draft)).sort()).toEqual(['filter', 'name', 'priority', 'probes', 'rate']);
    expect(draftProblems({ ...newDraft, name: 'x', rate: 'many' })).toEqual({});
  });
});

describe('the pages', () => {
  it('of the manifest are those of the app', async () => {
    const manifest = JSON.parse(await readFile(`${import.meta.dirname}/../plugin.json`, 'utf8')) as {
      includes: { path: string; type: string }[];
    };
    const paths = manifest.includes.map(({ path }) => path.replace('%PLUGIN_ID%', 'netspectra-app'));
    for (const page of Object.values(pages)) expect(paths).toContain(page);
    expect(paths.filter((path) => path.startsWith('/a/'))).toHaveLength(Object.keys(pages).length);
  });
});
