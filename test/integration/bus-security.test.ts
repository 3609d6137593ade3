/** Who may use the bus, and what is said to who may not: TLS and credentials on a real nats-server. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJetStreamBus, createNatsRecords } from '@netspectra/collector/bus';
import type { ConnectionOptions, JetStreamBus } from '@netspectra/collector/bus';
import { rightsOf } from '../kit/bus-rights.js';
import { makeAuthority } from '../kit/certificates.js';
import type { TestAuthority } from '../kit/certificates.js';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsOptions, NatsServer } from '../kit/nats.js';
import { temporaryFolder, until } from './process.js';

describe.runIf(hasNats)('access to the bus', () => {
  const folder = temporaryFolder();
  const servers: NatsServer[] = [];
  const buses: JetStreamBus[] = [];
  let ca: TestAuthority;
  let other: TestAuthority;
  const text = (path: string): string => readFileSync(path, 'utf8');
  const start = async (options: NatsOptions): Promise<NatsServer> => {
    const server = await startNats(options);
    servers.push(server);
    return server;
  };
  const open = (
    server: NatsServer,
    connection: Omit<ConnectionOptions, 'servers'>,
  ): { bus: JetStreamBus; log: string[] } => {
    const log: string[] = [];
    const note = (_: object, line: string): void => void log.push(line);
    const bus = createJetStreamBus({
      connection: { servers: [server.url], retryMsMax: 100, ...connection },
      streams: { partitions: 1, bytesMax: 1 << 20 },
      log: { info: note, warn: note, error: note },
    });
    buses.push(bus);
    return { bus, log };
  };
  /** What is said about a connection that cannot be made, and that it is said once while it is tried again. */
  const refusal = async (server: NatsServer, connection: Omit<ConnectionOptions, 'servers'>): Promise<string> => {
    const { bus, log } = open(server, connection);
    const error = await bus.ready(10_000).then(
      () => new Error('connected'),
      (refused: Error) => refused,
    );
    expect(error).toMatchObject({ name: 'BusError' });
    expect(error.message).not.toContain('\n');
    await bus.ready(300).catch(() => {});
    // A connection may be reset before the server's reason for it has arrived: then the next try tells it.
    const told = log.filter((line) => !line.includes('ECONNRESET'));
    expect(told).toEqual([`${error.message}; trying again for ever`]);
    await bus.close();
    return error.message.replaceAll(server.url, 'URL');
  };
  const tlsConfiguration = ({ cert, key }: { cert: string; key: string }, more = ''): string =>
    `tls { cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)}\n ${more} }`;

  beforeAll(async () => {
    ca = await makeAuthority(folder.path);
    other = await makeAuthority(folder.path, 'other');
  });
  afterAll(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await Promise.all(servers.map((server) => server.close()));
    folder.remove();
  });

  it('checks the server: authority and time of its certificate', async () => {
    const server = await start({ scheme: 'tls', configuration: tlsConfiguration(await ca.server()) });
    const { bus } = open(server, { tls: { ca: text(ca.ca) } });
    await bus.ensureStreams();
    expect(await refusal(server, { tls: { ca: text(other.ca) } })).toBe(
      "NATS at URL: the server's certificate is not signed by the configured CA; check the CA file",
    );
    const expired = await start({ scheme: 'tls', configuration: tlsConfiguration(await ca.server({ expired: true })) });
    expect(await refusal(expired, { tls: { ca: text(ca.ca) } })).toBe(
      "NATS at URL: the server's certificate has expired; renew it, or check this machine's clock",
    );
  });

  it('never speaks in the clear where TLS is asked for', async () => {
    const server = await start({});
    const tls = { ...server, url: server.url.replace('nats:', 'tls:') };
    for (const settings of [{ tls: { ca: text(ca.ca) } }, {}]) {
      const { bus } = open(tls, { ...settings, user: 'a', password: 'secret' });
      await expect(bus.ready(5000)).rejects.toMatchObject({ code: 'NS_BUS_CERTIFICATE' });
    }
  });

  it('shows its own certificate where the server wants one', async () => {
    const server = await start({
      scheme: 'tls',
      configuration: tlsConfiguration(await ca.server(), `ca_file: ${JSON.stringify(ca.ca)}\n verify: true`),
    });
    const client = await ca.client('probe');
    const { bus } = open(server, { tls: { ca: text(ca.ca), cert: text(client.cert), key: text(client.key) } });
    await bus.ensureStreams();
    expect(await refusal(server, { tls: { ca: text(ca.ca) } })).toContain('NATS at URL refuses our client certificate');
  });

  it('tells wrong credentials, without showing them, and comes in when they are right', async () => {
    const server = await start({ configuration: 'authorization { user: probe, password: right }' });
    const line = 'NATS at URL refuses these credentials; check user and password, token, nkey or credentials file';
    expect(await refusal(server, { user: 'probe', password: 'wrong-secret' })).toBe(line);
    expect(await refusal(server, {})).toBe(line);
    const { bus } = open(server, { user: 'probe', password: 'right' });
    await bus.ensureStreams();
    const tokens = await start({ configuration: 'authorization { token: right-token }' });
    expect(await refusal(tokens, { token: 'wrong' })).toBe(line);
    await open(tokens, { token: 'right-token' }).bus.ready(5000);
  });

  it('needs the permissions of docs/bus.md and no others; says which one is missing, and keeps the message', async () => {
    const server = await start({
      configuration: `authorization { users: [
        { user: engine, password: e, ${rightsOf('engine')} },
        { user: probe, password: p, ${rightsOf('probe')} },
        { user: api, password: a, ${rightsOf('API')} } ] }`,
    });
    const engine = open(server, { user: 'engine', password: 'e' });
    await engine.bus.ensureStreams();
    const records = createNatsRecords(engine.bus, 'netspectra-engines');
    const revision = await records.put('partition.0', 'x', null);
    const next = await records.put('partition.0', 'y', revision);
    expect(next).toBeGreaterThan(revision!);
    expect(await records.keys('partition.')).toEqual(['partition.0']);
    expect(await records.remove('partition.0', revision!)).toBe(false);
    expect(await records.remove('partition.0', next!)).toBe(true);
    expect(await records.keys('partition.')).toEqual([]);
    expect(await records.get('partition.0')).toBe(null);
    const { bus, log } = open(server, { user: 'probe', password: 'p' });
    expect(await bus.ensureStreams()).toEqual([]);
    expect(log).toEqual(['connected to the bus']);
    const api = open(server, { user: 'api', password: 'a' });
    await api.bus.ready(5000);
    const heard: string[] = [];
    api.bus.listen('netspectra.live.probe.>', (subject) => heard.push(subject));
    bus.listen('netspectra.control.probe.p1', (subject) => heard.push(subject));
    await until('each hears the other', () => {
      bus.send('netspectra.live.probe.p1', new Uint8Array(1));
      api.bus.send('netspectra.control.probe.p1', new Uint8Array(1));
      return heard.includes('netspectra.live.probe.p1') && heard.includes('netspectra.control.probe.p1');
    });
    expect([...log, ...api.log]).toEqual(['connected to the bus', 'connected to the bus']);
    bus.send('netspectra.control.probe.other', new Uint8Array(1)); // a probe commands nobody, and speaks for itself only
    bus.send('netspectra.live.probe.other', new Uint8Array(1));
    await until('it is told', () => log.filter((line) => line.includes('docs/bus.md')).length === 2);
    expect(heard.filter((subject) => subject.endsWith('.other'))).toEqual([]);
    log.length = 1;
    const publisher = bus.publisher();
    const bytes = new Uint8Array(3);
    publisher.publish({ partition: 0, probe: 'p1', epoch: 1n, sequence: 0, bytes });
    await until('its own is confirmed', () => publisher.state.confirmed === 1);
    publisher.publish({ partition: 0, probe: 'other', epoch: 1n, sequence: 0, bytes });
    await until('it is told', () => log.some((line) => line.includes('docs/bus.md')));
    expect(publisher.state).toMatchObject({ confirmed: 1, unacknowledged: 1, lost: 0 });
    expect(await publisher.close(0)).toHaveLength(1);
    const consumer = engine.bus.consume(0);
    for await (const one of consumer.messages) {
      expect(one).toMatchObject({ kind: 'message', probe: 'p1' });
      break;
    }
    await consumer.acknowledge(1);
    expect(await engine.bus.streams()).toMatchObject([{ messages: 0 }]);
    expect(engine.log).toEqual(['connected to the bus']);
  });

  it('refuses settings that do not fit together before anything is tried', () => {
    const make = (connection: ConnectionOptions) => () =>
      createJetStreamBus({ connection, streams: { partitions: 1 } });
    expect(make({ servers: [] })).toThrow('no NATS server is named');
    expect(make({ servers: ['nats://me:secret@host'] })).toThrow('nats://***@host is no NATS address');
    expect(make({ servers: ['nats://host'], tls: { cert: 'x' } })).toThrow('needs both cert and key');
    expect(make({ servers: ['nats://host'], password: 'x' })).toThrow('needs a user');
  });

  it('says that JetStream is off', async () => {
    const server = await start({ configuration: 'jetstream: disabled' });
    await expect(open(server, {}).bus.ensureStreams()).rejects.toMatchObject({ code: 'NS_BUS_NO_JETSTREAM' });
  });
});
