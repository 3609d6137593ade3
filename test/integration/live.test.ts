/**
 * The live view of a real process while a capture is replayed: each second once, as the store has it in the end, across
 * reconnects and the join with history; and how long after its end a second is told. Real-time state beside it, in Redis that
 * is killed meanwhile.
 */
import { afterAll, expect, test } from 'vitest';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { hasRedis, startRedis } from '../kit/redis.js';
import { sampleCapture, temporaryFolder, until } from './process.js';

/** The sample begins here, ms. */
const begin = Date.parse('2026-01-01T00:00:01Z');

afterAll(endServings);

interface Rates {
  readonly from: number;
  readonly to: number;
  readonly packets_per_second: number | null;
  readonly bits_per_second: number | null;
}
interface LiveEvent {
  readonly type: string;
  readonly id: string;
  readonly data: { readonly rates: Rates; readonly time: number };
}

/** Follow the view until `enough`; the reader leaves then. */
async function follow(
  { url }: Serving,
  search: string,
  enough: (found: readonly LiveEvent[]) => boolean,
  headers: Record<string, string> = {},
): Promise<LiveEvent[]> {
  const stop = new AbortController();
  const answer = await fetch(`${url}/api/v1/live${search}`, { headers, signal: stop.signal });
  expect(answer.status).toBe(200);
  const found: LiveEvent[] = [];
  const decoder = new TextDecoder();
  let text = '';
  reading: for await (const bytes of answer.body!) {
    text += decoder.decode(bytes, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)));
      if (fields['event']) found.push({ type: fields['event'], id: fields['id'], data: JSON.parse(fields['data']) });
      if (enough(found)) break reading;
    }
  }
  stop.abort();
  return found;
}

/** What the store says of each second, by its beginning. */
async function seconds(api: Serving, from: number, to: number, filter = ''): Promise<Map<number, readonly number[]>> {
  const query = {
    refId: 'A',
    type: 'timeseries',
    measures: ['packets_per_second', 'bits_per_second'],
    intervalMs: 1000,
    filter,
  };
  const answer = (await (await api.query({ from, to, queries: [query] })).json()) as {
    results: { A: { frames: { schema: { fields: { name: string }[] }; data: { values: number[][] } }[] } };
  };
  const byTime = new Map<number, number[]>();
  for (const { schema, data } of answer.results.A.frames) {
    schema.fields.forEach(({ name }, column) => {
      if (name === 'time') return;
      data.values[0]!.forEach((time, row) => {
        const values = byTime.get(time) ?? [0, 0];
        values[name === 'packets_per_second' ? 0 : 1] = data.values[column]![row] ?? 0;
        byTime.set(time, values);
      });
    });
  }
  return byTime;
}

test.skipIf(!hasRedis)('each second of a replay is told once, and as the store has it', async () => {
  const folder = temporaryFolder();
  const redis = await startRedis();
  try {
    const api = await startServing(['up', '--read', sampleCapture, '--replay', '20', '--data', folder.path], {
      env: { NETSPECTRA_REDIS_URL: redis.url, NETSPECTRA_ENGINE_FLUSH_INTERVAL: '100ms' },
    });
    await follow(api, '', (found) => found.length === 1); // something is stored
    const past = (found: readonly LiveEvent[], count: number): boolean =>
      (found.at(-1)?.data.rates.to ?? 0) >= begin + count * 1000;
    // One reader stays; another has the past from a query and joins; a third comes and goes, and says what it had.
    const stays = follow(api, `?since=${begin}`, (found) => past(found, 50));
    const tcp = follow(api, `?since=${begin}&filter=${encodeURIComponent('protocol = tcp')}`, (found) =>
      past(found, 30),
    );
    const pieces: LiveEvent[] = [];
    for (const count of [10, 20, 30, 40, 50]) {
      const id = pieces.at(-1)?.id;
      pieces.push(
        ...(await follow(
          api,
          id ? '' : `?since=${begin}`,
          (found) => past(found, count),
          id ? { 'last-event-id': id } : {},
        )),
      );
      if (count === 20) {
        await until('real-time state is in Redis', async () => (await active(api)).source === 'redis');
        await redis.kill();
      }
      if (count === 30) expect((await active(api)).source).toBe('process');
      if (count === 40) await redis.start();
    }
    await until('Redis has it again', async () => {
      const { source, hosts } = await active(api);
      return source === 'redis' && hosts.length > 0;
    });
    const all = await stays;
    const stored = await seconds(api, begin, begin + 50_000);
    const storedTcp = await seconds(api, begin, begin + 30_000, 'protocol = tcp');
    for (const [events, expected, count] of [
      [all, stored, 50],
      [pieces, stored, 50],
      [await tcp, storedTcp, 30],
    ] as const) {
      expect(events.map(({ type }) => type)).not.toContain('skipped');
      const told = events.filter(({ type }) => type === 'traffic').map(({ data }) => data.rates);
      expect(told.map(({ from }) => from)).toEqual(Array.from({ length: told.length }, (_, i) => begin + i * 1000));
      expect(told.length).toBeGreaterThanOrEqual(count);
      for (const rates of told.slice(0, count)) {
        expect([rates.from, rates.packets_per_second ?? 0, rates.bits_per_second ?? 0]).toEqual([
          rates.from,
          ...(expected.get(rates.from) ?? [0, 0]),
        ]);
      }
      expect(told.reduce((sum, rates) => sum + (rates.packets_per_second ?? 0), 0)).toBeGreaterThan(100);
    }
    const { engines } = (await (await fetch(`${api.url}/api/v1/engines`)).json()) as { engines: object[] };
    expect(engines).toHaveLength(1);
    api.child.kill('SIGTERM');
    expect((await api.ended).code).toBe(0);
  } finally {
    await endServings();
    await redis.close();
    folder.remove();
  }
});

async function active({
  url,
}: Serving): Promise<{ source: string; hosts: { address: string; flows: number | null }[] }> {
  return (await fetch(`${url}/api/v1/hosts/active?seconds=60`)).json() as never;
}
