/**
 * Builds the front end: the app into dist/ and the nested datasource into dist/datasource/.
 *
 * The tool chain is create-plugin's: .config/ holds what it generated, unchanged, and frontend-config.js makes two
 * configurations of it. Its files are TypeScript, which Node 20 does not load: esbuild makes JavaScript of them first.
 *
 * Usage: node scripts/build-frontend.js [--force] [--watch]
 * Without --force nothing is done when dist/ was made from the same sources. Exit code 1 when the build has errors.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import process from 'node:process';
import webpack from 'webpack';
import { externalsFile, listOf, saveExternals, savePackages, webpackModules } from './bundled-packages.js';
import { frontendConfigs } from './frontend-config.js';
import { digestOf } from './frontend-digest.js';

// The generated configuration speaks of the working directory.
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const watch = process.argv.includes('--watch');
const digestFile = 'node_modules/.cache/frontend.digest';
const made = [
  'dist/plugin.json',
  'dist/module.js',
  'dist/datasource/plugin.json',
  'dist/datasource/module.js',
  listOf('frontend'),
  externalsFile,
];

const digest = await digestOf('.');
const before = existsSync(digestFile) ? await readFile(digestFile, 'utf8') : '';
if (watch || process.argv.includes('--force') || digest !== before || !made.every((file) => existsSync(file))) {
  const compiler = webpack(await frontendConfigs({ [watch ? 'development' : 'production']: true }));
  if (watch) compiler.watch({}, (error, stats) => report(error, stats));
  else {
    compiler.run((error, stats) => {
      const failed = report(error, stats);
      if (!failed) {
        savePackages('frontend', stats.stats.flatMap(webpackModules));
        saveExternals(stats.stats);
      }
      compiler.close(() => {
        process.exitCode = failed ? 1 : 0;
        if (!failed) void writeFile(digestFile, digest);
      });
    });
  }
} else process.stdout.write('plugin front end: up to date\n');

function report(error, stats) {
  if (error) process.stderr.write(`${error.stack}\n`);
  else process.stdout.write(`${stats.toString({ preset: 'errors-warnings', colors: process.stdout.isTTY })}\n`);
  return Boolean(error) || stats.hasErrors();
}
