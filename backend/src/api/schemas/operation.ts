/** Health and the OpenAPI document. */
import { Type } from '@sinclair/typebox';

export const healthResponseSchema = Type.Object({
  status: Type.Literal('ok'),
  version: Type.String(),
  uptime_seconds: Type.Integer(),
  dependencies: Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.String() })),
  watermarkMs: Type.Union([Type.Integer(), Type.Null()]),
});

export const openApiResponseSchema = Type.Object({ openapi: Type.String() }, { additionalProperties: true });
