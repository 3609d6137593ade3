/** Names the content that the front end is built from, so that a build that would change nothing is left out. */
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const sources = [
  'src',
  '.config',
  'scripts/build-frontend.js',
  'scripts/frontend-config.js',
  'scripts/bundled-packages.js',
  'server/src/contract',
  '../query/dist',
  '../dashboards',
  'package.json',
  '../package-lock.json',
];

/** SHA-256 of names and contents of all sources of the plugin in `folder`, tests left out. */
export async function digestOf(folder) {
  const hash = createHash('sha256');
  for (const source of sources) {
    for (const file of await filesOf(join(folder, source))) hash.update(`${file}\0`).update(await readFile(file));
  }
  return hash.digest('hex');
}

async function filesOf(path) {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (!entries) return [path];
  return entries
    .filter((entry) => entry.isFile() && !/\.(test\.tsx?|tsbuildinfo|map)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
