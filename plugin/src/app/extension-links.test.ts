// @vitest-environment jsdom
import '../testing/dom.js';
import type { DataQuery } from '@grafana/schema';
import { parseFilter } from '@netspectra/query';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { grafanaRoles } from '../../server/src/contract/routes.js';
import { alertPath, extensionLinks, queriesPath } from './extension-links.js';
import { datasourceId } from './shared/ids.js';
import { actions } from './shared/permissions.js';

const datasource = { type: datasourceId, uid: '$ds' };
const ask = (filter: string, more: object = {}): DataQuery =>
  ({ refId: 'A', datasource, filter, ...more }) as DataQuery;
const fill = {
  filter: (filter: string) => filter.replace('$host', '10.0.0.1'),
  text: (text: string) => text.replace('$ds', 'u1'),
};
const asked = (path: string | undefined): object =>
  Object.fromEntries(new URL(path ?? '', 'http://grafana').searchParams);

describe('the link of queries', () => {
  it('leads to the same datasource, filter and range, variables put in', () => {
    const timeRange = { from: 'now-1h', to: 'now' };
    expect(asked(queriesPath({ targets: [ask('src_ip = $host')], timeRange }, fill))).toEqual({
      source: 'u1',
      filter: 'src_ip = 10.0.0.1',
      ...timeRange,
    });
  });

  it('needs no range, and no common filter', () => {
    expect(asked(queriesPath({ targets: [ask('tcp'), ask('udp')] }, fill))).toEqual({ source: 'u1' });
  });

  it('is not there for queries of others', () => {
    const other = ask('tcp', { datasource: { type: 'prometheus', uid: 'p' } });
    expect(queriesPath({ targets: [other] }, fill)).toBeUndefined();
    expect(queriesPath({}, fill)).toBeUndefined();
    expect(queriesPath(undefined, fill)).toBeUndefined();
  });
});

describe('the link of an alert', () => {
  const rule = (...models: DataQuery[]) => ({
    rulerRule: { grafana_alert: { data: [...models.map((model) => ({ model })), {}] } },
  });

  it('leads to what the instance is about, from before it began', () => {
    const labels = { alertname: 'x', grafana_folder: 'y', src_ip: '10.0.0.1', dns_name: 'a"$b', src_country: '(none)' };
    const place = asked(alertPath({ instance: { labels, activeAt: '2026-01-01T01:00:00Z' }, rule: rule(ask('tcp')) }));
    expect(place).toEqual({
      source: '$ds',
      filter: 'tcp and src_ip = 10.0.0.1 and dns_name = "a\\"\\u{24}b" and src_country = ""',
      from: String(Date.UTC(2026, 0, 1)),
      to: 'now',
    });
    expect(parseFilter((place as { filter: string }).filter).ok).toBe(true);
  });

  it('has no range for what never fired, and none at all for rules of others', () => {
    expect(asked(alertPath({ instance: { activeAt: '0001-01-01T00:00:00Z' }, rule: rule(ask('')) }))).toEqual({
      source: '$ds',
    });
    expect(alertPath({ rule: rule({ refId: 'A', datasource: { type: 'loki' } }) })).toBeUndefined();
    for (const context of [undefined, {}, { rule: {} }]) expect(alertPath(context)).toBeUndefined();
  });
});

describe('the link of a datasource', () => {
  const of = (type: string) =>
    extensionLinks.datasourceLink.configure!({ dataSource: { type, uid: 'u1', name: 'n', typeName: 't' } });

  it('is there for ours', () => {
    expect(asked(of(datasourceId)?.path)).toEqual({ source: 'u1' });
    expect(of('prometheus')).toBeUndefined();
  });
});

describe('the manifest', () => {
  it('declares the links that it adds, and the actions that it asks for', async () => {
    const { extensions, roles } = JSON.parse(await readFile(`${import.meta.dirname}/../plugin.json`, 'utf8')) as {
      extensions: { addedLinks: object[] };
      roles: { role: { permissions: { action: string }[] }; grants: string[] }[];
    };
    const added = Object.values(extensionLinks).map(({ targets, title, description }) => ({
      targets,
      title,
      description,
    }));
    expect(extensions.addedLinks).toEqual(added);
    const granted = roles.flatMap(({ role: { permissions }, grants }) =>
      permissions.map(({ action }) => [action, grants]),
    );
    // Who has an action by default is who has the role that it stands for.
    expect(granted).toEqual(
      Object.values(actions).map(({ action, role: least }) => [
        action,
        grafanaRoles.slice(grafanaRoles.indexOf(least)),
      ]),
    );
  });
});
