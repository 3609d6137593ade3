/**
 * POST /query as CSV or NDJSON: hooks around the route, which itself knows only JSON. One query a request, because a CSV
 * file holds one table; and a query that fails is a problem then, not a file.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Frame } from '@netspectra/query';
import { markFinal } from '../caching.js';
import { ApiError } from '../problem.js';
import type { ProblemError, ProblemKind } from '../problem.js';
import { problemKinds } from '../problem.js';
import { answerForms, negotiate } from './negotiate.js';
import type { AnswerForm } from './negotiate.js';
import { csvHeader, encodeRows } from './encode.js';
import { tidyFrames } from './tidy.js';
import type { Tidy } from './tidy.js';

/** Rows that are made into text at a time: some 100 kB. */
const rowsPerPiece = 1_000;

function* text(form: 'csv' | 'ndjson', { columns, blocks }: Tidy): Generator<string> {
  if (form === 'csv') yield csvHeader(columns);
  for (const block of blocks) {
    for (let from = 0; from < block.rows; from += rowsPerPiece) {
      yield encodeRows(form, columns, block, from, Math.min(block.rows, from + rowsPerPiece));
    }
  }
}

type Result =
  | { readonly frames: readonly Frame[]; readonly meta: { readonly partial: boolean } }
  | { readonly error: string; readonly status: number; readonly errors?: readonly ProblemError[] };

/** The failure of the one query as the failure of the request. */
function failureOf({ error, status, errors }: Extract<Result, { error: string }>): ApiError {
  const kinds = Object.keys(problemKinds) as ProblemKind[];
  const kind = status === 400 ? 'query' : kinds.find((each) => problemKinds[each].status === status);
  return new ApiError(kind ?? 'internal', error, errors);
}

const isFinal = (result: Result): boolean => 'meta' in result && result.meta.partial === false;

/** Answer the routes of this scope in the form that `Accept` prefers, with a tag, and to be kept when it is final. */
export function exportAnswers(scope: FastifyInstance): void {
  const forms = new WeakMap<FastifyRequest, Exclude<AnswerForm, 'json'>>();
  const tables = new WeakMap<FastifyRequest, Tidy>();
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, etag: true };
  });
  scope.addHook('preHandler', async (request) => {
    const form = negotiate(request.headers.accept);
    if (form === 'json') return;
    const { queries } = request.body as { queries: readonly unknown[] };
    if (queries.length > 1) {
      const detail = `${answerForms[form]} holds the answer of one query; send one, or accept ${answerForms.json}`;
      throw new ApiError('not-acceptable', detail, [{ pointer: '#/queries/1', detail }]);
    }
    forms.set(request, form);
  });
  scope.addHook('preSerialization', async (request, reply, payload) => {
    const { results } = payload as { results?: Readonly<Record<string, Result>> };
    if (reply.statusCode !== 200 || !results) return payload;
    markFinal(reply, Object.values(results).every(isFinal));
    if (!forms.has(request)) return payload;
    const [result] = Object.values(results);
    if (!result) throw new Error('an answer without a result');
    if ('error' in result) throw failureOf(result);
    tables.set(request, tidyFrames(result.frames));
    // Another form of the same answer is another thing to keep.
    void reply.header('etag', String(reply.getHeader('etag')).replace(/"$/, `-${forms.get(request)}"`));
    return {};
  });
  scope.addHook('onSend', async (request, reply, payload) => {
    const form = forms.get(request);
    const table = tables.get(request);
    if (!form || !table || reply.statusCode !== 200) return payload;
    void reply.removeHeader('content-length').type(`${answerForms[form]}; charset=utf-8`);
    return Readable.from(text(form, table), { objectMode: false });
  });
}
