/**
 * Files from the npm registry and Debian's mirror, each held to the digest in plugin/runtime.json, and kept in
 * node_modules/.cache: a second run needs no network.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Problem } from './problem.js';

const cache = fileURLToPath(new URL('../../node_modules/.cache/runtime/', import.meta.url));

/** A mirror that is slower than this is as good as none. */
const downloadMsMax = 120_000;

/**
 * The archive of an npm package.
 * @param {string} spec name@version
 * @param {string} integrity as the registry has it: sha512-<base64>
 * @returns {Promise<string>} path of the file
 */
export function npmArchive(spec, integrity) {
  return verified(`${spec.replace('/', '-')}.tgz`, integrity, async (folder) => {
    const args = ['pack', spec, '--json', '--ignore-scripts', '--pack-destination', folder];
    const { stdout } = await promisify(execFile)('npm', args, { cwd: folder, timeout: downloadMsMax }).catch(
      (error) => {
        const reason = /npm error (?!code)(.+)/.exec(error.stderr)?.[1] ?? error.message;
        throw new Problem(`${spec}: npm pack did not get it: ${reason}`);
      },
    );
    return join(folder, JSON.parse(stdout)[0].filename);
  });
}

/**
 * A Debian package.
 * @param {{ path: string, sha256: string }} pin path below a mirror
 * @param {readonly string[]} mirrors tried in their order; older versions leave the first
 * @returns {Promise<string>} path of the file
 */
export function debianPackage({ path, sha256 }, mirrors) {
  const name = basename(path);
  return verified(name, `sha256-${Buffer.from(sha256, 'hex').toString('base64')}`, async (folder) => {
    const reasons = [];
    for (const mirror of mirrors) {
      try {
        const answer = await fetch(`${mirror}/${path}`, { signal: AbortSignal.timeout(downloadMsMax) });
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        await writeFile(join(folder, name), Buffer.from(await answer.arrayBuffer()));
        return join(folder, name);
      } catch (error) {
        reasons.push(`${new URL(mirror).host}: ${error.cause?.message ?? error.message}`);
      }
    }
    throw new Problem(
      `${name}: no mirror has it (${reasons.join('; ')}): is there a network, or is the version in plugin/runtime.json too old?`,
    );
  });
}

async function verified(name, integrity, download) {
  const file = join(cache, name);
  const algorithm = integrity.slice(0, integrity.indexOf('-'));
  const digestOf = async (path) =>
    `${algorithm}-${createHash(algorithm)
      .update(await readFile(path))
      .digest('base64')}`;
  if (existsSync(file) && (await digestOf(file)) === integrity) return file;
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'download-'));
  try {
    const made = await download(folder);
    const digest = await digestOf(made);
    if (digest !== integrity)
      throw new Problem(`${name}: what came is not what plugin/runtime.json says: ${digest} in place of ${integrity}`);
    await rename(made, file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return file;
}
