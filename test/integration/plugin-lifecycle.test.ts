/** The datasource's process: how Grafana starts it, finds it, restarts and stops it, and what it may print. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import {
  PluginProcess,
  SupervisedPlugin,
  datasourceFolder,
  executable,
  parseLogLine,
} from '../kit/plugin-host/index.js';
import type { HostOptions } from '../kit/plugin-host/index.js';
import { owned, temporaryFolder, until } from './process.js';

const folder = temporaryFolder();
const plugins: PluginProcess[] = [];
afterEach(async () => {
  for (const plugin of plugins.splice(0)) {
    if (plugin.alive) await plugin.stop();
    expect(plugin.logMistakes).toEqual([]);
    expect(plugin.strayOutput).toEqual([]);
  }
});
afterAll(() => folder.remove());

async function started(options: HostOptions = {}): Promise<PluginProcess> {
  const plugin = await PluginProcess.start(options);
  plugins.push(plugin);
  return plugin;
}

/** Run the executable by hand to its end. */
function byHand(env: Record<string, string>, args: string[] = []) {
  const { status, stdout, stderr } = spawnSync(executable, args, { env, encoding: 'utf8', timeout: 20_000 });
  return { status, stdout, stderr };
}

const node = { GF_PLUGIN_NODE_PATH: process.execPath };
const host = { ...node, grafana_plugin_type: 'datasource', PLUGIN_PROTOCOL_VERSIONS: '2' };

