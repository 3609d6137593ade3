/** The archives that `npm run package` makes: what is in them, and that they start wherever Grafana may run. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { QuerySuccess } from '@netspectra/query';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { builtFiles } from '../../plugin/scripts/package/contents.js';
import { debianPackage } from '../../plugin/scripts/package/downloads.js';
import { endServings, startServing } from '../kit/api-process.js';
import { PluginProcess, checkForAlerting, fakeApi } from '../kit/plugin-host/index.js';
import type { HostOptions } from '../kit/plugin-host/index.js';
import {
  architecture,
  archives,
  bareRoot,
  canChroot,
  contentOf,
  digest,
  launcher,
  listing,
  makePackages,
  neededLibraries,
  unzipped,
} from '../kit/plugin-packages.js';
import { sampleCapture, temporaryFolder, until } from './process.js';

const folder = temporaryFolder();
const packages = join(folder.path, 'packages');
const archive = (kind: keyof typeof archives): string => join(packages, archives[kind]);
let said: string;

beforeAll(() => {
  said = makePackages(['--out', packages]);
}, 180_000);
afterAll(async () => {
  await endServings();
  folder.remove();
});

const plugins: PluginProcess[] = [];
afterEach(async () => {
  for (const plugin of plugins.splice(0)) {
    if (plugin.alive) await plugin.stop();
    expect(plugin.logMistakes).toEqual([]);
    expect(plugin.strayOutput).toEqual([]);
  }
});

/** Start a launcher as Grafana does, without any Node.js but what `env` says. */
async function started(options: HostOptions): Promise<PluginProcess> {
  const env = { GF_PLUGIN_NODE_PATH: undefined, PATH: '/nonexistent', ...options.env };
  const plugin = await PluginProcess.start({ ...options, env });
  plugins.push(plugin);
  return plugin;
}

/** Start a launcher that is to stop at once; its one line. */
function refusal(path: string, env: Readonly<Record<string, string>>): string {
  const cookie = { grafana_plugin_type: 'datasource', PLUGIN_PROTOCOL_VERSIONS: '2' };
  const options = { env: { ...cookie, PATH: '/nonexistent', ...env }, encoding: 'utf8', timeout: 20_000 } as const;
  const { status, stdout, stderr } = spawnSync(path, [], options);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^netspectra-datasource: [^\n]+\n$/);
  return stderr;
}

/** A program that answers `says` to whatever it is asked. */
function program(name: string, says: string): string {
  const into = join(folder.path, name);
  mkdirSync(into);
  writeFileSync(join(into, 'node'), `#!/bin/sh\necho '${says}'\n`);
  chmodSync(join(into, 'node'), 0o755);
  return into;
}

