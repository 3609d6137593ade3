import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Enricher, createHostLookup } from '../../enrichment/index.js';
import { createApi } from '../server.js';
import { openTestApi } from '../testing.js';
import type { TestApi } from '../testing.js';

let known: TestApi;
beforeAll(async () => {
  const networks = [{ name: 'office', cidr: ['192.0.2.0/24'], local: true }];
  const enricher = new Enricher({ networks, country: null, asn: null });
  const hosts = createHostLookup({ enricher, reverseDns: null, scope: 'local', budgetMillis: 0 });
  known = await openTestApi({}, { deps: { hosts } });
});
afterAll(async () => {
  await known?.close();
});

it('tells what is known about an address, however it is written', async () => {
  const office = {
    address: '192.0.2.7',
    name: '',
    country: '',
    asn: 0,
    as_name: '',
    network: 'office',
    local: true,
  };
  for (const text of ['192.0.2.7', '::ffff:192.0.2.7', '::FFFF:c000:207']) {
    const { status, json } = await known.get(`/api/v1/hosts/${encodeURIComponent(text)}`);
    expect([status, json()]).toEqual([200, office]);
  }
  const { json } = await known.get('/api/v1/hosts/2001:db8:0:0::1');
  expect(json()).toMatchObject({ address: '2001:db8::1', network: '', local: false });
});

it('refuses what is no address, and leaves /hosts/active to its own', async () => {
  for (const text of ['192.0.2.7%2F24', 'example.org', '1.2.3', '%00']) {
    const { status, json } = await known.get(`/api/v1/hosts/${text}`);
    expect(status, text).toBe(400);
    expect(json()).toMatchObject({ errors: [{ pointer: '#/address' }] });
  }
  const { json } = await known.get('/api/v1/hosts/active');
  expect(json()).toHaveProperty('hosts');
});

it('is not there in a process that knows nothing', async () => {
  const { app } = createApi(
    {
      store: known.store,
      management: known.management,
      metrics: new Registry(),
      status: () => ({ dependencies: [], watermarkMs: null }),
    },
    { listen: '127.0.0.1:0' },
  );
  expect((await app.inject('/api/v1/hosts/192.0.2.7')).statusCode).toBe(503);
  await app.close();
});