describe('start', () => {
  test('a Unix socket of its own, which ends with the process', async () => {
    const plugin = await started({ env: { PLUGIN_UNIX_SOCKET_DIR: folder.path } });
    const { line, network, address } = plugin.handshake;
    expect(line).toBe(`1|2|unix|${address}|grpc|`);
    expect(network).toBe('unix');
    expect(address.startsWith(join(folder.path, 'plugin'))).toBe(true);
    expect(statSync(address).mode & 0o777).toBe(0o600);
    await plugin.client.ping();
    const { graceful, ms } = await plugin.stop();
    expect(graceful).toBe(true);
    expect(ms).toBeLessThan(1_900);
    expect(existsSync(address)).toBe(false);
  });

  test.each([
    ['where no socket can be made', '/nonexistent'],
    ['where its path is too long', `/tmp/${'x'.repeat(120)}`],
  ])('a port of loopback %s', async (_, PLUGIN_UNIX_SOCKET_DIR) => {
    if (PLUGIN_UNIX_SOCKET_DIR.startsWith('/tmp/')) mkdirSync(PLUGIN_UNIX_SOCKET_DIR, { recursive: true });
    const plugin = await started({ env: { PLUGIN_UNIX_SOCKET_DIR } });
    const { network, address } = plugin.handshake;
    expect(network).toBe('tcp');
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    const port = Number(address.split(':')[1]);
    expect(port >= 10_000 && port <= 25_000).toBe(true);
    await plugin.client.ping();
  });

  test('a host that could multiplex is told no', async () => {
    const plugin = await started({ env: { PLUGIN_MULTIPLEX_GRPC: 'true' } });
    expect(plugin.handshake.line).toMatch(/\|grpc\|\|false$/);
  });

  test('without the cookie: a sentence for people', () => {
    const { status, stdout, stderr } = byHand(node);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/Grafana starts it; it is not meant to be run by hand/);
  });

  test.each([
    ['TLS', { PLUGIN_CLIENT_CERT: 'x' }, /asks for TLS/],
    ['another protocol', { PLUGIN_PROTOCOL_VERSIONS: '3,4' }, /speaks plugin protocol 3, 4/],
    ['a wrong Node.js', { GF_PLUGIN_NODE_PATH: '/nonexistent/node' }, /node_path is \/nonexistent\/node/],
  ])('refused with one line: %s', (_, env, says) => {
    const { status, stdout, stderr } = byHand({ ...host, ...env });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(says);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('nothing of the environment is needed but what the host sets', async () => {
    const plugin = await started({
      env: { GF_VERSION: undefined, PLUGIN_MIN_PORT: undefined, PLUGIN_MAX_PORT: undefined },
    });
    await plugin.client.ping();
  });

  test('Node.js is found on PATH where the administrator names none', async () => {
    const path = `${dirname(process.execPath)}:/usr/bin:/bin`;
    const plugin = await started({ env: { GF_PLUGIN_NODE_PATH: undefined, PATH: path } });
    await plugin.client.ping();
  });

  test('unknown services are not served', async () => {
    const plugin = await started();
    await expect(plugin.client.ping('other')).rejects.toThrow(/unknown service/);
  });
});

describe('end', () => {
  test('SIGTERM ends it well, SIGINT is the host’s', async () => {
    const plugin = await started();
    plugin.child.kill('SIGINT');
    await plugin.client.ping();
    plugin.child.kill('SIGTERM');
    expect(await plugin.exited).toEqual({ code: 0, signal: null });
  });

  test('what is killed is started again, and serves', async () => {
    const supervised = await SupervisedPlugin.start();
    try {
      const first = supervised.current;
      first.child.kill('SIGKILL');
      await first.exited;
      await until('it runs again', () => supervised.restarts === 1);
      expect(supervised.current).not.toBe(first);
      await supervised.current.client.ping();
    } finally {
      await supervised.stop();
    }
  });

  test('it ends when its host is gone', async () => {
    // A host that is killed: a shell that starts the plugin and tells its id.
    const script = `"${executable}" & echo "plugin $!" >&2; wait`;
    const parent = owned(spawn('/bin/sh', ['-c', script], { env: host, stdio: ['ignore', 'pipe', 'pipe'] }));
    let said = '';
    let line = '';
    parent.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    parent.stdout.setEncoding('utf8').on('data', (text: string) => (line += text));
    await until('it serves', () => line.includes('|grpc|'));
    const id = Number(/plugin (\d+)/.exec(said)?.[1]);
    parent.kill('SIGKILL');
    const gone = (): boolean => {
      try {
        return /^State:\s+Z/m.test(readFileSync(`/proc/${id}/status`, 'utf8'));
      } catch {
        return true;
      }
    };
    await until('it is gone', gone, 10_000);
  });
});

describe('log', () => {
  test('lines are what Grafana reads, also of what goes wrong', async () => {
    const plugin = await started();
    const answer = await plugin.client.query({ url: 'http://127.0.0.1:1' }, [{ from: 1, to: 2, query: 'no JSON' }]);
    expect(answer['A']).toMatchObject({ status: 400, error: 'the query is not JSON' });
    await plugin.stop();
    expect(plugin.log.length).toBeGreaterThan(0);
    expect(plugin.log.every(({ level }) => ['debug', 'info', 'warn', 'error'].includes(level))).toBe(true);
    expect(plugin.log.map(({ message }) => message)).toContain('the datasource listens');
  });

  test('the twin fails as Grafana would: keys that are no text', () => {
    const at = '2026-01-01T00:00:00.000000Z';
    expect(parseLogLine(JSON.stringify({ '@level': 'info', '@message': 'x', '@timestamp': at, n: '1' }))).toMatchObject(
      { fields: { n: '1' } },
    );
    expect(() => parseLogLine(JSON.stringify({ '@level': 'info', '@message': 1, '@timestamp': at }))).toThrow(/panic/);
    expect(() => parseLogLine(JSON.stringify({ '@level': 30, '@message': 'x', '@timestamp': at }))).toThrow(/panic/);
    expect(() =>
      parseLogLine(JSON.stringify({ '@level': 'info', '@message': 'x', '@timestamp': '2026-01-01T00:00:00.000Z' })),
    ).toThrow(/form/);
  });
});

describe('development', () => {
  test('a server on a port of the developer’s is found by the one that Grafana starts', async () => {
    const own = join(folder.path, 'standalone');
    mkdirSync(own);
    for (const name of ['backend.cjs', executable.slice(datasourceFolder.length + 1)]) {
      copyFileSync(join(datasourceFolder, name), join(own, name));
      chmodSync(join(own, name), 0o755);
    }
    const server = owned(
      spawn(process.execPath, [join(own, 'backend.cjs'), '--standalone', '--listen', '127.0.0.1:0'], {
        stdio: 'ignore',
      }),
    );
    const ended = new Promise((resolve) => server.on('exit', resolve));
    const path = join(own, executable.slice(datasourceFolder.length + 1));
    await until('it says where it is', () => existsSync(join(own, 'pid.txt')));
    const plugin = await started({ path });
    expect(plugin.handshake).toMatchObject({
      network: 'tcp',
      address: readFileSync(join(own, 'standalone.txt'), 'utf8'),
    });
    expect((await plugin.client.metrics()).includes('netspectra_plugin_uptime_seconds')).toBe(true);
    plugin.child.kill('SIGTERM');
    await plugin.exited;
    server.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(existsSync(join(own, 'standalone.txt'))).toBe(false);
    // Files of a server that is gone are no more than files.
    const alone = await started({ path });
    expect(alone.handshake.network).toBe('unix');
  });

  test('arguments that it does not know', () => {
    expect(byHand(host, ['--port', '1'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('unknown argument --port') as string,
    });
  });
});
