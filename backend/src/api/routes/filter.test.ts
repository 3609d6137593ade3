import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApi } from '../testing.js';
import type { TestApi } from '../testing.js';

let t: TestApi;
beforeAll(async () => {
  t = await openTestApi({});
});
afterAll(async () => {
  await t.close();
});

describe('POST /api/v1/filter/validate', () => {
  const captureOf = async (filter: string): Promise<unknown> => {
    const answer = await t.post('/api/v1/filter/validate', { filter });
    expect(answer.status).toBe(200);
    return (answer.json() as { capture?: unknown }).capture;
  };

  test('says what the kernel can do of it', async () => {
    expect(await captureOf('')).toEqual({ ok: true, text: '', exact: true, notes: [] });
    expect(await captureOf('tcp port 443')).toMatchObject({ ok: true, exact: false });
  });

  test('and why it cannot, with the place', async () => {
    expect(await captureOf('tcp and rtt > 5ms')).toMatchObject({
      ok: false,
      reasons: [
        {
          pointer: '#/filter',
          detail: 'cannot be a capture filter because rtt is counted or measured over a whole flow record',
          position: { offset: 8, length: 3, line: 1, column: 9 },
        },
      ],
    });
  });

  test('colours wrong texts too', async () => {
    const answer = await t.post('/api/v1/filter/validate', { filter: 'vlan = "' });
    expect(answer.json()).toMatchObject({
      ok: false,
      tokens: [
        { role: 'field', offset: 0, length: 4 },
        { role: 'operator' },
        { role: 'invalid', offset: 7, length: 1 },
      ],
    });
  });
});

describe('hostile filters in a query', () => {
  test.each([
    ['too long', 'vlan=1 or '.repeat(2000), 16_384],
    ['nested too deep', '('.repeat(100) + 'vlan = 1', 64],
    ['with too long a list', `vlan in (${'1,'.repeat(2000)}1)`, 2009],
    ['with a look-alike letter', 'vl\u0430n = 1', 2],
    ['with a hidden character', 'vlan\u202e = 1', 4],
    ['with a statement behind', 'vlan = 1; DROP TABLE flows', 8],
    ['with a text that never ends', `probe = "' OR 1=1 --`, 8],
    ['with a regular expression that blows up', 'probe =~ /((a{100}){100}){100}/', 10],
    ['with a backreference', 'probe =~ /(a)\\1/', 13],
  ])('%s are answered 400 with the place', async (_, filter, offset) => {
    const query = { refId: 'A', type: 'table', measures: ['bytes'], groupBy: [], filter };
    const started = performance.now();
    const answer = await t.post('/api/v1/query', { from: 0, to: 1000, queries: [query] });
    expect(performance.now() - started).toBeLessThan(2000);
    // One wrong query does not take the others along: the status stands with its answer.
    const { results } = answer.json() as { results: { A: unknown } };
    expect(results.A).toMatchObject({
      status: 400,
      errors: [{ pointer: '#/queries/0/filter', position: { offset } }],
    });
  });
});

describe('POST /api/v1/filter/complete', () => {
  const complete = async (body: object) => {
    const answer = await t.post('/api/v1/filter/complete', body);
    return { status: answer.status, ...(answer.json() as { items: { label: string }[]; wantsValues?: unknown }) };
  };

  test('offers what fits at the cursor', async () => {
    const { status, items } = await complete({ filter: 'vlan = 1 and dst_po', offset: 19 });
    expect(status).toBe(200);
    expect(items).toMatchObject([
      { label: 'dst_port', kind: 'field', insert: 'dst_port', replaceFrom: 13, replaceTo: 19 },
    ]);
  });

  test('asks for values, and offers them', async () => {
    expect(await complete({ filter: 'dns_name = ex' })).toMatchObject({
      items: [],
      wantsValues: { dimension: 'dns_name', prefix: 'ex' },
    });
    expect(await complete({ filter: 'dns_name = ex', values: ['example.org'] })).toMatchObject({
      items: [{ label: 'example.org', kind: 'value' }],
    });
  });

  test.each([
    { offset: 1 },
    { filter: 'x', offset: -1 },
    { filter: 'x', offset: 0.5 },
    { filter: 'x', unknown: 1 },
    { filter: 'x', values: [{}] },
    { filter: 'x'.repeat(16_385) },
  ])('refuses a wrong request %#', async (body) => expect((await complete(body)).status).toBe(400));
});
