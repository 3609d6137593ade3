/**
 * Two webpack configurations from the one that create-plugin generated: a nested plugin's lazily loaded chunks must stand in
 * its own folder, since Grafana serves them under its own id (grafana/plugin-tools#2172), and one compiler would put them
 * into the app's.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import process from 'node:process';
import CopyWebpackPlugin from 'copy-webpack-plugin';
import { build } from 'esbuild';
import ReplaceInFileWebpackPlugin from 'replace-in-file-webpack-plugin';
import webpack from 'webpack';

const today = () => new Date().toISOString().slice(0, 10);
const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));

const self = createHash('sha256')
  .update(await readFile(new URL(import.meta.url)))
  .digest('hex');

/** What the server side's build puts into dist/datasource stays there. */
const serverFiles = /(_(linux|darwin|windows)_|(^|\/)backend\.c?js)/;

/** The configurations, app first. `env`: `{ production: true }` or `{ development: true }`. */
export async function frontendConfigs(env) {
  const file = await generatedConfig();
  // Loaded twice: its plugins belong to the module, and one instance serves one compiler.
  const load = async (name) => (await import(`${pathToFileURL(file).href}?${name}`)).default(env);
  return [appConfig(await load('app')), datasourceConfig(await load('datasource'))];
}

async function generatedConfig() {
  const outfile = join(process.cwd(), 'node_modules/.cache/webpack.config.mjs');
  await mkdir('node_modules/.cache', { recursive: true });
  await build({
    entryPoints: [join(process.cwd(), '.config/webpack/webpack.config.ts')],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
  return outfile;
}

function appConfig(config) {
  return {
    ...shared(config, 'netspectra-app'),
    entry: { module: join(process.cwd(), 'src/module.tsx') },
    output: { ...config.output, clean: { keep: (path) => path.startsWith('datasource') } },
    plugins: [
      ...config.plugins.filter(({ constructor }) => constructor !== CopyWebpackPlugin),
      new CopyWebpackPlugin({
        patterns: [
          ...['plugin.json', 'README.md', '../LICENSE', '../CHANGELOG.md', 'img/logo.svg'].map(toSamePlace),
          { from: '../../dashboards/*.json', to: 'dashboards/[name][ext]' },
        ],
      }),
    ],
  };
}

function datasourceConfig(config) {
  const id = 'netspectra-datasource';
  return {
    ...shared(config, id),
    context: join(process.cwd(), 'src/datasource'),
    entry: { module: join(process.cwd(), 'src/datasource/module.ts') },
    output: {
      ...config.output,
      path: join(config.output.path, 'datasource'),
      publicPath: `public/plugins/${id}/`,
      uniqueName: id,
      clean: { keep: (path) => serverFiles.test(path) },
    },
    plugins: [
      ...config.plugins.filter(
        ({ constructor }) =>
          ![CopyWebpackPlugin, ReplaceInFileWebpackPlugin, webpack.BannerPlugin].includes(constructor),
      ),
      new webpack.BannerPlugin({
        banner: `/* [create-plugin] plugin: ${id}@${version} */`,
        raw: true,
        entryOnly: true,
      }),
      new CopyWebpackPlugin({ patterns: ['plugin.json', 'img/logo.svg'].map(toSamePlace) }),
      new ReplaceInFileWebpackPlugin([
        {
          dir: 'dist/datasource',
          files: ['plugin.json'],
          rules: [
            { search: /%VERSION%/g, replace: version },
            { search: /%TODAY%/g, replace: today() },
          ],
        },
      ]),
    ],
  };
}

/** A file keeps its path below dist; those above src go to its top. */
const toSamePlace = (from) => ({ from, to: from.replace('../', ''), toType: 'file' });

function shared(config, name) {
  return {
    ...config,
    name,
    cache: {
      ...config.cache,
      name: `${name}-${config.mode}`,
      // webpack keeps what a rule made when only the rule's options change: this file's content is part of the name.
      version: self,
    },
    module: { ...config.module, rules: config.module.rules.map(withJsxRuntime) },
    // Imports name the JavaScript that TypeScript makes, as everywhere in this repository.
    resolve: { ...config.resolve, extensionAlias: { '.js': ['.ts', '.tsx', '.js'] } },
    // Numbers may be 0, and the chunk of that number gets `undefined` for its integrity.
    optimization: { ...config.optimization, chunkIds: 'named' },
    // One large file that is loaded when somebody opens the page is no mistake; sizes are held by a test.
    performance: { hints: false },
  };
}

/** JSX as calls of react/jsx-runtime, which Grafana shares: the generated rule wants React in every file's scope. */
function withJsxRuntime(rule) {
  if (rule.use?.loader !== 'swc-loader') return rule;
  const { jsc } = rule.use.options;
  const transform = { react: { runtime: 'automatic' } };
  return { ...rule, use: { ...rule.use, options: { ...rule.use.options, jsc: { ...jsc, transform } } } };
}
