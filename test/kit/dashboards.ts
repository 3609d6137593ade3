/** Dashboards as Grafana reads them, and template variables as it puts them in. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Dashboard, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type { Replace } from '../../plugin/src/datasource/template/variable.js';
import { repository } from '../integration/process.js';

export const dashboardsFolder = join(repository, 'dashboards');

/** All dashboards of the repository, by file name. */
export function readDashboards(): readonly (readonly [file: string, dashboard: Dashboard])[] {
  const files = readdirSync(dashboardsFolder).filter((name) => name.endsWith('.json'));
  return files.map((file) => [file, JSON.parse(readFileSync(join(dashboardsFolder, file), 'utf8')) as Dashboard]);
}

/** Its panels, those of rows too, without the rows. */
export const panelsOf = ({ panels = [] }: Dashboard): Panel[] =>
  panels.flatMap((panel) =>
    'panels' in panel ? [...(panel as RowPanel).panels] : panel.type === 'row' ? [] : [panel as Panel],
  );

export const variablesOf = ({ templating }: Dashboard): readonly VariableModel[] => templating?.list ?? [];

/** What a variable holds: a text, several, or everything with a custom value for it. */
export type Chosen = string | readonly string[] | { readonly all: string };

/** What the variables of a dashboard hold when it is opened. */
export function defaultsOf(dashboard: Dashboard): Record<string, Chosen> {
  return Object.fromEntries(
    variablesOf(dashboard).map(({ name, type, current, allValue }): [string, Chosen] => {
      const value = current?.value ?? '';
      if (type === 'datasource') return [name, 'netspectra'];
      if ([value].flat()[0] === '$__all') return [name, { all: allValue ?? '' }];
      return [name, value];
    }),
  );
}

/** `templateSrv.replace`: format functions see raw values, the custom value of "all" passes by them; macros stay. */
export const replaceWith =
  (values: Readonly<Record<string, Chosen>>): Replace =>
  (text, _scoped, format) =>
    text.replace(
      /\$(?:(\w+)|\{(\w+)(?:[.:][^}]*)?\})|\[\[(\w+)(?::\w+)?\]\]/g,
      (whole, a?: string, b?: string, c?: string) => {
        const value = values[a ?? b ?? c ?? ''];
        if (value === undefined) return whole;
        if (typeof value === 'object' && 'all' in value) return value.all;
        if (typeof format === 'function') return format(value);
        return typeof value === 'string' ? value : value.length === 1 ? value[0]! : `{${value.join(',')}}`;
      },
    );

/** Names of variables in all texts of a value, without macros and what Grafana gives to links. */
export function variablesIn(value: unknown): Set<string> {
  const names = JSON.stringify(value).matchAll(/\$(?:([A-Za-z]\w*)|\{([A-Za-z]\w*)(?:[.:][^}]*)?\})/g);
  return new Set([...names].map(([, bare, braced]) => bare ?? braced ?? ''));
}
