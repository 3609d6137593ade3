import { Gauge, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { healthOf } from '../health.js';
import type { DependencyStatus } from '../health.js';
import { serveStatus } from './status-http.js';
import type { StatusHttp } from './status-http.js';

describe('the status of a process over HTTP', () => {
  let http: StatusHttp | undefined;
  afterEach(async () => http?.close());

  const serve = async (bus: Omit<DependencyStatus, 'name'>, metrics = new Registry()): Promise<string> => {
    http = await serveStatus({
      listen: '127.0.0.1:0',
      setting: 'probe.listen',
      metrics,
      health: () => healthOf([{ name: 'bus', ...bus }]),
    });
    return http.address;
  };

  it.each([
    [{ ok: true, detail: 'connected' }, 'ok', 200, 'bus: ok: connected\n'],
    [{ ok: false, optional: true, detail: 'away' }, 'warn', 200, 'bus: warn: away\n'],
    [{ ok: false, detail: 'away' }, 'error', 503, 'bus: failed: away\n'],
  ])('%j is %s', async (bus, status, code, text) => {
    const address = await serve(bus);
    const alive = await fetch(`${address}/healthz`);
    expect([alive.status, await alive.json()]).toMatchObject([
      200,
      { status, dependencies: [{ name: 'bus', ...bus }] },
    ]);
    const ready = await fetch(`${address}/readyz?x=1`);
    expect([ready.status, await ready.text()]).toEqual([code, text]);
  });

  it('has metrics and nothing else, to be read only', async () => {
    const metrics = new Registry();
    new Gauge({ name: 'a_metric', help: 'a', registers: [metrics] }).set(7);
    const address = await serve({ ok: true, detail: '' }, metrics);
    const answer = await fetch(`${address}/metrics`);
    expect(await answer.text()).toContain('a_metric 7');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await (await fetch(`${address}/metrics`, { method: 'HEAD' })).text()).toBe('');
    expect((await fetch(`${address}/metrics`, { method: 'POST' })).status).toBe(405);
    for (const path of ['/', '/constructor', '/__proto__', '/metricsx']) {
      expect((await fetch(`${address}${path}`)).status).toBe(404);
    }
  });

  it('a metric that cannot be read is told, and the next answer comes', async () => {
    const metrics = new Registry();
    new Gauge({
      name: 'bad',
      help: 'b',
      registers: [metrics],
      collect: () => {
        throw new Error('secret');
      },
    });
    const address = await serve({ ok: true, detail: '' }, metrics);
    const answer = await fetch(`${address}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([500, 'this cannot be read now\n']);
    expect((await fetch(`${address}/readyz`)).status).toBe(200);
  });

  it('says what is wrong with an address', async () => {
    const address = (await serve({ ok: true, detail: '' })).replace('http://', '');
    const again = serveStatus({
      listen: address,
      setting: 'engine.listen',
      metrics: new Registry(),
      health: () => healthOf([]),
    });
    await expect(again).rejects.toMatchObject({
      code: 'NS_PORT_IN_USE',
      message: expect.stringContaining('engine.listen') as string,
    });
    const none = serveStatus({ listen: 'nowhere', setting: 'x', metrics: new Registry(), health: () => healthOf([]) });
    await expect(none).rejects.toMatchObject({ code: 'NS_USAGE' });
  });
});
