/** What of plugin/dist goes into the archives, and with which modes. */
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Problem } from './problem.js';

/**
 * Both plugins have these. Source maps are in: Grafana's validator asks for them, and browsers load them only when
 * somebody debugs.
 */
const front = [
  /^plugin\.json$/,
  /^[\w.-]+\.js(\.map|\.LICENSE\.txt)?$/,
  /^img\/[\w./-]+\.(svg|png|jpg)$/,
  /^dashboards\/[\w.-]+\.json$/,
];
const app = [...front, /^(README|CHANGELOG)\.md$/, /^LICENSE$/];
const launcher = /^gpx_netspectra_linux_(amd64|arm64)$/;
const datasource = [...front, /^backend\.cjs$/, launcher];
/** A server of a developer (docs/grafana-backend.md) leaves these, and an archive with them would look for it. */
const leftOut = /^datasource\/(standalone|pid)\.txt$/;
const needed = ['plugin.json', 'module.js', 'README.md', 'CHANGELOG.md', 'LICENSE', 'datasource/plugin.json'];
const neededByDatasource = ['module.js', 'backend.cjs', 'gpx_netspectra_linux_amd64', 'gpx_netspectra_linux_arm64'];

/**
 * The files of a build, by their name below `netspectra-app/`. Throws a Problem for a file that nobody knows, and for one
 * that is missing.
 * @param {string} dist
 * @returns {Promise<{ name: string, from: string, mode: number }[]>}
 */
export async function builtFiles(dist) {
  const entries = await readdir(dist, { recursive: true, withFileTypes: true }).catch(() => []);
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dist, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((name) => !leftOut.test(name));
  for (const name of [...needed, ...neededByDatasource.map((file) => `datasource/${file}`)])
    if (!names.includes(name)) throw new Problem(`${join(dist, name)} is missing: run npm run build first`);
  return names.map((name) => {
    const own = name.replace(/^datasource\//, '');
    const patterns = own === name ? app : datasource;
    if (!patterns.some((pattern) => pattern.test(own)))
      throw new Problem(
        `${join(dist, name)}: does not belong into an archive; delete it, or name its kind in plugin/scripts/package/contents.js`,
      );
    return { name, from: join(dist, name), mode: launcher.test(own) ? 0o755 : 0o644 };
  });
}
