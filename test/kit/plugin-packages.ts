/**
 * The archives that `npm run package` makes, as an administrator has them: unpacked by unzip, and started by their launcher,
 * also where there is nothing but a shell without libraries. The first run of a machine fetches the runtimes from the npm
 * registry and Debian's mirror.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { repository } from '../integration/process.js';

const { version } = JSON.parse(readFileSync(join(repository, 'plugin/package.json'), 'utf8')) as { version: string };

/** Names of the archives. */
export const archives = {
  slim: `netspectra-app-${version}.zip`,
  amd64: `netspectra-app-${version}.linux_amd64.zip`,
  arm64: `netspectra-app-${version}.linux_arm64.zip`,
} as const;

/** The architecture of this machine in Go's words. */
export const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
export const launcher = `gpx_netspectra_linux_${architecture}`;

/** Run the package script; what it said on standard output. */
export function makePackages(args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const script = join(repository, 'plugin/scripts/package.js');
  const options = { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 170_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], options);
  if (status !== 0) throw new Error(`package.js: ${stderr}`);
  return stdout;
}

/** Unpack an archive into a new folder; the path of its datasource. */
export function unzipped(archive: string, into: string): string {
  mkdirSync(into, { recursive: true });
  execFileSync('unzip', ['-q', archive, '-d', into]);
  return join(into, 'netspectra-app/datasource');
}

/** The files of an archive in their order, with their permissions: `rwxr-xr-x name`. */
export const listing = (archive: string): string[] =>
  execFileSync('unzip', ['-Z', '-s', archive], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => /^-([rwx-]{9}) .* (\S+)$/.exec(line)?.slice(1).join(' ') ?? []);

export const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Names and digests of everything below a folder, as a signature's manifest has them. */
export function contentOf(top: string): Record<string, string> {
  const files = readdirSync(top, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [relative(top, path), digest(path)]));
}

/** The libraries that a program names (DT_NEEDED of ELF64, little endian). */
export function neededLibraries(path: string): string[] {
  const bytes = readFileSync(path);
  const at = (offset: number): number => Number(bytes.readBigUInt64LE(offset));
  const headers = Array.from({ length: bytes.readUInt16LE(56) }, (_, i) => at(32) + i * bytes.readUInt16LE(54)).map(
    (offset) => ({
      type: bytes.readUInt32LE(offset),
      offset: at(offset + 8),
      address: at(offset + 16),
      size: at(offset + 32),
    }),
  );
  const dynamic = headers.find(({ type }) => type === 2)!;
  const entries = Array.from({ length: dynamic.size / 16 }, (_, i) => dynamic.offset + i * 16).map((offset) => ({
    tag: at(offset),
    value: at(offset + 8),
  }));
  const names = entries.find(({ tag }) => tag === 5)!.value;
  const segment = headers.find(({ type, address, size }) => type === 1 && names >= address && names < address + size)!;
  const table = names - segment.address + segment.offset;
  return entries
    .filter(({ tag }) => tag === 1)
    .map(({ value }) => bytes.toString('latin1', table + value, bytes.indexOf(0, table + value)));
}

const busybox = spawnSync('busybox', ['which', 'busybox'], { encoding: 'utf8' }).stdout?.trim();

/** Whether a process can be locked into a folder here. */
export const canChroot = process.getuid?.() === 0 && Boolean(busybox);

/** A root folder with a shell and a place for sockets, and nothing else: no Node.js, no library, no /proc, no /dev. */
export function bareRoot(root: string, hosts: string): void {
  for (const name of ['bin', 'etc', 'tmp']) mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  copyFileSync(busybox!, join(root, 'bin/busybox'));
  for (const name of ['sh', 'readlink']) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/hosts'), hosts);
}
