/** Bundles the host page with the real packages of Grafana, and Monaco's workers. */
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import { repository } from '../../integration/process.js';

const monaco = join(repository, 'node_modules/monaco-editor/esm/vs');

/** Builders of tables in @grafana/scenes, which nothing here calls, want defaults that @grafana/schema 12 no longer has. */
const tableDefaults: Plugin = {
  name: 'table-defaults',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /TablePanelCfg_types\.gen$/ }, () => ({ path: 'table', namespace: 'defaults' }));
    onLoad({ filter: /.*/, namespace: 'defaults' }, () => ({ contents: 'export const defaultOptions = {};' }));
  },
};

/** Write the page's scripts into a folder: main.js, main.css, and what is loaded when needed. */
export async function bundleHost(outdir: string): Promise<void> {
  const shared = {
    outdir,
    bundle: true,
    minify: true,
    platform: 'browser',
    target: 'chrome120',
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    loader: { '.ttf': 'file', '.svg': 'file' },
  } as const;
  await Promise.all([
    build({
      ...shared,
      entryPoints: [join(repository, 'test/browser/host/main.tsx')],
      format: 'esm',
      splitting: true,
      jsx: 'automatic',
      plugins: [tableDefaults],
      // Grafana's packages read process.env beside NODE_ENV, too.
      banner: { js: 'globalThis.process ??= { env: {} };' },
    }),
    build({
      ...shared,
      entryPoints: {
        'editor.worker': join(monaco, 'editor/editor.worker.js'),
        'json.worker': join(monaco, 'language/json/json.worker.js'),
      },
      format: 'iife',
    }),
  ]);
}
