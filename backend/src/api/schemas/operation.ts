/** Health and the OpenAPI document. */
import { Type } from '@sinclair/typebox';

export const healthResponseSchema = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('warn'), Type.Literal('error')]),
  version: Type.String(),
  uptime_seconds: Type.Integer(),
  dependencies: Type.Array(
    Type.Object({
      name: Type.String(),
      ok: Type.Boolean(),
      optional: Type.Optional(Type.Boolean({ description: 'the process does its work without it' })),
      detail: Type.String(),
    }),
  ),
  watermarkMs: Type.Union([Type.Integer(), Type.Null()]),
});

export const openApiResponseSchema = Type.Object({ openapi: Type.String() }, { additionalProperties: true });
