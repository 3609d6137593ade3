/** Every example of docs/api.md is sent, and answers what the page shows. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fairQueueLimits } from './fair-queue.js';
import { problemKinds } from './problem.js';
import { defaultApiLimits } from './server.js';
import { openTestApi } from './testing.js';
import type { TestApi } from './testing.js';

const page = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8');
const start = 1_700_000_000;

interface Example {
  readonly method: string;
  readonly url: string;
  readonly body: string;
  /** what the page shows as its answer, when a json block follows before the next request */
  readonly shown: unknown;
}

const blocks = [...page.matchAll(/```(http|json)\n([\s\S]*?)```/g)].map(([, kind, text]) => ({ kind, text: text! }));
const examples: Example[] = blocks.flatMap(({ kind, text }, i) => {
  if (kind !== 'http') return [];
  const [head = '', ...rest] = text.split('\n');
  const [method = '', url = ''] = head.split(' ');
  const following = blocks[i + 1];
  const shown: unknown = following?.kind === 'json' ? JSON.parse(following.text) : undefined;
  return [{ method, url, body: rest.join('\n'), shown }];
});

/** The answer has the shown keys, and where a list is shown, its shown elements first. Shown lists are shortened. */
function contains(actual: unknown, shown: unknown, path: string): void {
  if (Array.isArray(shown)) {
    expect(Array.isArray(actual), path).toBe(true);
    shown.forEach((element, i) => contains((actual as unknown[])[i], element, `${path}[${i}]`));
  } else if (typeof shown === 'object' && shown !== null) {
    for (const [key, value] of Object.entries(shown)) {
      contains((actual as Record<string, unknown> | null)?.[key], value, `${path}.${key}`);
    }
  } else {
    expect(actual, path).toEqual(shown);
  }
}

let t: TestApi;
beforeAll(async () => {
  t = await openTestApi({
    p1: {
      flows: Array.from({ length: 12 }, (_, i) => ({
        window_start: start,
        window_seconds: 10,
        flow_id: (1n << 63n) + BigInt(i),
        client_ip: `::ffff:10.0.0.${i + 1}`,
        server_ip: '2001:db8::1',
        client_port: 40_000 + i,
        server_port: 443,
        protocol: 6,
        client_packets: 3,
        client_bytes: i === 0 ? 600 : 300,
        server_packets: 3,
        server_bytes: i === 0 ? 3000 : 1000,
        first: `${start + Math.floor(i / 2)}.${i % 2 === 0 ? '250000000' : '750000000'}`,
        last: `${start + 9}.000000000`,
        rtt_ns: 1_000_000 * (i + 1),
      })),
      traffic: [{ window_start: start, window_seconds: 1, application: 'tls', packets: 72, bytes: 30_000 }],
      probe_stats: [{ timestamp: `${start + 60}.0`, first_packet: `${start}.0`, last_packet: `${start + 60}.0` }],
    },
  });
});
afterAll(async () => t?.close());

describe('docs/api.md', () => {
  test('has examples', () => expect(examples.length).toBeGreaterThanOrEqual(7));

  test.each(
    examples.map((example) => [`${example.method} ${example.url} ${example.body.slice(0, 400)}`, example] as const),
  )('%s', async (_name, { method, url, body, shown }) => {
    const answer = method === 'POST' ? await t.post(url, body) : await t.get(url);
    const json = answer.json() as { results?: Record<string, { error?: string }> };
    const wanted = (shown as { status?: number } | undefined)?.status ?? 200;
    expect(answer.status).toBe(wanted);
    for (const [refId, result] of Object.entries(json.results ?? {})) expect(result.error, refId).toBeUndefined();
    if (shown !== undefined) contains(json, shown, 'answer');
  });

  test('every route is in its table', async () => {
    const { paths } = (await t.get('/openapi.json')).json() as { paths: Record<string, object> };
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) expect(page).toContain(`${method.toUpperCase()} ${path}`);
    }
  });

  test('the problems and limits are those of the code', () => {
    for (const [kind, { status, title, retry }] of Object.entries(problemKinds)) {
      expect(page).toContain(`| \`${kind}\` | ${status} | ${title} | ${retry ? 'yes' : 'no'} |`);
    }
    const rows = page.split('\n').filter((line) => /^\| `[a-z-]+` \| \d{3} \|/.test(line));
    expect(rows).toHaveLength(Object.keys(problemKinds).length);
    expect(page).toContain(`| rows of an answer | ${defaultApiLimits.rowsMax.toLocaleString('en-US')} |`);
    expect(page).toContain(`| time range | ${defaultApiLimits.rangeSecondsMax / 86_400} days |`);
    expect(page).toContain(`| body | ${defaultApiLimits.bodyBytesMax / 1024} KiB |`);
    const { runningMax, waitingMax, runningPerClientMax, waitingPerClientMax } = fairQueueLimits(
      defaultApiLimits.concurrency,
    );
    expect(page).toContain(
      `| ${runningMax} run, ${waitingMax} wait; of one client ${runningPerClientMax} and ${waitingPerClientMax} |`,
    );
    expect(page).toContain(`| time of a query | ${defaultApiLimits.queryMillisMax / 1000} s |`);
  });
});
