/** Every query of docs/query-language.md is run, over a store with rows of every table, and answered. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queryResponseSchema } from '../schemas/index.js';
import type { TestApi } from '../testing.js';
import { makeWorld, start } from './reference-testing.js';

const page = readFileSync(new URL('../../../../docs/query-language.md', import.meta.url), 'utf8');
const queries = [...page.matchAll(/^```json\n([^]*?)^```/gm)].flatMap(([, text = '']) => {
  const value = JSON.parse(text) as object;
  return 'queries' in value ? (value.queries as object[]) : [value].flat();
});
const isAnswer = new Ajv({ strict: false }).compile(queryResponseSchema);

let testApi: TestApi;
beforeAll(async () => {
  testApi = await makeWorld(1).open();
});
afterAll(async () => testApi?.close());

describe('docs/query-language.md', () => {
  test('has examples', () => expect(queries.length).toBeGreaterThan(12));

  test.each(queries.map((query) => [JSON.stringify(query), query] as const))('%s', async (_text, query) => {
    const results = await testApi.query({ from: (start - 3600) * 1000, to: (start + 3600) * 1000, queries: [query] });
    const [result] = Object.values(results);
    expect(result?.error).toBeUndefined();
    expect(isAnswer({ results }), JSON.stringify(isAnswer.errors)).toBe(true);
    expect(result?.frames.length).toBeGreaterThan(0);
  });
});
