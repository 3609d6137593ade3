/**
 * `netspectra engine` before neighbours that refuse it, or that it must refuse, and its command line: one line that says what
 * is wrong and what to do, the right exit code, no stack, no secret; a missing right or an ended trust while it runs is
 * waited out. Its end: what was taken is stored.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { testMessage } from '../../backend/src/cluster/testing.js';
import { rightsOf } from '../kit/bus-rights.js';
import { makeAuthority } from '../kit/certificates.js';
import type { TestAuthority } from '../kit/certificates.js';
import { startClickHouse } from '../kit/clickhouse.js';
import type { ClickHouse, ClickHouseOptions } from '../kit/clickhouse.js';
import { monitor, startLiveCluster } from '../kit/live-cluster.js';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsOptions, NatsServer } from '../kit/nats.js';
import { freePort, run, start, temporaryFolder, until } from './process.js';
import type { Ended, Started } from './process.js';

const secret = 'S3cret-that-no-log-may-show';

describe.runIf(hasNats)('netspectra engine', () => {
  const folder = temporaryFolder();
  const ends: (() => Promise<unknown>)[] = [];
  let ca: TestAuthority;
  let other: TestAuthority;
  /** plain ones, which take everybody */
  let nats: NatsServer;
  let clickhouse: ClickHouse;
  beforeAll(async () => {
    ca = await makeAuthority(folder.path);
    other = await makeAuthority(folder.path, 'other');
    nats = await startNats();
    clickhouse = await startClickHouse({ dataDir: join(folder.path, 'clickhouse') });
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await clickhouse?.kill();
    await nats?.close();
    folder.remove();
  });

  async function natsWith(options: NatsOptions): Promise<NatsServer> {
    const server = await startNats(options);
    ends.push(() => server.close());
    return server;
  }
  async function clickhouseWith(name: string, options: Omit<ClickHouseOptions, 'dataDir'>): Promise<ClickHouse> {
    const server = await startClickHouse({ dataDir: join(folder.path, name), ...options });
    ends.push(() => server.kill());
    return server;
  }
  const settings = (over: Readonly<Record<string, string>> = {}): Record<string, string> => ({
    NETSPECTRA_BUS_SERVERS: nats.url,
    NETSPECTRA_BUS_PARTITIONS: '2',
    NETSPECTRA_BUS_STREAM_BYTES: '16MB',
    NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url,
    NETSPECTRA_ENGINE_LISTEN: '127.0.0.1:0',
    NETSPECTRA_ENGINE_WORKERS: '1',
    NETSPECTRA_ENGINE_LEASE: '2s',
    ...over,
  });
  const natsTls = ({ cert, key }: { cert: string; key: string }, more = ''): NatsOptions => ({
    scheme: 'tls',
    configuration: `tls { cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)}\n ${more} }`,
  });

  /** It ends with the code; for people there is one line, whatever the log says beside it. */
  function expectRefusal({ code, stdout, stderr }: Ended, wanted: number, line: RegExp): void {
    const said = stderr.split('\n').filter((text) => text.startsWith('netspectra: '));
    expect([code, stdout, said.length], stderr).toEqual([wanted, '', 1]);
    expect(said[0]).toMatch(line);
    expect(stderr).not.toMatch(/\n\s+at |internal error/);
    expect(stderr).not.toContain(secret);
    expect(stderr).not.toMatch(/BEGIN [A-Z ]*PRIVATE KEY/);
  }
  const refusal = async (over: Readonly<Record<string, string>>, wanted: number, line: RegExp): Promise<void> =>
    expectRefusal(await run(['engine'], { env: settings(over) }), wanted, line);

  it('trusts no bus that is not proven to be the one it means', async () => {
    const strange = await natsWith(natsTls(await other.server()));
    const tls = { NETSPECTRA_BUS_TLS_CA_FILE: ca.ca, NETSPECTRA_BUS_USER: 'engine', NETSPECTRA_BUS_PASSWORD: secret };
    await refusal({ ...tls, NETSPECTRA_BUS_SERVERS: strange.url }, 1, /certificate is not signed by the configured CA/);
    const expired = await natsWith(natsTls(await ca.server({ expired: true })));
    await refusal({ ...tls, NETSPECTRA_BUS_SERVERS: expired.url }, 1, /certificate has expired; renew it/);
  });

  it('tells that the bus refuses it: certificate, password, JetStream, a right', async () => {
    const mutual = await natsWith(natsTls(await ca.server(), `ca_file: ${JSON.stringify(ca.ca)}\n verify: true`));
    await refusal(
      { NETSPECTRA_BUS_SERVERS: mutual.url, NETSPECTRA_BUS_TLS_CA_FILE: ca.ca },
      1,
      /refuses our client certificate/,
    );
    const guarded = await natsWith({
      configuration: `authorization { users: [
        { user: engine, password: right },
        { user: probe, password: ${JSON.stringify(secret)}, permissions: {
          publish: ["netspectra.packets.*.p1", "netspectra.live.>", "$JS.API.INFO", "$JS.API.STREAM.INFO.*"],
          subscribe: ["_INBOX.>", "netspectra.control.>"] } } ] }`,
    });
    const guardedUrl = { NETSPECTRA_BUS_SERVERS: guarded.url };
    await refusal(
      { ...guardedUrl, NETSPECTRA_BUS_USER: 'engine', NETSPECTRA_BUS_PASSWORD: secret },
      1,
      /refuses these credentials; check user and password/,
    );
    const without = await natsWith({ configuration: 'jetstream: disabled' });
    await refusal({ NETSPECTRA_BUS_SERVERS: without.url }, 1, /has JetStream turned off; start it with jetstream/);

    // A probe's user is let in, and told which right an engine needs.
    await refusal(
      { ...guardedUrl, NETSPECTRA_BUS_USER: 'probe', NETSPECTRA_BUS_PASSWORD: secret },
      1,
      /Permissions Violation for Publish to "\$JS\.API\.STREAM\.CREATE\.[^"]+"; give this user the permissions of docs\/bus\.md/,
    );
    const streams = await natsWith({});
    const first = await monitor(begin({ NETSPECTRA_BUS_SERVERS: streams.url }));
    await refusal(
      { NETSPECTRA_BUS_SERVERS: streams.url, NETSPECTRA_BUS_PARTITIONS: '8' },
      2,
      /was made for 2 partitions and 8 are configured/,
    );
    expect((await first.stop()).code).toBe(0);
  });

  it('is not ready when it may not take partitions, and says so once', async () => {
    const server = await natsWith({
      configuration: `authorization { users: [
        { user: engine, password: ${JSON.stringify(secret)}, permissions: {
          publish: { allow: ["$JS.API.>"], deny: ["$JS.API.STREAM.*.KV_netspectra-engines"] },
          subscribe: ["_INBOX.>", "netspectra.live.>", "netspectra.control.engines.>"] } } ] }`,
    });
    const engine = await monitor(
      begin({
        NETSPECTRA_BUS_SERVERS: server.url,
        NETSPECTRA_BUS_USER: 'engine',
        NETSPECTRA_BUS_PASSWORD: secret,
        NETSPECTRA_ENGINE_LEASE: '1s',
      }),
    );
    const violations = (): string[] =>
      engine
        .stderr()
        .split('\n')
        .filter((line) => line.includes('"level":40') && line.includes('KV_netspectra-engines'));
    await until('it says so', async () => /bus: failed: Permissions Violation/.test((await engine.readyz()).body));
    // It tries four times a second.
    await until('it has tried on', async () => {
      const health = (await (await fetch(`${engine.address}/healthz`)).json()) as { uptime_seconds: number };
      return health.uptime_seconds >= 8;
    });
    expect(await engine.readyz()).toMatchObject({ status: 503 });
    expect(violations().length).toBeGreaterThan(0);
    expect(violations().length).toBeLessThan(8);
    expect(engine.stderr()).not.toContain(secret);
  });

  it('trusts no store that is not proven to be the one it means, and tells that it is refused', async () => {
    const users = [`netspectra:right`];
    const login = { NETSPECTRA_STORAGE_CLICKHOUSE_USER: 'netspectra', NETSPECTRA_STORAGE_CLICKHOUSE_PASSWORD: secret };
    const guarded = await clickhouseWith('guarded', { users });
    await refusal(
      { ...login, NETSPECTRA_STORAGE_CLICKHOUSE_URL: guarded.url },
      1,
      /the ClickHouse server \S+ refused the user netspectra/,
    );
    const readonly = await clickhouseWith('readonly', { users: [`netspectra:${secret}:readonly=1`] });
    await refusal(
      { ...login, NETSPECTRA_STORAGE_CLICKHOUSE_URL: readonly.url },
      1,
      /netspectra: .*ClickHouse|the store/,
    );
    const strange = await clickhouseWith('strange', { tls: await other.server() });
    await refusal(
      { NETSPECTRA_STORAGE_CLICKHOUSE_URL: strange.url, NETSPECTRA_STORAGE_CLICKHOUSE_TLS_CA_FILE: ca.ca },
      1,
      /certificate/,
    );
    const expired = await clickhouseWith('expired', { tls: await ca.server({ expired: true }) });
    await refusal(
      { NETSPECTRA_STORAGE_CLICKHOUSE_URL: expired.url, NETSPECTRA_STORAGE_CLICKHOUSE_TLS_CA_FILE: ca.ca },
      1,
      /certificate .*expired|expired/,
    );
  });

  it('says what is missing: store, bus, a file, a free port', async () => {
    const nobody = await freePort();
    const taken = createServer().listen(0, '127.0.0.1');
    ends.push(() => new Promise((resolve) => taken.close(resolve)));
    await until('the port is taken', () => taken.listening);
    const { port } = taken.address() as AddressInfo;
    await Promise.all([
      refusal(
        { NETSPECTRA_STORAGE_CLICKHOUSE_URL: '' },
        2,
        /engine needs a ClickHouse server.*storage\.clickhouse\.url/,
      ),
      refusal(
        { NETSPECTRA_STORAGE_CLICKHOUSE_URL: `http://127.0.0.1:${nobody}` },
        1,
        /no answer from the ClickHouse server/,
      ),
      refusal({ NETSPECTRA_BUS_TLS_CA_FILE: '/no/such.pem' }, 2, /bus\.tls\.ca_file: \/no\/such\.pem cannot be read/),
      refusal({ NETSPECTRA_BUS_SERVERS: `nats://127.0.0.1:${nobody}` }, 1, /NATS at \S+ .*/),
      refusal({ NETSPECTRA_ENGINE_LISTEN: `127.0.0.1:${port}` }, 1, /is taken; choose another .*engine\.listen/),
    ]);
  });

  it('knows its configuration and its flags', async () => {
    const file = join(folder.path, 'wrong.yaml');
    writeFileSync(file, 'engine:\n  leese: 10s\n');
    const wrong = await run(['engine', '--config', file], { env: settings() });
    expectRefusal(wrong, 2, /wrong\.yaml:2: engine\.leese: unknown key, did you mean "lease"\?/);
    expectRefusal(await run(['engine', '--listen', 'nowhere'], { env: settings() }), 2, /listen/);
    expectRefusal(await run(['engine', '--sub'], { env: settings() }), 2, /unknown option '--sub'/);
    const help = await run(['engine', '--help']);
    expect([help.code, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toMatch(/Usage: netspectra engine[^]*--config[^]*--listen/);
  });

  function begin(over: Readonly<Record<string, string>>): Started {
    const started = start(['engine'], { env: settings(over) });
    ends.push(async () => {
      started.child.kill('SIGKILL');
      await started.ended;
    });
    return started;
  }

  it('stores what it took when it is asked to end, and gives its partitions back; asked twice, it ends at once', async () => {
    const cluster = await startLiveCluster({ partitions: 2, env: { NETSPECTRA_ENGINE_FLUSH_INTERVAL: '1m' } });
    ends.push(() => cluster.close());
    const engine = await cluster.engine();
    const publisher = cluster.bus.publisher();
    ends.push(() => publisher.close(0));
    for (let sequence = 0; sequence < 50; sequence += 1) {
      for (let partition = 0; partition < 2; partition += 1)
        publisher.publish(testMessage({ probe: 'p', epoch: 1n, sequence, partition }, 20, { partitions: 2 }));
    }
    await until('it took all', async () => (await engine.metric('netspectra_engine_packets_total')) === 2_000);
    expect((await cluster.stored()).packets).toBeLessThan(2_000);
    expect((await engine.stop()).code).toBe(0);
    expect(await cluster.stored()).toEqual({ packets: 2_000, bytes: 200_000 });
    expect((await cluster.bus.streams()).map(({ messages }) => messages)).toEqual([0, 0]);

    // The next one need not wait for leases, and is asked while the store is away: that can take long, unless asked twice.
    const next = await cluster.engine({ NETSPECTRA_ENGINE_LEASE: '5m', NETSPECTRA_ENGINE_DRAIN_TIMEOUT: '5m' });
    await until('it has the partitions', async () => (await next.metric('netspectra_engine_partitions')) === 2);
    await cluster.clickhouse.kill();
    publisher.publish(testMessage({ probe: 'p', epoch: 1n, sequence: 50, partition: 0 }, 20, { partitions: 2 }));
    await until('it waits for the store', async () => /store: failed/.test((await next.readyz()).body));
    next.child.kill('SIGTERM');
    next.child.kill('SIGINT');
    expect((await next.ended).code).toBe(1);
  });

  it('needs the rights of docs/bus.md and no others', async () => {
    const server = await natsWith({
      configuration: `authorization { users: [
        { user: engine, password: ${JSON.stringify(secret)}, ${rightsOf('engine')} } ] }`,
    });
    const env = { NETSPECTRA_BUS_SERVERS: server.url, NETSPECTRA_BUS_USER: 'engine', NETSPECTRA_BUS_PASSWORD: secret };
    const engine = await monitor(begin(env));
    await until('it has the partitions', async () => (await engine.metric('netspectra_engine_partitions')) === 2);
    await delay(3_000); // it tells of itself once a second
    expect((await engine.stop()).code).toBe(0);
    expect(engine.stderr()).not.toMatch(/Permissions Violation/);
    expect(engine.stderr()).not.toContain(secret);
  });
});
