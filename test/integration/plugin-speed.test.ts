/** What the datasource costs, printed; the bounds are for what is broken, not for what is slow today. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PluginProcess, fakeApi, plainMeta } from '../kit/plugin-host/index.js';
import type { FakeApi } from '../kit/plugin-host/index.js';

const from = Date.UTC(2026, 0, 1);
const bodies = new Map<string, string>();
let api: FakeApi;

/** An answer of `series` time series with `points` each. */
function answerOf(points: number, series: number): string {
  const times = Array.from({ length: points }, (_, i) => from + i * 1_000);
  const fields = Array.from({ length: series }, (_, i) => ({
    name: 'bits_per_second',
    type: 'number',
    typeInfo: { frame: 'float64', nullable: true },
    labels: { src_ip: `10.0.0.${i}` },
    config: { displayNameFromDS: `10.0.0.${i}`, unit: 'bps' },
  }));
  const time = { name: 'time', type: 'time', typeInfo: { frame: 'time.Time' } };
  const values = [times, ...fields.map((_, i) => times.map((at) => (at % 7919) * (i + 1) * 1.5))];
  const frame = {
    schema: { refId: 'q0', meta: { type: 'timeseries-wide' }, fields: [time, ...fields] },
    data: { values },
  };
  return JSON.stringify({ results: { q0: { frames: [frame], meta: plainMeta } } });
}

beforeAll(async () => {
  bodies.set('100 points', answerOf(100, 1));
  bodies.set('10 series of 1,000 points', answerOf(1_000, 10));
  bodies.set('100,000 points', answerOf(100_000, 1));
  api = await fakeApi(({ body }, response) => {
    const { queries } = JSON.parse(body) as { queries: { filter: string }[] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(bodies.get(queries[0]!.filter));
  });
});
afterAll(() => api?.stop());

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

test('start, memory, and the time of a query', async () => {
  const starts: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    const plugin = await PluginProcess.start();
    starts.push(plugin.startMs);
    await plugin.stop();
  }
  const plugin = await PluginProcess.start();
  const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${plugin.child.pid}/status`, 'utf8'))![1]) / 1024;
  const lines = [`start p50 ${Math.round(median(starts))} ms, RSS idle ${Math.round(rss)} MB`];
  for (const filter of bodies.keys()) {
    const times: number[] = [];
    const query = { version: 1, type: 'timeseries', measures: ['bits_per_second'], groupBy: [], filter };
    const datasource = { url: api.url, jsonData: { limits: { rows: 1_000_000 } } };
    for (let i = 0; i < 40; i += 1) {
      const begin = performance.now();
      const answers = await plugin.client.queryRaw(datasource, [{ from, to: from + 1_000_000, query }]);
      times.push(performance.now() - begin);
      expect(answers['A']!.error).toBe('');
    }
    lines.push(`QueryData of ${filter}: p50 ${median(times.slice(10)).toFixed(1)} ms`);
  }
  const { ms } = await plugin.stop();
  lines.push(`stop ${Math.round(ms)} ms`);
  console.log(lines.join('\n'));
  expect(median(starts)).toBeLessThan(5_000);
  expect(rss).toBeLessThan(200);
});
