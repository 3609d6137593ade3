/**
 * Whether versions of Grafana have what the built front end takes from them, packages that are bundled with it included: every name
 * that it uses of @grafana/data, @grafana/ui and @grafana/runtime is looked up in what those packages export. The packages come from
 * the npm registry, alone: nothing of theirs is installed or run.
 *
 * Usage, after a build: node plugin/scripts/check-grafana.js [VERSION]...
 * Without versions the oldest that the plugin is for, and the newest. Exit code 1 when something is missing, a line for each.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { build } from 'esbuild';
import { externalsFile } from './bundled-packages.js';

const manifest = JSON.parse(readFileSync(new URL('../dist/plugin.json', import.meta.url), 'utf8'));
const oldest = /\d+\.\d+\.\d+/.exec(manifest.dependencies.grafanaDependency)[0];
const versions = process.argv.length > 2 ? process.argv.slice(2) : [oldest, 'latest'];
const used = JSON.parse(readFileSync(externalsFile, 'utf8'));

for (const version of versions) {
  for (const name of ['@grafana/data', '@grafana/ui', '@grafana/runtime']) {
    const { exact, exported } = await exportsOf(name, version);
    const missing = used[name].filter((one) => !exported.has(one));
    process.stdout.write(`${name} ${exact}: ${used[name].length} names used, ${missing.length} missing\n`);
    for (const one of missing) {
      process.stderr.write(`${name} ${exact} has no ${one}\n`);
      process.exitCode = 1;
    }
  }
}

/** What a package exports, as esbuild reads it. */
async function exportsOf(name, version) {
  const folder = mkdtempSync(join(tmpdir(), 'netspectra-check-'));
  try {
    const options = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] };
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', `${name}@${version}`, '--json', '--loglevel=error'], options),
    );
    execFileSync('tar', ['-xzf', packed.filename], options);
    const { module, version: exact } = JSON.parse(readFileSync(join(folder, 'package/package.json'), 'utf8'));
    const { metafile } = await build({
      absWorkingDir: folder,
      entryPoints: [join('package', module)],
      bundle: true,
      packages: 'external',
      platform: 'browser',
      format: 'esm',
      loader: { '.svg': 'empty', '.css': 'empty' },
      metafile: true,
      write: false,
      outdir: 'out',
      logLevel: 'error',
    });
    const { exports } = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint);
    return { exact, exported: new Set(exports) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
