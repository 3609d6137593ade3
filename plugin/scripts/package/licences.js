/** LICENSES/ of an archive: everything in it that others wrote, with the texts that they want to go along. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packagesOf } from '../bundled-packages.js';
import { Problem } from './problem.js';
import { runtimeVersions } from './runtime.js';

/** Licences that allow what the archive does: give the code on, under ours, when their text goes along. */
const permissive = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
];
const textNames = /^(licen[cs]e|copying|notice)([._-].*)?$/i;
const rule = '='.repeat(100);

/**
 * @param {string} repository its top folder
 * @param {Record<string, string> | undefined} runtime paths of the runtime's licence texts by name; undefined: no runtime
 * @returns {Promise<{ name: string, from?: string, text?: string, mode: number }[]>} entries below `LICENSES/`
 */
export async function licenceFiles(repository, runtime) {
  const bundled = await npmPackages(repository);
  const texts = bundled.map(
    ({ title, licence, used, text }) => `${rule}\n${title}  ${licence}  in ${used}\n${rule}\n\n${text}\n`,
  );
  const files = [
    { name: 'LICENSES/README.md', text: overview(bundled, runtime !== undefined), mode: 0o644 },
    { name: 'LICENSES/npm.txt', text: texts.join('\n'), mode: 0o644 },
  ];
  for (const [name, from] of Object.entries(runtime ?? {})) files.push({ name: `LICENSES/${name}`, from, mode: 0o644 });
  return files;
}

async function npmPackages(repository) {
  const server = new Set(packagesOf('server'));
  const frontend = new Set(packagesOf('frontend'));
  const found = new Map();
  for (const folder of [...new Set([...server, ...frontend])].sort()) {
    const { title, licence, text } = await npmPackage(join(repository, folder));
    const used = [server.has(folder) && 'backend.cjs', frontend.has(folder) && 'module.js and its chunks'];
    const before = found.get(title);
    found.set(title, { title, licence, text, used: [...new Set([before?.used, ...used])].filter(Boolean).join(', ') });
  }
  return [...found.values()];
}

async function npmPackage(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const title = `${name} ${version}`;
  const names = (await readdir(folder)).filter((file) => textNames.test(file)).sort();
  if (names.length === 0)
    throw new Problem(`${title}: has no licence text in its package, which the archive must carry`);
  const text = (await Promise.all(names.map((file) => readFile(join(folder, file), 'utf8')))).join('\n\n');
  const licence = license ?? (/Apache License\s+Version 2\.0/.test(text) ? 'Apache-2.0' : 'none said');
  if (!permissive.includes(licence))
    throw new Problem(
      `${title}: its licence is ${licence}, which plugin/scripts/package/licences.js does not know as permissive`,
    );
  return { title, licence, text };
}

function overview(bundled, withRuntime) {
  const rows = bundled.map(({ title, licence, used }) => `| ${title} | ${licence} | ${used} | npm.txt |`);
  const { node, glibc, 'gcc-12': gcc } = runtimeVersions;
  if (withRuntime) {
    rows.push(
      `| Node.js ${node} and what it contains | MIT and others | runtime_linux_*/node_linux_* | node.txt |`,
      `| GNU C Library, Debian ${glibc} | LGPL-2.1-or-later and others | runtime_linux_*/ld_linux_*, lib/lib{c,dl,m,pthread}.so.* | glibc.txt, LGPL-2.1.txt, GPL-2.txt |`,
      `| libstdc++ and libgcc, Debian ${gcc} | GPL-3.0-or-later with GCC-exception-3.1 | runtime_linux_*/lib/lib{stdc++,gcc_s}.so.* | gcc.txt, GPL-3.txt |`,
    );
  }
  return `# What this archive contains of others

NetSpectra itself is under the Apache License 2.0 (../LICENSE).

| what | licence | where | text |
| --- | --- | --- | --- |
${rows.join('\n')}
${withRuntime ? sourceOffer(glibc, gcc) : ''}`;
}

const sourceOffer = (glibc, gcc) => `
## Sources of the libraries

The loader and the libraries are Debian's binaries, unchanged, and separate files: you may put other versions in their
place. Their complete sources are, for as long as Debian keeps its archive:

- https://snapshot.debian.org/package/glibc/${encodeURIComponent(glibc)}/
- https://snapshot.debian.org/package/gcc-12/${encodeURIComponent(gcc)}/

For three years from the day you got this archive, who gave it to you will send the same sources on request, for no more than
the cost of sending them.
`;
