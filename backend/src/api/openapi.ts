/**
 * The OpenAPI 3.1 document: from the schemas that validate. What every operation shares is added here, so that a route says
 * only what is its own: an operationId from method and path, the errors that can come before a handler, and the role.
 */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { Role } from './access/index.js';
import { problemKinds } from './problem.js';
import { problemSchema } from './schemas/index.js';

type Json = Record<string, unknown>;

const problemAnswer = (status: number): Json => ({
  description: Object.values(problemKinds)
    .filter((kind) => kind.status === status)
    .map(({ title }) => title)
    .join('; or: '),
  content: {
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  },
});

/** Statuses that any operation may answer with. */
const always = [400, 406, 421, 429, 431, 500, 503];
const withBody = [413, 415];
const withRole = [401, 403];
const withStore = [422, 504];

const known = new Set<number>(Object.values(problemKinds).map(({ status }) => status));

/** `POST /api/v1/filter/validate` -> `postFilterValidate`, `GET /api/v1/hosts/{address}` -> `getHostsByAddress`. */
export function operationIdOf(method: string, path: string): string {
  const words = path
    .replace(/^\/api\/v\d+/, '')
    .split(/[^A-Za-z0-9{}]+/)
    .filter((word) => word !== '')
    .map((word) => (word.startsWith('{') ? `by-${word.slice(1, -1)}` : word))
    .flatMap((word) => word.split('-'));
  const name = words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('');
  return method.toLowerCase() + name;
}

interface Operation extends Json {
  operationId?: string;
  description?: string;
  requestBody?: unknown;
  tags?: readonly string[];
  responses: Json;
  security?: unknown;
}

function complete(operation: Operation, method: string, path: string): void {
  operation.operationId ??= operationIdOf(method, path);
  const role = operation['x-role'];
  const who = role === 'public' ? 'Needs no token.' : `Needs the role ${String(role)} or one above it.`;
  operation.description = operation.description === undefined ? who : `${operation.description} ${who}`;
  const open = Array.isArray(operation.security) && operation.security.length === 0;
  const statuses = [
    ...always,
    ...(operation.requestBody === undefined ? [] : withBody),
    ...(open ? [] : withRole),
    ...(path.includes('{') ? [404] : []),
    ...(operation.tags?.includes('query') === true || operation.tags?.includes('registry') === true ? withStore : []),
  ];
  for (const status of statuses.filter((each) => known.has(each))) {
    operation.responses[String(status)] ??= { $ref: `#/components/responses/${status}` };
  }
}

/** Options of @fastify/swagger. @param version of the program */
export function openApiOptions(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'NetSpectra query API',
        version,
        description: 'Counters, flows and protocol records of captured network traffic.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'this server' }],
      tags: [
        { name: 'query', description: 'Ask about traffic' },
        { name: 'registry', description: 'What can be asked' },
        { name: 'live', description: 'What happens now' },
        { name: 'management', description: 'Rules, tokens and who did what' },
        { name: 'operation', description: 'Health, metrics and this document' },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'a token of this server: `Authorization: Bearer nst_...`',
          },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const { role = 'viewer' } = (route.config ?? {}) as { role?: Role };
      const hidden = url.startsWith('/docs') || route.method === 'HEAD';
      const described = {
        ...(schema as Json),
        ...(hidden ? { hide: true } : {}),
        security: role === 'public' ? [] : [{ bearer: [] }],
        'x-role': role,
      };
      return { schema: described as typeof schema, url };
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject as never;
      const object = document.openapiObject as Json & {
        paths: Record<string, Record<string, Operation>>;
        components: Json;
      };
      // What people look for first stands first.
      const { '/api/v1/query': first = {}, ...others } = object.paths;
      object.paths = { '/api/v1/query': first, ...others };
      for (const [path, methods] of Object.entries(object.paths)) {
        for (const [method, operation] of Object.entries(methods)) complete(operation, method, path);
      }
      const statuses = [...known].filter((status) => status !== 499);
      object.components = {
        ...object.components,
        schemas: { ...(object.components['schemas'] as Json | undefined), Problem: problemSchema },
        responses: Object.fromEntries(statuses.map((status) => [String(status), problemAnswer(status)])),
      };
      return object as never;
    },
  };
}
