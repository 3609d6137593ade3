// @vitest-environment jsdom
import './testing/dom.js';
import { render, screen } from '@testing-library/react';
import { readdir, readFile, stat } from 'node:fs/promises';
import type { ComponentType } from 'react';
import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

/** Modules that Grafana 12.3 hands to plugins; asking for another fails when the plugin is loaded. */
const shared: Readonly<Record<string, () => Promise<unknown>>> = {
  '@emotion/css': () => import('@emotion/css'),
  '@grafana/data': () => import('@grafana/data'),
  '@grafana/runtime': () => import('@grafana/runtime'),
  '@grafana/ui': () => import('@grafana/ui'),
  '@emotion/react': () => import('@emotion/react'),
  lodash: () => import('lodash'),
  react: () => import('react'),
  'react-dom': () => import('react-dom'),
  'react/jsx-runtime': () => import('react/jsx-runtime'),
  'react-router': () => import('react-router'),
  rxjs: () => import('rxjs'),
  i18next: () => import('i18next'),
  module: () => Promise.resolve({ uri: '' }),
};

const dist = `${import.meta.dirname}/../dist`;

/** Evaluates a built module as Grafana's loader does: AMD, dependencies by name. */
async function load(
  path: string,
): Promise<{ readonly needs: readonly string[]; readonly exports: Record<string, unknown> }> {
  const code = await readFile(`${dist}/${path}`, 'utf8');
  let needs: readonly string[] = [];
  let factory: ((...given: unknown[]) => unknown) | undefined;
  const define = (names: readonly string[], make: (...given: unknown[]) => unknown): void => {
    needs = names;
    factory = make;
  };
  new Function('define', code)(define);
  const unknown = needs.filter((name) => !(name in shared));
  expect(unknown, 'not among the modules that Grafana shares').toEqual([]);
  // One after the other: Node 20 fails when a CommonJS module requires an ES module that an import() beside it is just loading.
  const given: unknown[] = [];
  for (const name of needs) given.push(await shared[name]!());
  return { needs, exports: factory!(...given) as Record<string, unknown> };
}

describe('the built plugins', () => {
  it('are an app with a root page, a configuration page and the links that plugin.json declares', async () => {
    const { exports } = await load('module.js');
    const plugin = exports['plugin'] as {
      root?: unknown;
      configPages?: unknown[];
      addedLinkConfigs?: { title: string }[];
    };
    expect(plugin.root).toBeTypeOf('function');
    expect(plugin.configPages).toHaveLength(1);
    const manifest = JSON.parse(await readFile(`${dist}/plugin.json`, 'utf8')) as {
      extensions: { addedLinks: { title: string }[] };
    };
    const titles = (links: readonly { title: string }[] = []): string[] => links.map(({ title }) => title);
    expect(titles(plugin.addedLinkConfigs)).toEqual(titles(manifest.extensions.addedLinks));
  });

  it('are a datasource with its editors', async () => {
    const { exports } = await load('datasource/module.js');
    const plugin = exports['plugin'] as { DataSourceClass?: unknown; components: Record<string, unknown> };
    expect(plugin.DataSourceClass).toBeTypeOf('function');
    expect(plugin.components).toMatchObject({
      ConfigEditor: expect.any(Function) as unknown,
      QueryEditor: expect.any(Function) as unknown,
    });
    const Editor = plugin.components['ConfigEditor'] as ComponentType<Record<string, unknown>>;
    render(
      createElement(Editor, { options: { jsonData: {}, secureJsonFields: {} }, onOptionsChange: () => undefined }),
    );
    expect(screen.getByText(/^NetSpectra token/)).toBeInTheDocument();
  });

  it('have their chunks where they look for them: none of the datasource, those of the app beside it', async () => {
    const scripts = async (folder: string): Promise<string[]> =>
      (await readdir(`${dist}/${folder}`)).filter((name) => name.endsWith('.js'));
    expect(await scripts('datasource')).toEqual(['module.js']);
    expect((await scripts('.')).length).toBeGreaterThan(1);
  });

  it('are small: what every page of Grafana may load, and what every panel loads', async () => {
    expect((await stat(`${dist}/module.js`)).size).toBeLessThan(150_000);
    expect((await stat(`${dist}/datasource/module.js`)).size).toBeLessThan(300_000);
  });

  it('name their version and no placeholder', async () => {
    for (const path of ['plugin.json', 'datasource/plugin.json']) {
      const text = await readFile(`${dist}/${path}`, 'utf8');
      expect(text).not.toMatch(/%[A-Z_]+%/);
      expect(JSON.parse(text)).toMatchObject({ info: { version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string } });
    }
  });
});
