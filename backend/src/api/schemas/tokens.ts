/** Shapes of tokens. None but the answers of making and rotating holds a secret. */
import { Type } from '@sinclair/typebox';
import { grantedRoles } from '../../management/index.js';
import { time } from './common.js';
import { bodySchema, managedSchema, nextSchema, oneOf, pageQuerystring } from './managed.js';

const properties = {
  name: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }),
  role: oneOf(grantedRoles, { description: 'each includes those before it' }),
  networks: Type.Optional(
    Type.Array(Type.String({ maxLength: 64 }), {
      maxItems: 64,
      description: 'networks it may be used from, CIDR; none: from anywhere',
    }),
  ),
  onBehalfOf: Type.Optional(
    Type.Boolean({ default: false, description: 'may name the user for whom it acts in the header X-Grafana-User' }),
  ),
};

const expiresAt = Type.Optional(Type.Union([time('not valid from then on'), Type.Null()]));
const expiresAtMs = Type.Union([Type.Integer(), Type.Null()], { description: 'ms since 1970; null: never' });

const shown = {
  ...properties,
  expiresAtMs,
  prefix: Type.String({ description: 'how the token begins: nst_<id>_' }),
  lastUsedMs: Type.Union([Type.Integer(), Type.Null()], { description: 'to about a minute; null: never' }),
  lastUsedFrom: Type.Union([Type.String(), Type.Null()], { description: 'address' }),
  previousValidUntilMs: Type.Union([Type.Integer(), Type.Null()], {
    description: 'after a rotation: until when the secret before is valid',
  }),
};

const ignored = {
  expiresAtMs,
  prefix: shown.prefix,
  lastUsedMs: shown.lastUsedMs,
  lastUsedFrom: shown.lastUsedFrom,
  previousValidUntilMs: shown.previousValidUntilMs,
};

export const tokenBodySchema = bodySchema({ ...properties, expiresAt }, ignored, {
  examples: [{ name: 'grafana', role: 'editor', onBehalfOf: true, expiresAt: '2030-01-01T00:00:00Z' }],
});
export const tokenSchema = managedSchema(shown, 'A token without its secret');
export const mintedTokenSchema = managedSchema(
  { ...shown, token: Type.String({ description: 'the token itself; shown only in this answer' }) },
  'A token with its secret',
);
export const tokenListSchema = Type.Object({ tokens: Type.Array(tokenSchema), next: nextSchema });
export const tokenListQuerystring = Type.Object(pageQuerystring, { additionalProperties: false });
export const tokenRotateSchema = Type.Object(
  {
    grace: Type.Optional(
      Type.String({
        pattern: '^(0|[1-9]\\d{0,6})[smhd]$',
        description: 'how long the secret before stays valid: a number with s, m, h or d, at most 30d; 0s when absent',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ grace: '1h' }] },
);
