/** Shapes that rules, capture rules and tokens share: who changed what when, versions, pages. */
import { Type } from '@sinclair/typebox';
import type { TProperties, TSchema } from '@sinclair/typebox';
import { answers } from './common.js';

/** One of these words. */
export const oneOf = <const T extends readonly string[]>(values: T, options: object = {}) =>
  Type.Union(
    values.map((value: T[number]) => Type.Literal(value)),
    options,
  );

const readOnly = (schema: TSchema) => Type.Optional(Type.Unsafe<unknown>({ ...schema, readOnly: true }));

const actorSchema = Type.Object(
  {
    kind: Type.String({ description: 'token, configured, certificate, loopback, system or unknown' }),
    id: Type.String({ description: 'id of the token, name in the certificate' }),
    name: Type.String(),
    onBehalfOf: Type.String({ description: 'the Grafana user for whom the token acted; empty: none' }),
  },
  { description: 'who did it' },
);

const managed = {
  id: Type.String(),
  version: Type.Integer({ description: 'what If-Match and ETag name' }),
  createdAtMs: Type.Integer({ description: 'ms since 1970' }),
  updatedAtMs: Type.Integer({ description: 'ms since 1970' }),
  updatedBy: actorSchema,
};

/** A body with what the server keeps about it: what is read. */
export const managedSchema = (properties: TProperties, description: string) =>
  Type.Object({ ...managed, ...properties }, { description, additionalProperties: false });

/**
 * A body as it is written. What was read may be sent back as it came: the server's own keys are ignored.
 * @param ignored keys of the answer that are none of the body
 */
export const bodySchema = <T extends TProperties>(
  properties: T,
  ignored: Readonly<Record<string, TSchema>>,
  options: object,
) =>
  Type.Object(
    {
      ...properties,
      ...Object.fromEntries(Object.entries({ ...managed, ...ignored }).map(([key, schema]) => [key, readOnly(schema)])),
    } as T,
    { additionalProperties: false, ...options },
  );

/** Keys that `bodySchema` lets through and the server ignores. */
export const managedKeys: readonly string[] = Object.keys(managed);

export const nextSchema = Type.Union([Type.String(), Type.Null()], {
  description: 'cursor of the next page; null: this was the last',
});

export const pageQuerystring = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100, description: 'entries of a page' })),
  cursor: Type.Optional(Type.String({ maxLength: 1024, description: '`next` of the page before' })),
};

export const idParams = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 64 }) },
  { additionalProperties: false },
);

export const changeHeaders = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      maxLength: 256,
      description:
        'the ETag of the version that is changed; `*`: whichever it is. Missing: 428, another one by now: 412',
    }),
  ),
});

export const historySchema = (body: TProperties) =>
  Type.Object({
    versions: Type.Array(
      Type.Object({
        version: Type.Integer(),
        action: Type.String({ description: 'such as rule.update' }),
        deleted: Type.Boolean(),
        changedAtMs: Type.Integer(),
        changedBy: actorSchema,
        body: Type.Object(body, { additionalProperties: true }),
      }),
      { description: 'newest first' },
    ),
    next: nextSchema,
  });

const etagHeader = {
  etag: { schema: { type: 'string' }, description: 'the version, for If-Match' },
};

/** Responses of a route that answers with one managed thing. */
export const managedAnswers = (
  description: string,
  schema: TSchema,
  status: 200 | 201 = 200,
): Record<string, object> => {
  const { 200: answer, ...others } = answers(description, schema);
  return { ...others, [status]: { ...answer, headers: etagHeader } };
};

/** Responses of a DELETE. */
export const deletedAnswers = (description: string): Record<string, object> => {
  const { default: problem } = answers(description, Type.Null());
  return { 204: { description, type: 'null' }, default: problem ?? {} };
};
