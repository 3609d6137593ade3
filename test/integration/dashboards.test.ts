/**
 * Every query of every dashboard, with variables as the datasource's front end puts them in, through the datasource's
 * executable to an API with the sample capture: each gives rows in the form that its panel draws. Before that, what can be
 * seen in the files alone.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dashboard, Panel } from '@grafana/schema';
import { findDimension, findMeasure, parseGroupKey } from '@netspectra/query';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrateQuery, newQuery } from '../../plugin/server/src/contract/query.js';
import {
  annotationRefId,
  annotationTarget,
  fillAlerts,
  isAlertsQuery,
} from '../../plugin/src/datasource/annotations/query.js';
import type { ResourceCaller } from '../../plugin/src/datasource/resources/values.js';
import { askValues } from '../../plugin/src/datasource/resources/values.js';
import { fillQuery } from '../../plugin/src/datasource/template/variables.js';
import { fillFilter } from '../../plugin/src/datasource/template/filter.js';
import { variableQueryOf } from '../../plugin/src/datasource/variables/query.js';
import type { NetSpectraQuery } from '../../plugin/src/datasource/types.js';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { defaultsOf, panelsOf, readDashboards, replaceWith, variablesIn, variablesOf } from '../kit/dashboards.js';
import type { Chosen } from '../kit/dashboards.js';
import { PluginProcess } from '../kit/plugin-host/index.js';
import type { DecodedFrame } from '../kit/plugin-host/index.js';
import { repository, sampleCapture, temporaryFolder, until } from './process.js';

const all = readDashboards();
const byUid = new Map(all.map(([, dashboard]) => [dashboard.uid, dashboard]));
const ours = 'netspectra-datasource';
const isOurs = ({ datasource }: Panel): boolean => datasource?.type === ours;
const manifest = JSON.parse(readFileSync(join(repository, 'plugin/src/plugin.json'), 'utf8')) as {
  includes: { type: string; name: string; path: string }[];
};

describe('the files', () => {
  test('are what dashboards/src makes', () => {
    execFileSync(process.execPath, [join(repository, 'scripts/make-dashboards.js'), '--check'], { stdio: 'pipe' });
  });

  test('are ten, with addresses of their own, all of them in the app', () => {
    expect(all).toHaveLength(10);
    expect(byUid.size).toBe(10);
    const included = manifest.includes.filter(({ type }) => type === 'dashboard');
    expect(new Set(included.map(({ name, path }) => `${path} ${name}`))).toEqual(
      new Set(all.map(([file, { title }]) => `dashboards/${file} ${title}`)),
    );
    for (const [file] of all) {
      const built = readFileSync(join(repository, 'plugin/dist/dashboards', file), 'utf8');
      expect(JSON.parse(built)).toEqual(JSON.parse(readFileSync(join(repository, 'dashboards', file), 'utf8')));
    }
  });
});

describe.each(all)('%s', (_file, dashboard) => {
  const panels = panelsOf(dashboard);

  test('can be imported by an app: fixed uid, no id, no inputs, a revision', () => {
    expect(dashboard).toMatchObject({ uid: expect.stringMatching(/^netspectra-[a-z-]{2,29}$/) as string, id: null });
    expect(dashboard).not.toHaveProperty('__inputs');
    expect(dashboard).not.toHaveProperty('__requires');
    expect(Number.isSafeInteger(dashboard.revision)).toBe(true);
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(41);
    expect(dashboard.tags).toContain('netspectra');
    expect(dashboard.description).toBeTruthy();
  });

  test('names no datasource but by its variables', () => {
    const uids = [...JSON.stringify(dashboard).matchAll(/"uid":"([^"]*)"/g)].map(([, uid]) => uid);
    const own = [dashboard.uid, '${datasource}', '${prometheus}', '-- Grafana --'];
    expect(uids.filter((uid) => !own.includes(uid))).toEqual([]);
    for (const panel of panels) {
      expect(panel.targets!.length).toBeGreaterThan(0);
      for (const target of panel.targets!) expect(target['datasource']).toEqual(panel.datasource);
    }
  });

  test('has panels with ids of their own, side by side without holes and overlaps', () => {
    const ids = (dashboard.panels ?? []).flatMap((panel) => [
      panel.id,
      ...('panels' in panel ? panel.panels : []).map(({ id }) => id),
    ]);
    expect(new Set(ids).size).toBe(ids.length);
    const rows = new Map<number, { x: number; w: number; h: number }[]>();
    for (const { gridPos } of panels) rows.set(gridPos!.y, [...(rows.get(gridPos!.y) ?? []), gridPos!]);
    for (const places of rows.values()) {
      places.sort((a, b) => a.x - b.x);
      let x = 0;
      for (const place of places) {
        expect(place.x).toBe(x);
        x += place.w;
      }
      expect(x).toBe(24);
      expect(new Set(places.map(({ h }) => h)).size).toBe(1);
    }
  });

  test('says what each panel is, and in which unit', () => {
    for (const { title, description, type, fieldConfig, targets } of panels) {
      expect(title, JSON.stringify(targets)).toBeTruthy();
      expect(description, title).toMatch(/\.$/);
      if (type !== 'table') {
        expect(fieldConfig!.defaults.unit, title).toBeTruthy();
        continue;
      }
      for (const measure of targets!.flatMap((target) => target['measures'] as string[])) {
        const override = fieldConfig!.overrides.filter(({ matcher }) => matcher.options === measure);
        const unit = override.flatMap(({ properties }) => properties).find(({ id }) => id === 'unit')?.value;
        expect(unit, `${title}: ${measure}`).toBe(findMeasure(measure)?.unit);
      }
    }
  });

  test('draws several measures on one axis only where they have one unit', () => {
    for (const { title, type, targets, datasource } of panels) {
      if (type !== 'timeseries' || datasource?.type !== ours) continue;
      const units = targets!.flatMap((target) => (target['measures'] as string[]).map((id) => findMeasure(id)?.unit));
      expect(new Set(units).size, title).toBe(1);
    }
  });

  test('bounds what it asks for: a limit wherever there are groups', () => {
    for (const { title, targets } of panels.filter(isOurs)) {
      for (const { groupBy, limit, type } of targets as { groupBy: string[]; limit?: unknown; type: string }[]) {
        if (groupBy.length > 0 || type === 'flows') expect(limit, title).toBeDefined();
      }
    }
  });

  test('uses no variable that it does not have, and has none that it does not use', () => {
    const known = variablesOf(dashboard).map(({ name }) => name);
    const used = variablesIn([dashboard.panels, dashboard.templating, dashboard.annotations]);
    expect([...used].filter((name) => !known.includes(name) && !name.startsWith('__'))).toEqual([]);
    expect(known.filter((name) => !used.has(name))).toEqual([]);
    for (const { name, label, description, type } of variablesOf(dashboard)) {
      expect(label, name).toBeTruthy();
      if (type !== 'datasource') expect(description, name).toBeTruthy();
    }
  });

  test('leads only to places that are there, and sets only variables that they have', () => {
    const urls = [...JSON.stringify(dashboard).matchAll(/"url":"([^"]+)"/g)].map(([, url]) => url!);
    expect(urls.length).toBeGreaterThan(0);
    for (const url of urls) {
      const [path = '', query = ''] = url.split('?');
      if (path.startsWith('/a/')) {
        const pages = manifest.includes.map((page) => page.path.replace('%PLUGIN_ID%', 'netspectra-app'));
        expect(pages).toContain(path);
        if (path.endsWith('/explorer')) expect(query).toMatch(/^source=\$\{datasource:percentencode\}/);
        continue;
      }
      const target = byUid.get(path.replace(/^\/d\//, ''));
      expect(target, url).toBeDefined();
      const set = [...query.matchAll(/(?:^|&)(?:var-(\w+)=|\$\{(\w+):queryparam\})/g)].map(([, a, b]) => a ?? b);
      expect(set.length).toBeGreaterThan(1);
      const there = variablesOf(target!).map(({ name }) => name);
      expect(
        set.filter((name) => !there.includes(name!)),
        url,
      ).toEqual([]);
      expect(url).toContain('${__url_time_range}');
    }
    const listed = dashboard.links!.find(({ type }) => type === 'dashboards');
    expect(listed).toMatchObject({ tags: ['netspectra'], includeVars: true, keepTime: true });
  });

  test('shows captured names as text: no cell and no panel that draws markup', () => {
    const cells = panels.flatMap(({ fieldConfig }) => fieldConfig!.overrides.flatMap(({ properties }) => properties));
    const types = cells
      .filter(({ id }) => id === 'custom.cellOptions')
      .map(({ value }) => (value as { type: string }).type);
    expect(types.filter((type) => !['gauge', 'color-text'].includes(type))).toEqual([]);
    const kinds = panels.map(({ type }) => type);
    expect(kinds.filter((kind) => !['timeseries', 'stat', 'table', 'bargauge', 'nodeGraph'].includes(kind))).toEqual(
      [],
    );
  });
});

// ---- with data ----

const from = Date.UTC(2026, 0, 1);
const range = { from, to: from + 60_000 };
const folder = temporaryFolder();
let api: Serving;
let plugin: PluginProcess;

beforeAll(async () => {
  const config = join(folder.path, 'netspectra.yaml');
  writeFileSync(
    config,
    'networks:\n  - { name: office, cidr: [192.0.2.0/24, "2001:db8:10::/48"] }\n  - { name: lab, cidr: 198.18.0.0/15 }\n',
  );
  [api, plugin] = await Promise.all([
    startServing(['up', '--config', config, '--read', sampleCapture, '--data', join(folder.path, 'data')]),
    PluginProcess.start(),
  ]);
  await until('the capture is read', () => api.stderr().includes('"capture read"'));
});

afterAll(async () => {
  await plugin?.stop();
  await endServings();
  folder.remove();
  expect(plugin?.logMistakes).toEqual([]);
});

const datasource = () => ({ url: api.url });

/** The datasource's resource routes, as its front end calls them. */
const caller: ResourceCaller = {
  getResource: async <T>(path: string, params: Record<string, unknown> = {}) => {
    const query = new URLSearchParams(
      Object.entries(params).map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const answer = await plugin.client.resource(datasource(), 'GET', path, { url: `${path}?${query}` });
    expect(answer.code, answer.body.toString('utf8')).toBe(200);
    return answer.json() as T;
  },
  postResource: async <T>(path: string, body: unknown) => {
    const answer = await plugin.client.resource(datasource(), 'POST', path, { body });
    expect(answer.code, answer.body.toString('utf8')).toBe(200);
    return answer.json() as T;
  },
};

/** What somebody chose, in variables that begin with everything. */
const chosen: Readonly<Record<string, Chosen>> = {
  probe: ['local'],
  network: ['office', 'lab'],
  filter: 'client_ip in (192.0.2.0/24, 2001:db8::/32, 203.0.113.0/24)',
  host: '2001:db8:10::101',
  name: '*.example.*',
  http_host: '*example*',
  server_name: '*.example.*',
  port: 'dns',
  application: 'dns',
};

/** Where the sample has nothing to show, and why, by dashboard and panel. */
const empty: Readonly<Record<string, string>> = {
  'netspectra-security/Events': 'no detector is built yet, and no rule has fired',
};

/** The query as the front end sends it. */
const filled = (target: Record<string, unknown>, values: Readonly<Record<string, Chosen>>): object => {
  const stored = { ...target, refId: String(target['refId']) } as NetSpectraQuery;
  if (isAlertsQuery(stored)) return fillAlerts(stored, {}, replaceWith(values));
  const query: NetSpectraQuery = { ...migrateQuery(target), refId: stored.refId };
  return fillQuery(query, {}, replaceWith(values));
};

const rowsOf = (frames: readonly DecodedFrame[]): number =>
  frames.reduce((sum, { fields }) => sum + (fields[0]?.values.length ?? 0), 0);

function expectFits(
  { type, title, options, fieldConfig }: Panel,
  target: Record<string, unknown>,
  frames: readonly DecodedFrame[],
): void {
  const measures = (target['measures'] as string[]).length;
  const numbers = (frame: DecodedFrame) => frame.fields.filter((field) => field.type === 'number');
  switch (type) {
    case 'timeseries':
      for (const { fields, meta } of frames) {
        expect(meta.type, title).toBe('timeseries-multi');
        expect(
          fields.map((field) => field.type),
          title,
        ).toEqual(['time', 'number']);
        expect(fields[1]!.config['unit'], title).toBe(fieldConfig!.defaults.unit);
      }
      expect(frames.length, title).toBeLessThanOrEqual(60);
      break;
    case 'stat': {
      if (target['type'] === 'timeseries') expect(frames, title).toHaveLength(1);
      const { fields: wanted } = options!['reduceOptions'] as { fields: string };
      const pattern = new RegExp(wanted.slice(1, -1));
      const shown = frames
        .flatMap(numbers)
        .filter(({ config }) => wanted === '' || pattern.test(String(config['displayName'])));
      expect(shown, title).toHaveLength(1);
      expect(
        shown[0]!.values.some((value) => value !== null),
        title,
      ).toBe(true);
      break;
    }
    case 'bargauge':
      expect(frames, title).toHaveLength(1);
      // A dimension that is a number would be drawn as a bar.
      expect(numbers(frames[0]!), title).toHaveLength(measures);
      expect(frames[0]!.fields[0]!.type, title).toBe('string');
      break;
    case 'nodeGraph':
      expect(
        frames.map(({ name }) => name),
        title,
      ).toEqual(['nodes', 'edges']);
      break;
    default:
      expect(frames, title).toHaveLength(1);
      for (const { matcher } of fieldConfig!.overrides.filter(({ properties }) =>
        properties.some(({ id }) => id === 'unit'),
      ))
        expect(
          frames[0]!.fields.map(({ name }) => name),
          title,
        ).toContain(matcher.options);
  }
}

async function check(dashboard: Dashboard, values: Readonly<Record<string, Chosen>>): Promise<string[]> {
  const without: string[] = [];
  for (const panel of panelsOf(dashboard).filter(isOurs)) {
    const place = `${dashboard.uid}/${panel.title}`;
    const queries = panel.targets!.map((target) => ({
      ...range,
      refId: String(target['refId']),
      query: filled(target, values),
    }));
    const answers = await plugin.client.query(
      datasource(),
      queries.map((query) => ({ ...query, maxDataPoints: 400, intervalMs: 1_000 })),
    );
    for (const target of panel.targets!) {
      const answer = answers[String(target['refId'])]!;
      const asked = JSON.stringify(queries.find(({ refId }) => refId === target['refId'])!.query);
      expect(answer, `${place}: ${asked}`).toMatchObject({ error: '', status: 200 });
      if (rowsOf(answer.frames) === 0) without.push(place);
      else expectFits(panel, target, answer.frames);
    }
  }
  return [...new Set(without)];
}

describe.each(all)('%s over the sample capture', (_file, dashboard) => {
  test('every panel has rows as the dashboard opens', async () => {
    const without = await check(dashboard, defaultsOf(dashboard));
    expect(without.filter((place) => !(place in empty))).toEqual([]);
  });

  test('every panel has rows with chosen values', async () => {
    const last = variablesOf(dashboard).flatMap(({ name, type, options = [] }) =>
      type === 'custom' ? [[name, String(options.at(-1)!.value)] as const] : [],
    );
    const values = { ...defaultsOf(dashboard), ...Object.fromEntries(last), ...pick(chosen, variablesOf(dashboard)) };
    const without = await check(dashboard, values);
    expect(without.filter((place) => !(place in empty))).toEqual([]);
  });

  test('query variables offer values, with the filter that is set', async () => {
    const replace = replaceWith({ ...defaultsOf(dashboard), ...chosen });
    for (const { name, type, query, regex } of variablesOf(dashboard)) {
      if (type !== 'query') continue;
      const asked = variableQueryOf(query);
      expect(regex).toBe('');
      const values =
        asked.kind === 'probes'
          ? (await caller.getResource<{ probes: { id: string }[] }>('probes')).probes.map(({ id }) => id)
          : await askValues(caller, {
              dimension: asked.dimension!,
              range: { from: range.from, to: range.to } as never,
              filter: fillFilter(asked.filter ?? '', {}, replace),
              limit: asked.limit ?? 10,
            });
      expect(values.length, name).toBeGreaterThan(0);
      expect(values, name).not.toContain('');
    }
  });

  test('annotations can be asked for', async () => {
    const queries = (dashboard.annotations?.list ?? []).filter((each) => each.datasource?.type === ours);
    expect(queries.map(({ name }) => name)).toEqual(['Alerts', 'Detector events']);
    for (const { target } of queries) {
      const query = annotationTarget(target, { ...newQuery, refId: annotationRefId });
      expect(Object.keys(query.alerts)).toEqual(['kind']);
      const answers = await plugin.client.query(datasource(), [
        { ...range, refId: annotationRefId, query, maxDataPoints: 400, intervalMs: 1_000 },
      ]);
      expect(answers[annotationRefId]).toMatchObject({ error: '', status: 200 });
      expect(answers[annotationRefId]!.frames[0]!.fields.map(({ name }) => name).slice(0, 6)).toEqual([
        'time',
        'timeEnd',
        'title',
        'text',
        'tags',
        'id',
      ]);
    }
  });
});

const pick = (values: typeof chosen, variables: readonly { name: string }[]): Record<string, Chosen> =>
  Object.fromEntries(variables.flatMap(({ name }) => (name in values ? [[name, values[name]!]] : [])));

test('what is grouped by and measured exists', () => {
  for (const [, dashboard] of all) {
    for (const target of panelsOf(dashboard)
      .filter(isOurs)
      .flatMap(({ targets }) => targets!)) {
      for (const measure of target['measures'] as string[]) expect(findMeasure(measure), measure).toBeDefined();
      for (const key of target['groupBy'] as string[]) {
        const parsed = parseGroupKey(key);
        expect(typeof parsed === 'string' ? undefined : findDimension(parsed.dimension), key).toBeDefined();
      }
    }
  }
});
