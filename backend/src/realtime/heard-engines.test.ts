import { createMemoryBus } from '@netspectra/collector/bus';
import { expect, it, vi } from 'vitest';
import { HeardEngines, sendBeat } from './heard-engines.js';
import { engineTtlSeconds } from './state.js';
import type { EngineBeat } from './state.js';

const beat = (id: string, packetsRead = 1): EngineBeat => ({
  id,
  state: 'reading',
  source: 'partitions 0',
  workers: 1,
  packetsRead,
  packetsStored: 0,
  bytesStored: 0,
  flowsLive: 0,
  watermarkMs: null,
  memoryBytes: 1,
  limits: {},
});

it('engines are listed while they are heard, and nothing else is', async () => {
  const bus = createMemoryBus({ partitions: 1 });
  let now = 0;
  const heard = new HeardEngines(bus, () => now);
  sendBeat(bus, beat('a', 1));
  sendBeat(bus, beat('b', 1));
  sendBeat(bus, beat('a', 2));
  await vi.waitFor(() => expect(heard.engines()).toEqual([beat('a', 2), beat('b', 1)]));
  const text = new TextEncoder();
  bus.send('netspectra.live.engine.c', text.encode(JSON.stringify(beat('d')))); // in another's name
  bus.send('netspectra.live.engine.c', text.encode('{"id":"c"}'));
  bus.send('netspectra.live.engine.c', new Uint8Array(20_000));
  bus.send('netspectra.live.engine.c', Uint8Array.of(255, 0));
  await vi.waitFor(() => expect(heard.refused).toBe(4));
  expect(heard.engines()).toHaveLength(2);
  now = engineTtlSeconds * 1000 - 1;
  sendBeat(bus, beat('b', 3));
  await vi.waitFor(() => expect(heard.engines()).toContainEqual(beat('b', 3)));
  now += 2;
  expect(heard.engines()).toEqual([beat('b', 3)]);
  for (let i = 0; i < 1100; i += 1) sendBeat(bus, beat(`e${i}`));
  await vi.waitFor(() => expect(heard.refused).toBeGreaterThan(4));
  expect(heard.engines()).toHaveLength(1024);
  heard.close();
});
