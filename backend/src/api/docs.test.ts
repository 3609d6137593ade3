/** Every example of docs/api.md is sent, and answers what the page shows. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiReference, withReference } from '../../../scripts/lib/api-reference.js';
import { fairQueueLimits } from './fair-queue.js';
import { defaultLiveLimits } from './live/hub.js';
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

/** Two o'clock of the day that the questions are about. */
const afternoon = Date.UTC(2026, 0, 31, 14) / 1000;
const week = 7 * 86_400;

/** Half an hour around it, and the same a week before with half of the traffic: two clients of a service. */
const conversation = (
  minute: number,
  id: bigint,
  client: string,
  bytes: number,
  retransmissions: number,
  at: number,
) => ({
  window_start: at + minute * 60,
  window_seconds: 10,
  flow_id: id,
  client_ip: `::ffff:${client}`,
  server_ip: '::ffff:192.0.2.80',
  client_port: 50_000,
  server_port: 443,
  protocol: 6,
  application: 'tls',
  client_packets: 1000,
  client_bytes: bytes / 10,
  server_packets: 1000,
  server_bytes: bytes,
  client_retransmissions: retransmissions,
  first: `${at + minute * 60}.0`,
  last: `${at + minute * 60 + 9}.0`,
});
/** From 14:05 on a host sends much to an address that nobody spoke to before. */
const upload = (minute: number) => ({
  ...conversation(minute, 66n, '10.1.0.66', 200_000, 0, afternoon),
  server_ip: '::ffff:198.51.100.9',
  server_port: 8443,
  client_bytes: 30_000_000,
  client_packets: 20_000,
});
const minutes = Array.from({ length: 30 }, (_, i) => i - 10);
const dayFlows = minutes.flatMap((minute) => [
  conversation(minute, 10n, '10.1.0.10', 8_000_000, 2, afternoon),
  conversation(minute, 20n, '10.1.1.20', 2_000_000, 100, afternoon),
  ...(minute >= 5 ? [upload(minute)] : []),
  conversation(minute, 11n, '10.1.0.10', 4_000_000, 2, afternoon - week),
  conversation(minute, 21n, '10.1.1.20', 1_000_000, 100, afternoon - week),
]);
/** The counters of the same traffic. */
const dayTraffic = dayFlows.map((flow) => ({
  window_start: flow.window_start,
  window_seconds: 1,
  protocol: 6,
  ip_version: 4,
  application: flow.application,
  packets: flow.client_packets + flow.server_packets,
  bytes: flow.client_bytes + flow.server_bytes,
}));
const dayDns = [
  ...Array.from({ length: 5 }, () => ({ name: 'intranet.example.org', rcode: 'NXDOMAIN' })),
  ...Array.from({ length: 2 }, () => ({ name: 'api.example.org', rcode: 'SERVFAIL' })),
  ...Array.from({ length: 10 }, () => ({ name: 'www.example.org', rcode: 'NOERROR' })),
].map(({ name, rcode }, i) => ({
  timestamp: `${afternoon + i}.0`,
  client_ip: '::ffff:10.1.0.10',
  server_ip: '::ffff:192.0.2.53',
  queries: 1,
  responses: 1,
  name,
  type: 'A',
  rcode,
}));

let t: TestApi;
beforeAll(async () => {
  t = await openTestApi({
    day: {
      flows: dayFlows,
      traffic: dayTraffic,
      dns: dayDns,
      probe_stats: [
        {
          timestamp: `${afternoon + 1200}.0`,
          source: 'eth0',
          first_packet: `${afternoon - week}.0`,
          last_packet: `${afternoon + 1200}.0`,
          packets: 1_000_000,
        },
      ],
    },
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

  test('its commands are answered', async () => {
    const commands = [...page.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, text = '']) =>
      text.replace(/\\\n\s*/g, '').split(/\n(?=curl )/),
    );
    expect(commands.length).toBeGreaterThanOrEqual(5);
    for (const command of commands) {
      const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quotedWord, word]) => quotedWord ?? word ?? '');
      const after = (flag: string): string[] => words.flatMap((word, i) => (words[i - 1] === flag ? [word] : []));
      const url = words.find((word) => word.startsWith('localhost:8080/'))?.slice('localhost:8080'.length) ?? '';
      if (url.startsWith('/api/v1/live')) continue; // a stream that does not end; live.test.ts reads it
      const headers = Object.fromEntries(
        after('-H').map((header) => header.split(/: (.*)/s).slice(0, 2) as [string, string]),
      );
      const [payload] = after('-d');
      const answer = await t.api.app.inject({
        method: payload === undefined ? 'GET' : 'POST',
        url,
        headers,
        ...(payload === undefined ? {} : { payload }),
      });
      expect([answer.statusCode, answer.body.length > 50], command).toEqual([200, true]);
    }
  });

  test('its reference is that of the routes: node scripts/make-api-reference.js writes it anew', async () => {
    const document = (await t.get('/openapi.json')).json() as object;
    expect(page).toBe(withReference(page, apiReference(document)));
  });

  test('the problems and limits are those of the code', () => {
    for (const [kind, { status, title, retry }] of Object.entries(problemKinds)) {
      expect(page).toContain(`| \`${kind}\` | ${status} | ${title} | ${retry ? 'yes' : 'no'} |`);
    }
    const rows = page.split('\n').filter((line) => /^\| `[a-z-]+` \| \d{3} \|/.test(line));
    expect(rows).toHaveLength(Object.keys(problemKinds).length);
    expect(page).toContain(`| rows of an answer | ${defaultApiLimits.rowsMax.toLocaleString('en-US')} |`);
    expect(page).toContain(`| flows of an export | ${defaultApiLimits.exportRowsMax.toLocaleString('en-US')} |`);
    expect(page).toContain(
      `| live views | ${defaultLiveLimits.subscribersMax}, of ${defaultLiveLimits.filtersMax} filters |`,
    );
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
