/**
 * Make the archives that are put into Grafana's plugins folder, of what `npm run build` made:
 *
 *   netspectra-app-<version>.zip               slim: node is the host's
 *   netspectra-app-<version>.linux_amd64.zip   with node and its libraries
 *   netspectra-app-<version>.linux_arm64.zip
 *   SHA256SUMS                                 of those, for `sha256sum --check`
 *
 * Usage: node plugin/scripts/package.js [--out FOLDER] [--only slim|linux_amd64|linux_arm64]...
 * Without --out they go to plugin/packages, and what was there before of these names is replaced. The first run fetches the
 * runtimes (plugin/runtime.json). Exit code 1 and one line when something is missing.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { builtFiles } from './package/contents.js';
import { licenceFiles } from './package/licences.js';
import { Problem } from './package/problem.js';
import { runtimeFiles } from './package/runtime.js';
import { writeZip } from './package/zip.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const dist = join(repository, 'plugin/dist');
const top = 'netspectra-app';
const kinds = ['slim', 'linux_amd64', 'linux_arm64'];

function asked() {
  const options = {
    out: { type: 'string', default: join(repository, 'plugin/packages') },
    only: { type: 'string', multiple: true, default: kinds },
  };
  try {
    const { out, only } = parseArgs({ options }).values;
    const wrong = only.find((kind) => !kinds.includes(kind));
    if (wrong !== undefined) throw new Error(`--only ${wrong}: there are ${kinds.join(', ')}`);
    return { out, only };
  } catch (error) {
    throw new Problem(error.message);
  }
}

async function main({ out, only }) {
  const built = await builtFiles(dist);
  const { info } = JSON.parse(await readFile(join(dist, 'plugin.json'), 'utf8'));
  await mkdir(out, { recursive: true });
  reportBundles(built, await sizesOf(built));
  const work = await mkdtemp(join(tmpdir(), 'netspectra-package-'));
  try {
    const sums = await Promise.all(
      kinds.filter((kind) => only.includes(kind)).map((kind) => make(kind, built, info, out, work)),
    );
    await writeFile(join(out, 'SHA256SUMS'), sums.join(''));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Make one archive; resolves to its line of SHA256SUMS. */
async function make(kind, built, { version, updated }, out, work) {
  const runtime = kind === 'slim' ? undefined : await runtimeFiles(kind.replace('linux_', ''), join(work, kind));
  const entries = [
    ...built,
    ...(runtime?.files ?? []).map((file) => ({ ...file, name: `datasource/${file.name}` })),
    ...(await licenceFiles(repository, runtime?.licences)),
  ].map((entry) => ({ ...entry, name: `${top}/${entry.name}` }));
  const path = join(out, `${top}-${version}${kind === 'slim' ? '' : `.${kind}`}.zip`);
  // Nobody finds half an archive under the name of a whole one.
  await writeZip(`${path}.part`, entries, updated);
  await rename(`${path}.part`, path);
  const content = await readFile(path);
  const unpacked = (await sizesOf(entries)).reduce((sum, size) => sum + size, 0);
  print(`${basename(path)}: ${megabytes(content.length)}, unpacked ${megabytes(unpacked)}`);
  return `${createHash('sha256').update(content).digest('hex')}  ${basename(path)}\n`;
}

const sizesOf = (entries) =>
  Promise.all(
    entries.map(async ({ from, text }) => (text === undefined ? (await stat(from)).size : Buffer.byteLength(text))),
  );

/** Sizes of what a browser and Grafana load. */
function reportBundles(built, sizes) {
  const sum = (pattern) =>
    megabytes(built.reduce((total, { name }, i) => (pattern.test(name) ? total + sizes[i] : total), 0));
  print(`app: module.js ${sum(/^module\.js$/)}, chunks on demand ${sum(/^(?!module\.)[^/]+\.js$/)}`);
  print(`datasource: module.js ${sum(/^datasource\/module\.js$/)}, backend.cjs ${sum(/^datasource\/backend\.cjs$/)}`);
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
const print = (line) => process.stdout.write(`${line}\n`);

try {
  await main(asked());
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  process.stderr.write(`package: ${error.message}\n`);
  process.exitCode = 1;
}
