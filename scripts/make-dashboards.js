#!/usr/bin/env node
/**
 * Writes dashboards/*.json from dashboards/src: `npm run dashboards`. With --check nothing is written, and the exit code is 1
 * when a file is not what the sources make. Needs `npm run build` before it.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { format } from 'prettier';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'dashboards');
const check = process.argv.includes('--check');
// In the repository, so that packages are found from it.
const bundle = join(root, 'node_modules/.cache/dashboards.mjs');

await build({
  entryPoints: [join(folder, 'src/index.ts')],
  outfile: bundle,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  logLevel: 'warning',
});
const { dashboards } = await import(bundle);

const stale = (await readdir(folder)).filter((name) => name.endsWith('.json') && !(name in dashboards));
let differs = stale.length > 0;
for (const name of stale) if (!check) await rm(join(folder, name));
for (const [name, dashboard] of Object.entries(dashboards)) {
  const file = join(folder, name);
  const text = await format(JSON.stringify(dashboard), { parser: 'json', printWidth: 120 });
  if (text === (await readFile(file, 'utf8').catch(() => ''))) continue;
  differs = true;
  console.log(`${name}: ${check ? 'is not what dashboards/src makes' : 'written'}`);
  if (!check) await writeFile(file, text);
}
if (check && differs) {
  console.error('run `npm run dashboards`');
  process.exitCode = 1;
}
