/** Shapes that several routes share: times, filters, problems, and the frames of responses. */
import { Type } from '@sinclair/typebox';
import type { TSchema } from '@sinclair/typebox';
import { filterLimits } from '@netspectra/query';

/** A moment in a request. */
export const time = (description: string) =>
  Type.Union([Type.String({ maxLength: 64 }), Type.Integer({ minimum: 0 })], {
    description: `${description}: RFC 3339 with an offset, or milliseconds since 1970`,
    examples: ['2026-01-31T12:00:00Z', 1_769_860_800_000],
  });

/** The id of a measure or a dimension. */
export const id = (description: string) => Type.String({ minLength: 1, maxLength: 64, description });

/** Text of a filter; longer than a filter may be, so that its reader can say where it gets too long. */
export const filterText = Type.String({
  maxLength: 4 * filterLimits.lengthMax,
  description: 'filter language, see docs/query-language.md',
  examples: ['src_ip in 192.0.2.0/24 and dst_port = 443'],
});

export const rangeQuerystring = {
  from: time('start of the range, included'),
  to: time('end of the range, not included'),
};

/** One mistake of a request. */
export const problemErrorSchema = Type.Object({
  pointer: Type.String({ description: 'JSON pointer into the request, as a URI fragment' }),
  detail: Type.String(),
  position: Type.Optional(
    Type.Object({
      offset: Type.Integer(),
      length: Type.Integer(),
      line: Type.Integer(),
      column: Type.Integer(),
    }),
  ),
  suggestion: Type.Optional(Type.String()),
});

export const problemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    request_id: Type.String(),
    errors: Type.Optional(Type.Array(problemErrorSchema)),
  },
  { description: 'RFC 9457 problem details' },
);

const problemResponse = {
  description: 'A problem (RFC 9457)',
  content: { 'application/problem+json': { schema: problemSchema } },
};

/**
 * Loosely typed on purpose: answers are typed by the query model, and tests hold them against these schemas.
 */
type ResponseSchemas = Record<string, object>;

/** Responses of a route: its answer, and a problem for everything else. */
export const answers = (description: string, schema: TSchema): ResponseSchemas => ({
  200: { description, content: { 'application/json': { schema } } },
  default: problemResponse,
});

/** Responses of a route that also answers as NDJSON and CSV, by `Accept`. */
export const exportAnswers = (description: string, schema: TSchema): ResponseSchemas => ({
  200: {
    description,
    content: {
      'application/json': { schema },
      'application/x-ndjson': { schema: Type.String({ description: 'one JSON object a line' }) },
      'text/csv': { schema: Type.String({ description: 'RFC 4180, with a header line' }) },
    },
  },
  default: problemResponse,
});

/** Responses of a route that answers with server-sent events. @param schema of an event's data */
export const streamAnswers = (description: string, schema: TSchema): ResponseSchemas => ({
  200: { description, content: { 'text/event-stream': { schema } } },
  default: problemResponse,
});

/** Responses of a route that answers with text. */
export const textAnswers = (description: string, mediaType: string): ResponseSchemas => ({
  200: { description, content: { [mediaType]: { schema: Type.String() } } },
  default: problemResponse,
});
