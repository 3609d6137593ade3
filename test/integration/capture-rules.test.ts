/**
 * Capture rules from the API to a probe over NATS, with real processes: nats-server, a ClickHouse server, `netspectra api` and
 * `netspectra probe` on a veth pair. What is captured is counted exactly.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createJetStreamBus } from '@netspectra/collector/bus';
import type { JetStreamBus } from '@netspectra/collector/bus';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeControl, versionOf } from '../../backend/src/capture-rules/index.js';
import { PacketDecoder } from '@netspectra/collector/decode';
import { compilePacketFilter } from '@netspectra/collector/filter';
import type { CaptureRule } from '@netspectra/collector/probe';
import { PacketBatch, decodePacketBatch } from '@netspectra/proto';
import { parseFilter } from '@netspectra/query';
import { readCapture } from '../../collector/src/decode/testing.js';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { startClickHouse } from '../kit/clickhouse.js';
import type { ClickHouse } from '../kit/clickhouse.js';
import { hasNats, startNats } from '../kit/nats.js';
import type { NatsServer } from '../kit/nats.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';
import { sampleCapture, start, temporaryFolder, until } from './process.js';
import type { Started } from './process.js';

interface LiveProbe {
  readonly id: string;
  readonly packets: number;
  readonly live: null | {
    readonly state: string;
    readonly health: string;
    readonly packets: number;
    readonly filter: string;
    readonly capture_rules: {
      readonly state: string;
      readonly rules: number;
      readonly applied: string;
      readonly wanted: string;
      readonly error: string;
      readonly refused: number;
    };
  };
}

describe.runIf(hasNats && hasCables)('capture rules over the bus', () => {
  const folder = temporaryFolder();
  const partitions = 2;
  let nats: NatsServer;
  let clickhouse: ClickHouse;
  let cable: Cable;
  let bus: JetStreamBus;
  let env: Record<string, string>;
  const probes = new Set<Started>();

  beforeAll(async () => {
    cable = layCable();
    nats = await startNats();
    clickhouse = await startClickHouse({ dataDir: join(folder.path, 'server') });
    env = {
      NETSPECTRA_STORAGE_CLICKHOUSE_URL: clickhouse.url,
      NETSPECTRA_BUS_SERVERS: nats.url,
      NETSPECTRA_BUS_PARTITIONS: String(partitions),
      NETSPECTRA_API_BUS: 'true',
      NETSPECTRA_PROBE_LISTEN: '127.0.0.1:0',
      NETSPECTRA_DATA_DIR: join(folder.path, 'data'),
    };
    bus = createJetStreamBus({ connection: { servers: [nats.url] }, streams: { partitions } });
    await bus.ready(10_000);
  });
  afterEach(async () => {
    for (const one of probes) one.child.kill('SIGKILL');
    await Promise.all([...probes].map(({ ended }) => ended));
    probes.clear();
    await endServings();
  });
  afterAll(async () => {
    await bus?.close();
    await clickhouse?.kill();
    await nats?.close();
    cable?.remove();
    folder.remove();
  });

  async function startProbe(id: string, over: Record<string, string> = {}) {
    const started = start(['probe', '--interface', cable.interface], {
      env: { ...env, NETSPECTRA_PROBE_ID: id, ...over },
    });
    probes.add(started);
    await until('it captures', () => started.stderr().includes('netspectra: capturing'));
    const address = /(http:\/\/[^/]+)\/metrics/.exec(started.stderr())![1]!;
    const text = async (path: string): Promise<string> => (await fetch(address + path)).text();
    const metric = async (name: string, labels = '\\S*'): Promise<number> =>
      Number(new RegExp(`^${name}${labels} (\\S+)$`, 'm').exec(await text('/metrics'))?.[1]);
    const refused = (reason: string): Promise<number> =>
      metric('netspectra_probe_control_refused_total', `\\{reason="${reason}"\\}`);
    /** Send the sample past it; it must keep exactly what the filter keeps. */
    const keeps = async (filter: string): Promise<void> => {
      const before = await metric('netspectra_probe_bytes_total');
      expect(await cable.send(sampleCapture, { packetsPerSecond: 20_000 })).toBe(frames.length);
      const kept = async (): Promise<number> => (await metric('netspectra_probe_bytes_total')) - before;
      await expect.poll(kept, { timeout: 10_000, message: filter }).toBe(bytesOf(filter));
    };
    const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
      started.child.kill(signal);
      probes.delete(started);
      return started.ended;
    };
    return { ...started, text, metric, refused, keeps, stop };
  }

  const change = async (api: Serving, method: string, path: string, body?: object): Promise<{ id: string }> => {
    const answer = await fetch(`${api.url}/api/v1/capture-rules${path}`, {
      method,
      headers: { 'if-match': '*', ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(answer.status, await answer.clone().text()).toBeLessThan(300);
    return answer.status === 204 ? { id: '' } : ((await answer.json()) as { id: string });
  };
  const rule = (probe: string, filter: string, action: object, priority = 1) => ({
    name: `${probe} ${filter}`,
    probes: [probe],
    filter,
    action,
    priority,
  });
  const shown = async (api: Serving, id: string): Promise<LiveProbe | undefined> => {
    const { probes: all } = JSON.parse((await api.text('/api/v1/probes')).body) as { probes: LiveProbe[] };
    return all.find((probe) => probe.id === id);
  };
  /** Wait until the API sees that the probe has so many rules, those that are wanted. */
  const applied = (api: Serving, id: string, rules: number): Promise<void> =>
    until(`${id} has ${rules} rules`, async () => {
      const { capture_rules: has } = (await shown(api, id))?.live ?? {};
      return has?.state === 'applied' && has.rules === rules && has.applied === has.wanted;
    });

  it('a rule changes what is captured within two seconds, for its probes only; deleting it restores', async () => {
    const api = await startServing(['api'], { env });
    const [edge, other] = [await startProbe('edge-1'), await startProbe('core-1')];
    await until(
      'both are known',
      async () => !!(await shown(api, 'edge-1'))?.live && !!(await shown(api, 'core-1'))?.live,
    );
    await edge.keeps('');
    await until('the bus is there', async () => (await other.metric('netspectra_probe_bytes_total')) === bytesOf(''));

    const begun = performance.now();
    const { id } = await change(api, 'POST', '', rule('edge-*', 'udp', { type: 'drop' }));
    await until('it is in force', async () => (await edge.metric('netspectra_probe_capture_rules')) === 1);
    const took = performance.now() - begun;
    await edge.keeps('not udp');
    expect(took).toBeLessThan(2_000);
    await until(
      'the other keeps all',
      async () => (await other.metric('netspectra_probe_bytes_total')) === 2 * bytesOf(''),
    );
    expect(await other.metric('netspectra_probe_capture_rules')).toBe(0);
    await applied(api, 'edge-1', 1);
    expect(await shown(api, 'edge-1')).toMatchObject({
      packets: 0, // nothing is stored: no engine runs
      live: { state: 'live', health: 'ok', filter: '', capture_rules: { error: '', refused: 0 } },
    });

    await change(api, 'PUT', `/${id}`, rule('edge-*', 'tcp', { type: 'drop' }));
    const upper = await change(api, 'POST', '', rule('edge-1', 'port 443', { type: 'capture' }, 5));
    await applied(api, 'edge-1', 2);
    await edge.keeps('port 443 or not tcp');
    await change(api, 'DELETE', `/${id}`);
    await change(api, 'DELETE', `/${upper.id}`);
    await applied(api, 'edge-1', 0);
    await edge.keeps('');
    expect((await edge.stop()).code).toBe(0);
    expect(await published('edge-1')).toBe(2 * bytesOf('') + bytesOf('not udp') + bytesOf('port 443 or not tcp'));
  });

  it('a probe keeps its rules over a restart without an API, a kill too; what it missed it gets', async () => {
    const api = await startServing(['api'], { env });
    const first = await startProbe('keeper');
    const { id } = await change(api, 'POST', '', rule('keeper', 'udp', { type: 'drop' }));
    await applied(api, 'keeper', 1);
    const file = join(folder.path, 'data', 'spool', 'keeper', 'capture-rules.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    api.child.kill('SIGKILL');
    await api.ended;
    await first.stop('SIGKILL');
    const second = await startProbe('keeper');
    await second.keeps('not udp');
    await second.stop();
    const kept = readFileSync(file);
    writeFileSync(file, kept.subarray(0, 50));
    const without = await startProbe('keeper');
    expect(without.stderr()).toMatch(/the capture rules of the last run are left out/);
    await without.keeps('');
    await without.stop();
    writeFileSync(file, kept);
    const again = await startServing(['api'], { env });
    await change(again, 'DELETE', `/${id}`); // nobody hears it
    const third = await startProbe('keeper');
    await applied(again, 'keeper', 0);
    await third.keeps('');
  });

  it('a bus that was killed: its users say so, and a rule that was made meanwhile arrives when it is back', async () => {
    const api = await startServing(['api'], { env });
    const probe = await startProbe('patient');
    await until('it is heard', async () => (await shown(api, 'patient'))?.live?.state === 'live');
    expect((await api.text('/readyz')).body).toMatch(/^store: ok: .*\nbus: ok: connected\n$/);
    await nats.kill();
    await until('the API says so', async () => (await api.text('/readyz')).body.includes('\nbus: warn: no connection'));
    expect((await api.text('/readyz')).status).toBe(200); // it answers without
    expect(JSON.parse((await api.text('/healthz')).body)).toMatchObject({ status: 'warn' });
    await until('the probe, too', async () => (await probe.text('/readyz')).includes('bus: failed: no connection'));
    await until('it is silent', async () => (await shown(api, 'patient'))?.live?.state === 'silent');
    const { id } = await change(api, 'POST', '', rule('patient', 'udp', { type: 'drop' }));
    await nats.start();
    await applied(api, 'patient', 1);
    await probe.keeps('not udp');
    await until('both are well', async () => {
      const found = [(await api.text('/readyz')).body, await probe.text('/readyz')];
      return found.every((text) => text.includes('bus: ok: connected'));
    });
    await change(api, 'DELETE', `/${id}`);

    await clickhouse.kill();
    await until('the store is away', async () => (await api.text('/readyz')).status === 503);
    expect((await api.text('/readyz')).body).toMatch(/^store: failed: .*\nbus: ok/);
    const alive = await api.text('/healthz');
    expect([alive.status, JSON.parse(alive.body)]).toMatchObject([200, { status: 'error' }]);
    clickhouse = await startClickHouse({ dataDir: join(folder.path, 'server'), port: clickhouse.port });
    await until('it is back', async () => (await api.text('/readyz')).status === 200);
    await applied(api, 'patient', 0);
  });

  it('refuses and counts what is malformed, foreign, too large, old, or beyond it', async () => {
    const probe = await startProbe('target', { NETSPECTRA_CAPTURE_SAMPLING_RATE: '1' });
    const send = (bytes: Uint8Array | string): void =>
      bus.send('netspectra.control.probe.target', typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
    const made = (since: number, changes: number, rules: CaptureRule[], id = 'target'): Uint8Array =>
      encodeControl(id, { version: versionOf({ since, changes }, rules), rules });
    const drop = (filter: string): CaptureRule[] => [{ filter, action: { type: 'drop' } }];
    await until('it is connected', async () => (await probe.metric('netspectra_probe_bus_connected')) === 1);
    await bus.ready(10_000);
    await until('it hears', async () => {
      send(made(1_000, 2, drop('udp')));
      return (await probe.metric('netspectra_probe_capture_rules')) === 1;
    });
    const valid = new TextDecoder().decode(made(1_000, 3, drop('tcp')));
    const wrong = [
      '',
      '[]',
      'null',
      '{"filter": "arp"}',
      '{"kind": "capture_rules"}',
      valid.replace('tcp', 'udp'), // the version names another content
      valid.replace('"drop"', '"explode"'),
      valid.replace('"rules"', '"__proto__":{"x":1},"rules"'),
      '['.repeat(100_000),
      `\ufeff${valid.slice(1)}`,
    ];
    wrong.forEach(send);
    send(Uint8Array.of(0xff, 0xfe, 0x7b));
    send(made(1_000, 3, drop('tcp'), 'somebody-else'));
    send(new Uint8Array(300_000).fill(0x20));
    for (const old of [made(1_000, 1, drop('tcp')), made(999, 9, drop('tcp')), made(0, 0, [])]) send(old);
    send(made(1_000, 2, drop('udp'))); // the same once more is no mistake
    for (const filter of [
      'bytes > 1MB',
      'dns.name = "x"',
      'port = ',
      'udp) or (tcp',
      '('.repeat(500),
      `${'not '.repeat(3_000)}udp`,
    ]) {
      send(made(1_000, 3, drop(filter)));
    }
    send(made(1_000, 3, [{ filter: '', action: { type: 'sample', rate: 1_000_001 } }]));
    await expect.poll(() => probe.refused('unusable')).toBe(6);
    await expect.poll(() => probe.refused('malformed')).toBe(wrong.length + 2);
    expect(await Promise.all(['foreign', 'too_large', 'stale'].map((reason) => probe.refused(reason)))).toEqual([
      1, 1, 3,
    ]);
    expect(await probe.text('/readyz')).toMatch(/^capture_rules: warn: rule 1/m);
    expect(probe.stderr().match(/a control message was refused/g)).toHaveLength(4); // told once each, then counted
    await probe.keeps('not udp');
    send(made(1_000, 3, drop('tcp')));
    await expect.poll(() => probe.text('/readyz')).toMatch(/^capture_rules: ok: 1 rule$/m);
    await probe.keeps('not tcp');
  });

  it('what a probe cannot do is refused when it is made, or shown with the probe; status messages are judged, too', async () => {
    const api = await startServing(['api'], { env });
    await startProbe('limited', { NETSPECTRA_CAPTURE_SAMPLING_RATE: '60000' });
    const status = async (): Promise<string> => (await api.text('/metrics')).body;
    const refuse = await fetch(`${api.url}/api/v1/capture-rules`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rule('limited', 'dns.name ~ "*.example.org"', { type: 'drop' })),
    });
    expect([refuse.status, await refuse.text()]).toEqual([400, expect.stringContaining('#/filter')]);
    const { id } = await change(api, 'POST', '', rule('limited', 'udp', { type: 'sample', rate: 1_000_000 }));
    await until('it is shown', async () => (await shown(api, 'limited'))?.live?.capture_rules.state === 'failed');
    expect(await shown(api, 'limited')).toMatchObject({
      live: { health: 'warn', capture_rules: { rules: 0, error: expect.stringContaining('too few') as string } },
    });
    await change(api, 'DELETE', `/${id}`);
    await until('it is well again', async () => (await shown(api, 'limited'))?.live?.capture_rules.state === 'applied');

    const tell = (id_: string, text: string): void =>
      bus.send(`netspectra.live.probe.${id_}`, new TextEncoder().encode(text));
    const own = { probe: 'limited', health: { status: 'ok' } };
    for (const text of ['', '{}', JSON.stringify(own), '['.repeat(30_000)]) tell('limited', text);
    tell('limited', ' '.repeat(100_000));
    await expect.poll(status).toMatch(/probe_status_refused_total\{reason="malformed"\} 4\n/);
    expect(await status()).toMatch(/probe_status_refused_total\{reason="too_large"\} 1\n/);
    expect(await status()).toMatch(/netspectra_api_probes\{state="live"\} 1\n/);
  });

  /** Bytes of everything that is on the bus of a probe. */
  async function published(probe: string): Promise<number> {
    let sum = 0;
    for (const { partition, lastSequence } of await bus.streams()) {
      if (lastSequence === 0) continue;
      const consumer = bus.consume(partition);
      for await (const delivery of consumer.messages) {
        if (delivery.kind !== 'message') throw new Error(delivery.reason);
        if (delivery.probe === probe) {
          const decoded = decodePacketBatch(delivery.bytes);
          if (!decoded.ok) throw new Error(decoded.error);
          sum += decoded.batch.wireLength.reduce((total, length) => total + length, 0);
        }
        if (delivery.streamSequence === lastSequence) break;
      }
      await consumer.stop();
    }
    return sum;
  }
});

const frames = readCapture(new Uint8Array(readFileSync(sampleCapture)));

/** Bytes on the wire of the sample's packets that a filter keeps. */
function bytesOf(filter: string): number {
  const batch = new PacketBatch(frames.length, 8 * frames.length);
  const decoder = new PacketDecoder();
  for (const { bytes, wireLength, linkType } of frames) {
    decoder.decode(bytes, 0, bytes.length, wireLength, linkType, 1, 0, 0, batch);
  }
  const parsed = parseFilter(filter);
  const compiled = parsed.ok ? compilePacketFilter(parsed.filter) : undefined;
  if (!compiled?.ok) throw new Error(filter);
  const kept = new Uint8Array(batch.count);
  compiled.filter.mark(batch, kept);
  return batch.wireLength.subarray(0, batch.count).reduce((sum, length, row) => sum + length * kept[row]!, 0);
}