describe('archives', () => {
  test('are named with their sums and sizes', () => {
    const sums = readFileSync(join(packages, 'SHA256SUMS'), 'utf8');
    expect(sums).toBe(
      Object.values(archives)
        .map((name) => `${digest(join(packages, name))}  ${name}\n`)
        .join(''),
    );
    for (const name of Object.values(archives))
      expect(said).toMatch(new RegExp(`${name}: [\\d.]+ MB, unpacked [\\d.]+ MB`));
    expect(said).toMatch(/module\.js [\d.]+ MB/);
    expect(readdirSync(packages).sort()).toEqual(['SHA256SUMS', ...Object.values(archives)].sort());
  });

  test('hold what Grafana and the browser load, and nothing else', () => {
    const kinds = new Set(
      listing(archive('slim')).map((line) =>
        line.slice(10).replace(/[\w.-]+(\.js(?:\.map|\.LICENSE\.txt)?|\.json|\.svg|\.png)$/, '*$1'),
      ),
    );
    const known = new Set(
      [
        ...['*.json', '*.js', '*.js.map', '*.js.LICENSE.txt', 'img/*.svg', 'img/*.png', 'dashboards/*.json'],
        ...['README.md', 'CHANGELOG.md', 'LICENSE', 'LICENSES/README.md', 'LICENSES/npm.txt'],
        ...['*.json', '*.js', '*.js.map', 'img/*.svg', 'backend.cjs', 'dashboards/*.json'].map(
          (name) => `datasource/${name}`,
        ),
        ...['amd64', 'arm64'].map((arch) => `datasource/gpx_netspectra_linux_${arch}`),
      ].map((name) => `netspectra-app/${name}`),
    );
    expect([...kinds].filter((name) => !known.has(name))).toEqual([]);
    expect(kinds.size).toBeGreaterThan(12);
  });

  test.each(['amd64', 'arm64'] as const)('of %s hold its runtime, with its modes', (arch) => {
    const own = listing(archive(arch));
    const slim = new Set(listing(archive('slim')));
    const lib = ['libc.so.6', 'libdl.so.2', 'libgcc_s.so.1', 'libm.so.6', 'libpthread.so.0', 'libstdc++.so.6'];
    const runtime = `netspectra-app/datasource/runtime_linux_${arch}`;
    expect(own.filter((line) => !slim.has(line))).toEqual(
      [
        ...['GPL-2', 'GPL-3', 'LGPL-2.1', 'gcc', 'glibc', 'node'].map(
          (name) => `rw-r--r-- netspectra-app/LICENSES/${name}.txt`,
        ),
        `rwxr-xr-x ${runtime}/ld_linux_${arch}`,
        ...lib.map((name) => `rw-r--r-- ${runtime}/lib/${name}`),
        `rwxr-xr-x ${runtime}/node_linux_${arch}`,
      ].sort(byName),
    );
    for (const launcherArch of ['amd64', 'arm64'])
      expect(own).toContain(`rwxr-xr-x netspectra-app/datasource/gpx_netspectra_linux_${launcherArch}`);
    expect(own.filter((line) => line.startsWith('rwx'))).toHaveLength(4);
  });

  test('are the same bytes each time, in any time zone and with any umask', () => {
    const again = join(folder.path, 'again');
    const umask = process.umask(0o077);
    try {
      makePackages(['--out', again, '--only', 'slim'], { TZ: 'Pacific/Auckland' });
    } finally {
      process.umask(umask);
    }
    expect(digest(join(again, archives.slim))).toBe(digest(archive('slim')));
  });

  test('carry the licence of everything that is bundled', () => {
    const datasource = unzipped(archive('slim'), join(folder.path, 'licences'));
    const app = dirname(datasource);
    const overview = readFileSync(join(app, 'LICENSES/README.md'), 'utf8');
    const texts = readFileSync(join(app, 'LICENSES/npm.txt'), 'utf8');
    // Source maps are another witness of what webpack bundled; of the server side, its own imports.
    const maps = [app, datasource].flatMap((at) =>
      readdirSync(at)
        .filter((name) => name.endsWith('.map'))
        .map((name) => join(at, name)),
    );
    const sources = maps.flatMap((path) => (JSON.parse(readFileSync(path, 'utf8')) as { sources: string[] }).sources);
    const names = sources.flatMap((source) => /.*node_modules\/((?:@[\w.-]+\/)?[\w-]+)\//.exec(source)?.[1] ?? []);
    const bundled = new Set([
      ...names,
      '@grpc/grpc-js',
      'protobufjs',
      'apache-arrow',
      'flatbuffers',
      'undici',
      'long',
      'tslib',
    ]);
    expect(bundled.size).toBeGreaterThan(20);
    for (const name of bundled) {
      expect(overview).toContain(`| ${name} `);
      expect(texts).toMatch(new RegExp(`^=+\\n${name} \\d[^\\n]*\\n=+\\n\\n[^=]{200}`, 'm'));
    }
    expect(texts).toContain('Apache Arrow JavaScript\nCopyright');
  });
});

/** As `unzip -Z` lists them: in the order of names. */
const byName = (a: string, b: string): number => (a.slice(10) < b.slice(10) ? -1 : 1);

describe('what goes in', () => {
  test('is known: no trace of a developer’s server, nothing that nobody named, nothing missing', async () => {
    const datasource = unzipped(archive('slim'), join(folder.path, 'dist'));
    const dist = dirname(datasource);
    rmSync(join(dist, 'LICENSES'), { recursive: true });
    const built = (await builtFiles(dist)).map(({ name }) => name);
    for (const name of ['pid.txt', 'standalone.txt']) writeFileSync(join(datasource, name), '1');
    expect((await builtFiles(dist)).map(({ name }) => name)).toEqual(built);
    writeFileSync(join(datasource, 'notes.txt'), '');
    await expect(builtFiles(dist)).rejects.toThrow(/datasource\/notes\.txt: does not belong into an archive/);
    rmSync(join(datasource, 'notes.txt'));
    rmSync(join(datasource, 'backend.cjs'));
    await expect(builtFiles(dist)).rejects.toThrow(/datasource\/backend\.cjs is missing: run npm run build first/);
  });

  test('comes from a mirror that has it, and is what was pinned', async () => {
    const content = `not a package ${process.pid}`;
    const pin = { path: `pool/other_${process.pid}.deb`, sha256: createHash('sha256').update(content).digest('hex') };
    const mirror = await fakeApi(({ url }, response) => {
      response.writeHead(url.startsWith('/has/') ? 200 : 404).end(url.startsWith('/has/') ? content : '');
    });
    try {
      await expect(debianPackage(pin, [`${mirror.url}/none`, 'http://127.0.0.1:1'])).rejects.toThrow(
        /other_\d+\.deb: no mirror has it \(127\.0\.0\.1:\d+: status 404; 127\.0\.0\.1:1: /,
      );
      const wrong = { ...pin, sha256: '00'.repeat(32) };
      await expect(debianPackage(wrong, [`${mirror.url}/has`])).rejects.toThrow(
        /what came is not what .*runtime\.json says/,
      );
      const path = await debianPackage(pin, [`${mirror.url}/none`, `${mirror.url}/has`]);
      expect(readFileSync(path, 'utf8')).toBe(content);
      // It is kept: no mirror is asked again.
      const asked = mirror.requests.length;
      expect(await debianPackage(pin, [`${mirror.url}/has`])).toBe(path);
      expect(mirror.requests).toHaveLength(asked);
      rmSync(path);
    } finally {
      await mirror.stop();
    }
  });
});

describe('the slim archive', () => {
  const path = (...more: string[]): string => join(folder.path, 'slim of mine', 'netspectra-app/datasource', ...more);
  beforeAll(() => void unzipped(archive('slim'), join(folder.path, 'slim of mine')));

  test('runs with the node of PATH', async () => {
    const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
    const plugin = await started({ path: path(launcher), env: { PATH } });
    await plugin.client.ping();
  });

  test('runs with the node that the administrator names', async () => {
    const plugin = await started({ path: path(launcher), env: { GF_PLUGIN_NODE_PATH: process.execPath } });
    await plugin.client.ping();
  });

  test('says in one line that there is no node, or none that will do', () => {
    expect(refusal(path(launcher), {})).toMatch(
      /: no Node\.js: install the archive with the runtime for \w+, put node 20/,
    );
    const old = program('old', '18');
    expect(refusal(path(launcher), { PATH: old })).toMatch(/: node is Node\.js 18, 20 or newer is needed/);
    expect(refusal(path(launcher), { GF_PLUGIN_NODE_PATH: `${old}/node` })).toMatch(
      /old\/node is Node\.js 18, 20 or newer/,
    );
    const other = program('other', 'I am another program');
    expect(refusal(path(launcher), { PATH: other })).toMatch(/: node is no Node\.js that runs here/);
    for (const wrong of [other, '/nonexistent/node', `${folder.path}/packages/SHA256SUMS`])
      expect(refusal(path(launcher), { GF_PLUGIN_NODE_PATH: wrong })).toMatch(
        /: node_path is \/.*, which is no program/,
      );
  });

  test('runs through links to the launcher and to the folder', async () => {
    const links = join(folder.path, 'links');
    mkdirSync(links);
    symlinkSync(`../slim of mine/netspectra-app/datasource/${launcher}`, join(links, 'relative'));
    symlinkSync(join(links, 'relative'), join(links, 'absolute'));
    symlinkSync(path(), join(links, 'datasource'));
    for (const link of ['relative', 'absolute', `datasource/${launcher}`]) {
      const plugin = await started({
        path: join(links, link),
        env: { GF_PLUGIN_NODE_PATH: process.execPath, PATH: '/usr/bin:/bin' },
      });
      await plugin.client.ping();
    }
  });
});

describe('the archive with the runtime', () => {
  test('needs its permissions, and says so', () => {
    const datasource = unzipped(archive(architecture), join(folder.path, 'permissions'));
    chmodSync(join(datasource, `runtime_linux_${architecture}/ld_linux_${architecture}`), 0o644);
    expect(refusal(join(datasource, launcher), {})).toMatch(
      /ld_linux_\w+ may not be run: unpack the archive with its modes/,
    );
  });

  test.each(['amd64', 'arm64'] as const)('of %s has every library that its programs name', (arch) => {
    const runtime = join(unzipped(archive(arch), join(folder.path, `libraries-${arch}`)), `runtime_linux_${arch}`);
    const libraries = readdirSync(join(runtime, 'lib'));
    const named = [`node_linux_${arch}`, ...libraries.map((name) => `lib/${name}`)].flatMap((name) =>
      neededLibraries(join(runtime, name)),
    );
    expect(named).toContain('libstdc++.so.6');
    // The loader is there under a name of its own.
    expect([...new Set(named)].filter((name) => !name.startsWith('ld-linux-')).sort()).toEqual(libraries.sort());
  });
});

describe.runIf(canChroot)('where there is only a shell, as an ordinary user who may write nothing', () => {
  const root = join(folder.path, 'root');
  const app = join(root, 'plugins/netspectra-app');
  const chroot = { root, user: 472 };
  const path = `/plugins/netspectra-app/datasource/${launcher}`;
  let before: Record<string, string>;

  beforeAll(() => {
    // The user must be able to go through the folder above, which is for its owner alone.
    chmodSync(folder.path, 0o755);
    bareRoot(root, '127.0.0.1 localhost\n');
    unzipped(archive(architecture), join(root, 'plugins'));
    before = contentOf(app);
  });
  // A signed folder is one in which nothing was written.
  afterEach(() => expect(contentOf(app)).toEqual(before));

  test('it serves every call of Grafana, from a real API with real data', async () => {
    const data = join(folder.path, 'data');
    const [api, plugin] = await Promise.all([
      startServing(['up', '--read', sampleCapture, '--data', data]),
      started({ path, chroot }),
    ]);
    await until('the capture is read', () => api.stderr().includes('"capture read"'));
    expect(plugin.handshake.network).toBe('unix');
    // The name is in the root's own /etc/hosts: names are looked up by the archive's own library.
    const datasource = { url: api.url.replace('127.0.0.1', 'localhost') };
    expect(await plugin.client.health(datasource)).toMatchObject({ ok: true });

    const from = Date.UTC(2026, 0, 1);
    const range = { from, to: from + 60_000 };
    const query = { type: 'table', measures: ['bytes'], groupBy: ['application'], limit: 5 };
    const answers = await plugin.client.query(datasource, [{ ...range, query: { version: 1, ...query } }]);
    const direct = (await (await api.query({ ...range, queries: [{ refId: 'A', ...query }] })).json()) as {
      results: { A: QuerySuccess };
    };
    expect(answers['A']).toMatchObject({ error: '', status: 200 });
    const columns = answers['A']!.frames[0]!.fields.map(({ values }) => values);
    expect(columns).toEqual(direct.results.A.frames[0]!.data.values);
    expect(columns[0]!.length).toBeGreaterThan(3);

    const alert = await plugin.client.alertQuery(datasource, [{ ...range, query: { version: 1, ...query } }]);
    checkForAlerting(alert['A']!.frames);
    const live = await plugin.client.query(datasource, [
      { ...range, query: { version: 1, type: 'timeseries', live: 'rates' } },
    ]);
    const channel = (live['A']!.frames[0]!.meta as { channel: string }).channel.replace(/^ds\/[^/]+\//, '');
    expect(await plugin.client.subscribe(datasource, channel)).toBe(0);
    const stream = plugin.client.run(datasource, channel);
    await until('something live comes', () => stream.packets.length > 0);
    stream.cancel();
    await stream.ended;
    expect(await plugin.client.publish(datasource, channel, {})).not.toBe(0);
    expect((await plugin.client.resource(datasource, 'GET', 'measures')).code).toBe(200);
    // There is no /proc to read it from.
    expect(await plugin.client.metrics()).toContain('netspectra_plugin_memory_bytes NaN\n');

    const socket = join(root, plugin.handshake.address);
    expect(existsSync(socket)).toBe(true);
    expect(await plugin.stop()).toMatchObject({ graceful: true });
    expect(existsSync(socket)).toBe(false);
  });

  test.each([
    ['no temporary folder', { TMPDIR: '/nonexistent' }, 0o1777],
    ['one in which nothing may be written', {}, 0o555],
  ])('it listens on loopback when there is %s', async (_, env, mode) => {
    chmodSync(join(root, 'tmp'), mode);
    const plugin = await started({ path, chroot, env });
    expect(plugin.handshake.network).toBe('tcp');
    await plugin.client.ping();
  });

  test('it starts in a folder with spaces, and through a link', async () => {
    chmodSync(join(root, 'tmp'), 0o1777);
    renameSync(join(root, 'plugins'), join(root, 'plug ins'));
    symlinkSync('plug ins', join(root, 'plugins'));
    symlinkSync(`../plug ins/netspectra-app/datasource/${launcher}`, join(root, 'tmp/link'));
    for (const at of [path, path.replace('plugins', 'plug ins'), '/tmp/link']) {
      const plugin = await started({ path: at, chroot, env: { PATH: '/bin' } });
      await plugin.client.ping();
    }
  });
});
