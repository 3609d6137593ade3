/**
 * Writes the reference part of docs/api.md: `npm run build && node scripts/make-api-reference.js`. It is made from the OpenAPI
 * document of the built program; a test says when it is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { createApi } from '../backend/dist/api/index.js';
import { apiReference, withReference } from './lib/api-reference.js';

const file = new URL('../docs/api.md', import.meta.url);
const store = { query: () => Promise.reject(new Error('nothing is asked here')) };
const status = () => ({ dependencies: [], watermarkMs: null });
const { app } = createApi({ store, metrics: new Registry(), status }, { listen: '127.0.0.1:0' });
await app.ready();
const document = (await app.inject('/openapi.json')).json();
await app.close();
writeFileSync(file, withReference(readFileSync(file, 'utf8'), apiReference(document)));
