/**
 * Viewers who join a live panel at any moment, one after the other and together: each sees every window exactly once, in its
 * history, with its subscription, or on the channel. The source is steady, tells events a while after its answers know of
 * them, and answers a while after it looked; Grafana takes its time to hand packets on and to count viewers in.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Random } from '../../scripts/lib/random.js';
import { PluginProcess, fakeApi, sendJson } from '../kit/plugin-host/index.js';
import type { DatasourceOptions, FakeApi } from '../kit/plugin-host/index.js';
import { until } from './process.js';

const widthMs = 1_000;
/** Packet time runs this much faster than the clock. */
const speed = 20;
/** The past that a panel shows. */
const pastMs = 60_000;
/** Grafana, beyond a call's own time. */
const handOnMsMax = 60;
const countInMsMax = 100;
/** What the plugin allows Grafana is 250 ms: with this, what Grafana takes here is longer. */
const stallMs = 80;
const aroundMs = 100;
const judgedMin = 8;
const roundsMax = 30;

let plugin: PluginProcess;
const fakes: FakeApi[] = [];
beforeAll(async () => void (plugin = await PluginProcess.start()));
afterEach(async () => {
  await Promise.all(fakes.splice(0).map((fake) => fake.stop()));
});
afterAll(async () => {
  await plugin?.stop();
  expect(plugin?.logMistakes).toEqual([]);
});

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const drops = { kernelDropped: 0, undecodable: 0, flowsFolded: 0, latePackets: 0 };

