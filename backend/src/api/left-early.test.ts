/** Clients that are gone before their request reaches its route, as while a token is looked at: nothing of theirs stays. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestApi } from './testing.js';
import type { TestApi } from './testing.js';

let t: TestApi;
let address: string;
let arrived = 0;
let answered = 0;
let statements = 0;

beforeAll(async () => {
  t = await openTestApi(
    {},
    {
      wrap: (store) => ({
        query: (...args) => {
          statements += 1;
          return store.query(...args);
        },
      }),
      watch: (app) => {
        app.addHook('onRequest', async (request, reply) => {
          if (request.headers['x-leaves'] === undefined) return;
          arrived += 1;
          if (!reply.raw.destroyed) await once(reply.raw, 'close');
        });
        app.addHook('onSend', async (request, _reply, payload) => {
          if (request.headers['x-leaves'] !== undefined) answered += 1;
          return payload;
        });
      },
    },
  );
  ({ address } = await t.api.start());
});
afterAll(async () => t?.close());

test('places of exports come free, and the store is not asked', async () => {
  const path = '/api/v1/flows?from=1700000000000&to=1700000060000';
  for (let i = 1; i <= 8; i += 1) {
    const socket = connect(Number(new URL(address).port), '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nX-Leaves: yes\r\n\r\n`);
    await expect.poll(() => arrived).toBe(i);
    socket.destroy();
    await expect.poll(() => answered).toBe(i);
  }
  expect(statements).toBe(0);
  const answer = await fetch(address + path, { headers: { accept: 'text/csv' } });
  expect(answer.status).toBe(200);
  await answer.text();
});
