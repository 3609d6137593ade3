/** The examples of docs/rules.md and docs/access.md are sent, in order, and answer what the pages show. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../config/index.js';
import { openTestApi } from '../testing.js';
import type { TestApi } from '../testing.js';

const admin = 'configured-token-of-the-administrator-0123456789';
const base = 1_700_000_040;
let t: TestApi;

beforeAll(async () => {
  const flows = Array.from({ length: 10 }, (_, minute) =>
    [1, 2].map((host) => ({
      window_start: base + minute * 60,
      window_seconds: 10,
      flow_id: host,
      client_ip: `::ffff:10.0.0.${host}`,
      server_ip: '::ffff:192.0.2.1',
      protocol: 6,
      client_packets: 10,
      client_bytes: host === 1 && minute >= 4 && minute <= 6 ? 50_000 : 1_000,
      first: `${base + minute * 60}.000000000`,
      last: `${base + minute * 60 + 5}.000000000`,
    })),
  ).flat();
  t = await openTestApi({ p: { flows } }, { config: { access: { adminToken: admin } } });
});
afterAll(async () => t.close());

interface Example {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly shown: unknown;
}

function examplesOf(name: string): Example[] {
  const page = readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```(http|json)\n([\s\S]*?)```/g)].map(([, kind, text]) => ({ kind, text: text! }));
  return blocks.flatMap(({ kind, text }, i) => {
    if (kind !== 'http') return [];
    const [head = '', ...rest] = text.trim().split('\n');
    const [method = '', url = ''] = head.split(' ');
    const headers = Object.fromEntries(
      rest.filter((line) => /^[A-Za-z-]+: /.test(line)).map((line) => line.split(': ') as [string, string]),
    );
    const next = blocks[i + 1];
    return [
      {
        method,
        url,
        headers,
        body: rest.filter((line) => !/^[A-Za-z-]+: /.test(line)).join('\n'),
        shown: next?.kind === 'json' ? (JSON.parse(next.text) as unknown) : undefined,
      },
    ];
  });
}

describe.each([
  ['rules.md', 7],
  ['access.md', 4],
])('docs/%s', (name, count) => {
  const examples = examplesOf(name);
  let id = '';

  test('has examples', () => expect(examples).toHaveLength(count));

  test('has configurations that load', () => {
    const page = readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8');
    for (const [, yaml] of page.matchAll(/```yaml\n([\s\S]*?)```/g)) {
      const folder = mkdtempSync(join(tmpdir(), 'netspectra-docs-'));
      writeFileSync(join(folder, 'netspectra.yaml'), yaml!);
      expect(() => loadConfig({ path: join(folder, 'netspectra.yaml'), taskSchemas: [] })).not.toThrow();
      rmSync(folder, { recursive: true });
    }
  });

  test.each(examples.map((example) => [`${example.method} ${example.url}`, example] as const))(
    '%s',
    async (_, { method, url, headers, body, shown }) => {
      const answer = await t.api.app.inject({
        method: method as 'GET',
        url: url.replace('{id}', id),
        headers: {
          ...Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, value.replace('<admin>', admin)])),
          ...(body === '' ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === '' ? {} : { payload: body }),
      });
      expect(answer.statusCode, answer.body).toBeLessThan(300);
      const json = answer.body === '' ? {} : answer.json<Record<string, unknown>>();
      if (typeof json['id'] === 'string') id = json['id'];
      if (shown !== undefined) expect(json).toMatchObject(shown as object);
    },
  );
});