/** A window is over each `widthMs / speed`; what it held is its own time. */
async function steadySource(random: Random): Promise<{ where: DatasourceOptions; nowMs: () => number }> {
  const beginMs = Math.floor(Date.now() / pastMs) * pastMs;
  const clock = performance.now();
  const nowMs = (): number => beginMs + (performance.now() - clock) * speed;
  const rates = (from: number) => ({ from, to: from + widthMs, bits_per_second: from, packets_per_second: 1 });
  const api = await fakeApi(async ({ url, body, closed }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://api');
    if (pathname === '/api/v1/query') {
      const { from, to, queries } = JSON.parse(body) as { from: number; to: number; queries: { refId: string }[] };
      const { refId } = queries[0]!;
      // As a panel that is narrow, or wide.
      const intervalMs = [widthMs, widthMs, 5 * widthMs][random.between(0, 2)]!;
      const watermarkMs = nowMs();
      await pause(random.between(0, 100));
      // What is stored when it is asked for is more than what was whole when it was looked.
      const times: number[] = [];
      for (let at = Math.ceil(from / intervalMs) * intervalMs; at < Math.min(to, nowMs()); at += intervalMs)
        times.push(at);
      const frame = (measure: string) => ({
        schema: {
          fields: [
            { name: 'time', type: 'time' },
            { name: measure, type: 'number' },
          ],
        },
        data: { values: [times, times] },
      });
      const meta = {
        watermarkMs,
        intervalMs,
        fromMs: from,
        toMs: to,
        tables: [],
        plan: '',
        partial: true,
        samplingRate: 1,
        drops,
        errorBounds: [],
        truncated: false,
      };
      const frames = ['bits_per_second', 'packets_per_second'].map(frame);
      return sendJson(response, 200, { results: { [refId]: { frames, meta } } });
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let open = true;
    void closed.then(() => (open = false));
    const since = searchParams.get('since');
    let next = since === null ? Math.floor(nowMs() / widthMs - 1) * widthMs : Number(since);
    while (open) {
      const lateMs = random.between(0, 60) * speed;
      for (; next + widthMs <= nowMs() - lateMs; next += widthMs)
        response.write(
          `event: traffic\nid: w${next + widthMs}\ndata: ${JSON.stringify({ time: 1, rates: rates(next) })}\n\n`,
        );
      await pause(10);
    }
  });
  fakes.push(api);
  return { where: { url: api.url, uid: api.url.replaceAll(/\W/g, '_') }, nowMs };
}

interface Viewer {
  /** the windows that it sees, by their beginning; it grows */
  readonly seen: readonly number[];
  /** monotonic */
  readonly beganMs: number;
  readonly joinedMs: number;
}

type Packet = { readonly data: { readonly values: readonly (readonly number[])[] } };

/** Grafana Live: runs a stream while it has viewers, hands packets on in their order, to those who are counted in by then. */
class Hub {
  private readonly viewers = new Set<number[]>();
  private stream: ReturnType<PluginProcess['client']['run']> | undefined;
  private handed = 0;
  private polledMs = performance.now();
  private readonly stalls: { readonly fromMs: number; readonly toMs: number }[] = [];
  private handing: Promise<void> = Promise.resolve();

  constructor(
    private readonly where: DatasourceOptions,
    private readonly random: Random,
  ) {}

  async join(user: string, nowMs: () => number): Promise<Viewer> {
    const beganMs = performance.now();
    const as: DatasourceOptions = { ...this.where, user: { login: user, role: 'Viewer' } };
    const to = Math.ceil(nowMs() + pastMs);
    const query = { version: 1, type: 'timeseries', live: 'rates' };
    const answers = await plugin.client.query(as, [{ from: to - 2 * pastMs, to, query }]);
    const { frames, error } = answers['A']!;
    expect(error).toBe('');
    const path = frames[0]!.meta.channel!.slice(`ds/${this.where.uid}/`.length);
    const starts = frames[0]!.fields[0]!.values.map((at) => Math.round(Number(at) / 1e6));
    const intervalMs = starts[1]! - starts[0]!;
    // A bucket stands for all its windows.
    const seen = starts.flatMap((at) => Array.from({ length: intervalMs / widthMs }, (_, i) => at + i * widthMs));
    expect(seen.length).toBeGreaterThan(10);
    const { status, packet } = await plugin.client.subscription(as, path);
    expect(status).toBe(0);
    if (packet) seen.push(...(packet as unknown as Packet).data.values[0]!);
    this.stream ??= plugin.client.run(as, path);
    await pause(this.random.between(0, countInMsMax));
    this.viewers.add(seen);
    return { seen, beganMs, joinedMs: performance.now() };
  }

  /** Hand on what came; each packet some time after it came. Called all the time. */
  poll(): void {
    const { stream } = this;
    const nowMs = performance.now();
    if (nowMs - this.polledMs > stallMs) this.stalls.push({ fromMs: this.polledMs, toMs: nowMs });
    this.polledMs = nowMs;
    for (; stream && this.handed < stream.packets.length; this.handed += 1) {
      const packet = stream.packets[this.handed] as unknown as Packet;
      const dueMs = performance.now() + this.random.between(0, handOnMsMax);
      this.handing = this.handing.then(async () => {
        await pause(Math.max(0, dueMs - performance.now()));
        for (const seen of this.viewers) seen.push(...packet.data.values[0]!);
      });
    }
  }

  /** Whether this process stood still while a viewer joined: Grafana took longer then than the plugin allows for. */
  wasStalled({ beganMs, joinedMs }: Viewer): boolean {
    return this.stalls.some(({ fromMs, toMs }) => toMs >= beganMs - aroundMs && fromMs <= joinedMs + aroundMs);
  }

  async end(): Promise<void> {
    this.stream?.cancel();
    await this.stream?.ended;
  }
}

test.each([
  ['one after the other', 1],
  ['several at once', 4],
])('viewers who join %s miss nothing and see nothing twice', { timeout: 60_000 }, async (_, together) => {
  const seed = Number(process.env['JOINT_SEED'] ?? 1);
  const random = new Random(seed);
  const { where, nowMs } = await steadySource(random);
  const hub = new Hub(where, random);
  const polling = setInterval(() => hub.poll(), 5);
  try {
    const joined: Viewer[] = [];
    const judged = (): Viewer[] => joined.filter((viewer) => !hub.wasStalled(viewer));
    for (let round = 0; round < roundsMax && judged().length < judgedMin * together; round += 1) {
      await pause(random.between(0, 200));
      joined.push(...(await Promise.all(Array.from({ length: together }, (_, i) => hub.join(`viewer-${i}`, nowMs)))));
      await pause(aroundMs);
    }
    expect(judged().length).toBeGreaterThan(0);
    const goalMs = nowMs() + 5 * widthMs;
    await until('all see what comes', () => joined.every(({ seen }) => (seen.at(-1) ?? 0) >= goalMs));
    for (const [viewer, { seen }] of judged().entries()) {
      const expected = Array.from({ length: seen.length }, (_, i) => seen[0]! + i * widthMs);
      expect(seen, `viewer ${viewer}, seed ${seed}`).toEqual(expected);
    }
  } finally {
    clearInterval(polling);
    await hub.end();
  }
});
