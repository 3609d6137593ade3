/** The OpenAPI document: whole, true, and complete for every route. */
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operationIdOf } from './openapi.js';
import { openTestApi } from './testing.js';
import type { TestApi } from './testing.js';

type Json = Record<string, unknown>;
interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security: readonly object[];
  readonly 'x-role': string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Json }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, object>> };
  readonly responses: Readonly<Record<string, Json & { readonly $ref?: string; readonly description?: string }>>;
}
interface Document extends Json {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

let t: TestApi;
let document: Document;
const routes: string[] = [];
const operations = (): [string, string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, string, Operation] => [method, path, operation]),
  );

beforeAll(async () => {
  t = await openTestApi(
    {},
    {
      watch: (app) =>
        app.addHook('onRoute', ({ method, url }) => {
          for (const each of [method].flat()) routes.push(`${each.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`);
        }),
    },
  );
  document = (await t.get('/openapi.json')).json() as Document;
});
afterAll(async () => t?.close());

/** Every object in the document, with where it stands. */
function* objects(value: unknown, path: string): Generator<[Json, string]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [value as Json, path];
  for (const [key, child] of Object.entries(value)) yield* objects(child, `${path}/${key}`);
}

const resolve = (ref: string): unknown =>
  ref
    .slice(2)
    .split('/')
    .reduce<unknown>((at, key) => (at as Json | undefined)?.[key], document);

describe('the OpenAPI document', () => {
  test('is 3.1, has a title, a version, and its tags are told', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
    const tags = new Set(document.tags.map(({ name }) => name));
    for (const [method, path, operation] of operations()) {
      expect(operation.tags.length, `${method} ${path}`).toBeGreaterThan(0);
      for (const tag of operation.tags) expect(tags, `${method} ${path}`).toContain(tag);
    }
  });

  test('has every route of the server, and no other', () => {
    const served = routes.filter((route) => !/^(head|options) /.test(route) && !/ \/docs(\/|$)/.test(route));
    expect(
      operations()
        .map(([method, path]) => `${method} ${path}`)
        .sort(),
    ).toEqual([...new Set(served)].sort());
    expect(served.length).toBeGreaterThan(25);
  });

  test('references lead somewhere', () => {
    const refs = [...objects(document, '#')].flatMap(([{ $ref }]) => (typeof $ref === 'string' ? [$ref] : []));
    expect(refs.length).toBeGreaterThan(50);
    for (const ref of refs) {
      expect(ref).toMatch(/^#\//);
      expect(resolve(ref), ref).toBeDefined();
    }
  });

  test('operations have a unique id, a summary, a description and a role', () => {
    const ids = operations().map(([, , { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [method, path, { summary, description, operationId }] of operations()) {
      expect(operationId).toMatch(/^[a-z][A-Za-z0-9]*$/);
      expect(summary?.length, `${method} ${path}: summary`).toBeGreaterThan(5);
      expect(description?.length, `${method} ${path}: description`).toBeGreaterThan(10);
    }
    expect(operationIdOf('post', '/api/v1/filter/validate')).toBe('postFilterValidate');
    expect(operationIdOf('get', '/api/v1/hosts/{address}')).toBe('getHostsByAddress');
  });

  test('what is not public asks for a token, and says which role', () => {
    for (const [method, path, operation] of operations()) {
      const isPublic = operation['x-role'] === 'public';
      expect(operation.security, `${method} ${path}`).toEqual(isPublic ? [] : [{ bearer: [] }]);
      if (!isPublic) {
        expect(['viewer', 'editor', 'admin'], `${method} ${path}`).toContain(operation['x-role']);
        expect(Object.keys(operation.responses), `${method} ${path}`).toEqual(expect.arrayContaining(['401', '403']));
      }
    }
    expect(resolve('#/components/securitySchemes/bearer')).toMatchObject({ type: 'http', scheme: 'bearer' });
  });

  test('every operation tells its answers, good ones and bad', () => {
    for (const [method, path, { responses, requestBody }] of operations()) {
      const name = `${method} ${path}`;
      const statuses = Object.keys(responses);
      expect(
        statuses.some((status) => status.startsWith('2')),
        name,
      ).toBe(true);
      expect(statuses, name).toEqual(expect.arrayContaining(['400', '421', '429', '500', '503']));
      if (requestBody) expect(statuses, name).toEqual(expect.arrayContaining(['413', '415']));
      if (path.includes('{')) expect(statuses, name).toContain('404');
      for (const response of Object.values(responses)) {
        const { description } = (response.$ref === undefined ? response : resolve(response.$ref)) as {
          description: string;
        };
        expect(description.length, name).toBeGreaterThan(3);
      }
    }
  });

  test('path parameters are told', () => {
    for (const [method, path, { parameters = [] }] of operations()) {
      for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
        expect(
          parameters.filter((each) => each.in === 'path').map((each) => each.name),
          `${method} ${path}`,
        ).toContain(name);
      }
    }
  });

  test('bodies have examples, and every example fits its schema', () => {
    for (const [method, path, { requestBody }] of operations()) {
      for (const content of Object.values(requestBody?.content ?? {})) {
        expect('example' in content || 'examples' in content, `${method} ${path} has no example`).toBe(true);
      }
    }
    let found = 0;
    const check = (schema: unknown, example: unknown, where: string): void => {
      found += 1;
      const validate = new Ajv({ strict: false, validateFormats: false, coerceTypes: true }).compile(schema as Json);
      expect(validate(example), `${where}: ${JSON.stringify(example)} ${JSON.stringify(validate.errors)}`).toBe(true);
    };
    for (const [object, where] of objects(document, '#')) {
      const { schema, example, examples } = object;
      if (typeof schema === 'object') {
        // A body or a parameter: examples stand beside the schema.
        if ('example' in object) check(schema, example, where);
        for (const each of Object.values((examples ?? {}) as Record<string, { value: unknown }>))
          check(schema, each.value, where);
      } else if (Array.isArray(examples)) {
        for (const each of examples) check(object, each, where);
      }
    }
    expect(found).toBeGreaterThan(40);
  });

  test('schemas are ones a validator can read', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    for (const [{ schema }, where] of objects(document, '#')) {
      if (typeof schema !== 'object' || schema === null || '$ref' in schema) continue;
      expect(ajv.validateSchema(schema), where).toBe(true);
    }
  });
});
