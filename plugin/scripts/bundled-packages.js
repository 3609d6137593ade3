/**
 * Which npm packages a bundle holds, as the bundlers say it: the archives carry their licences (package/licences.js); and what
 * the front end takes from modules that Grafana shares, which its versions must have (check-grafana.js). Each build writes
 * its lists into node_modules/.cache.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url));

/** The file that holds the packages of a bundle: `server`, `frontend`. */
export const listOf = (bundle) => `${cache}${bundle}-packages.json`;

/** Keep which packages `modules` (paths of files, absolute or from the working directory) come from. */
export function savePackages(bundle, modules) {
  const folders = new Set(modules.flatMap((module) => packageFolder(resolve(module)) ?? []));
  mkdirSync(cache, { recursive: true });
  writeFileSync(listOf(bundle), `${JSON.stringify([...folders].sort(), null, 2)}\n`);
}

/** The folders of a bundle's packages, from the repository's top: `node_modules/@grpc/grpc-js`. Throws when it was not built. */
export const packagesOf = (bundle) => JSON.parse(readFileSync(listOf(bundle), 'utf8'));

/** The innermost package that a file belongs to; undefined for our own. */
function packageFolder(file) {
  const path = relative(repository, file).replaceAll('\\', '/');
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
}

/** The files of all modules that came into webpack's output, those that were joined into one too. */
export function webpackModules({ compilation }) {
  const inner = (module) => (module.modules ? module.modules.flatMap(inner) : [module.resource]);
  return [...compilation.modules]
    .filter((module) => compilation.chunkGraph.getNumberOfModuleChunks(module) > 0)
    .flatMap(inner)
    .filter(Boolean)
    .map((resource) => resource.split('?')[0]);
}

/** The file that holds what the front end uses of shared modules: `{ "@grafana/data": ["toUtc", ...], "react": true }`. */
export const externalsFile = `${cache}frontend-externals.json`;

/** Keep what the compilers found used; true where a module is used as a whole. */
export function saveExternals(allStats) {
  const used = new Map();
  for (const { compilation } of allStats) {
    for (const module of compilation.modules) {
      if (!module.externalType) continue;
      const names = compilation.moduleGraph.getUsedExports(module, undefined);
      const before = used.get(module.userRequest) ?? [];
      const all = before === true || typeof names === 'boolean' || names === null;
      used.set(module.userRequest, all ? true : [...new Set([...before, ...names])].sort());
    }
  }
  const sorted = Object.fromEntries([...used].sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(externalsFile, `${JSON.stringify(sorted, null, 2)}\n`);
}
