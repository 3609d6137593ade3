/**
 * The runtime of an archive: node as nodejs.org built it, and the loader and libraries of Debian that it needs, so that it
 * runs where there is neither Node.js nor glibc (Grafana's own image is Alpine). server/launcher.sh starts it.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { debianPackage, npmArchive } from './downloads.js';
import { Problem } from './problem.js';

const pins = JSON.parse(await readFile(new URL('../../runtime.json', import.meta.url), 'utf8'));

/** Debian's names of an architecture: folder of the libraries, loader. */
const platforms = {
  amd64: { triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
};

/** What node is linked to; names are resolved without any other library of theirs. */
const libraries = ['libc.so.6', 'libdl.so.2', 'libgcc_s.so.1', 'libm.so.6', 'libpthread.so.0', 'libstdc++.so.6'];

/** Versions of what a runtime is made of. */
export const runtimeVersions = { node: pins.node.version, ...pins.debian.sources };

/**
 * Fetch and take apart the runtime of an architecture.
 * @param {'amd64' | 'arm64'} arch
 * @param {string} work an empty folder for what is unpacked
 * @returns {Promise<{ files: { name: string, from: string, mode: number }[], licences: Record<string, string> }>} files by
 *   their name below the datasource's folder; paths of the licence texts, by the name they are to have
 */
export async function runtimeFiles(arch, work) {
  const { triplet, loader } = platforms[arch];
  const node = pins.node[arch];
  const { mirrors } = pins.debian;
  const [archive, ...packages] = await Promise.all([
    npmArchive(`${node.package}@${pins.node.version}`, node.integrity),
    ...[...pins.debian[arch], ...pins.debian.licences].map((pin) => debianPackage(pin, mirrors)),
  ]);
  const tree = join(work, 'debian');
  await mkdir(tree, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', work, 'package/bin/node', 'package/LICENSE']);
  // One after the other: they share folders.
  for (const file of packages) await run('dpkg-deb', ['-x', file, tree]);

  const folder = `runtime_linux_${arch}`;
  const files = [
    { name: `${folder}/node_linux_${arch}`, from: join(work, 'package/bin/node'), mode: 0o755 },
    { name: `${folder}/ld_linux_${arch}`, from: await library(tree, triplet, loader), mode: 0o755 },
  ];
  for (const name of libraries)
    files.push({ name: `${folder}/lib/${name}`, from: await library(tree, triplet, name), mode: 0o644 });
  return {
    files,
    licences: {
      'node.txt': join(work, 'package/LICENSE'),
      'glibc.txt': join(tree, 'usr/share/doc/libc6/copyright'),
      'gcc.txt': join(tree, 'usr/share/doc/gcc-12-base/copyright'),
      'GPL-2.txt': join(tree, 'usr/share/common-licenses/GPL-2'),
      'GPL-3.txt': join(tree, 'usr/share/common-licenses/GPL-3'),
      'LGPL-2.1.txt': join(tree, 'usr/share/common-licenses/LGPL-2.1'),
    },
  };
}

/** A library's file: names are often links. */
async function library(tree, triplet, name) {
  for (const folder of [`lib/${triplet}`, `usr/lib/${triplet}`]) {
    if ((await readdir(join(tree, folder)).catch(() => [])).includes(name)) return realpath(join(tree, folder, name));
  }
  throw new Problem(`${name}: not in the Debian packages of plugin/runtime.json`);
}

async function run(tool, args) {
  await promisify(execFile)(tool, args).catch((error) => {
    if (error.code === 'ENOENT')
      throw new Problem(
        `${tool} is missing, which takes the runtime apart: install it (Debian: package ${tool.replace('-deb', '')}), or make the slim archive alone: --only slim`,
      );
    throw new Problem(`${tool} ${args.join(' ')}: ${error.stderr.trim() || error.message}`);
  });
}
