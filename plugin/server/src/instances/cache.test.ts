import { expect, test } from 'vitest';
import type { ApiClient } from '../api/client.js';
import type { DataSourceSettings, PluginContext } from '../rpc/messages.js';
import { InstanceCache } from './cache.js';

function cacheOf() {
  const closed: string[] = [];
  const cache = new InstanceCache((settings: DataSourceSettings) => {
    const name = `${settings.uid}@${settings.lastUpdatedMS}`;
    return { name, running: 1, close: async () => void closed.push(name) } as unknown as ApiClient;
  });
  const get = (orgId: number, uid: string, lastUpdatedMS: number) =>
    cache.get({ orgId, user: null, dataSourceInstanceSettings: { uid, lastUpdatedMS } } as unknown as PluginContext);
  return { cache, closed, get };
}

test('one client for each datasource and organisation, a new one when the settings changed', async () => {
  const { cache, closed, get } = cacheOf();
  const first = get(1, 'a', 1);
  expect(get(1, 'a', 1)).toBe(first);
  expect(get(2, 'a', 1)).not.toBe(first);
  expect(get(1, 'a', 2)).not.toBe(first);
  expect(closed).toEqual(['a@1']);
  expect(cache.size).toBe(2);
  expect(cache.running).toBe(2);
  await cache.closeAll(1);
  expect(closed.sort()).toEqual(['a@1', 'a@1', 'a@2']);
  expect(cache.size).toBe(0);
});

test('bounded: the one that was not used for longest goes', () => {
  const { cache, closed, get } = cacheOf();
  for (let i = 0; i < 500; i += 1) get(1, `d${i}`, 1);
  get(1, 'd0', 1);
  get(1, 'new', 1);
  expect(cache.size).toBe(500);
  expect(closed).toEqual(['d1@1']);
});

test('a call without a datasource is refused', () => {
  const { cache } = cacheOf();
  expect(() => cache.get(null)).toThrow(/names no datasource/);
  expect(() => cache.get({ orgId: 1, user: null, dataSourceInstanceSettings: null })).toThrow(/names no datasource/);
});
