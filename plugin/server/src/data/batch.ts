/**
 * Queries of equal range in one POST /api/v1/query. The API refuses a request as a whole when one query has the wrong shape;
 * then that query fails for itself, and the others are asked again.
 */
import type { Query, QueryResult } from '@netspectra/query';
import { queryLimits } from '@netspectra/query';
import type { ApiClient } from '../api/client.js';
import { PluginError, pluginErrorOf } from '../errors.js';

export interface Question {
  readonly ask: Omit<Query, 'refId'>;
  readonly fromMs: number;
  readonly toMs: number;
}

export type Reply = QueryResult | PluginError;

interface Detail {
  readonly pointer?: unknown;
  readonly detail?: unknown;
}

/** The errors of a problem document that belong to query `i`. */
const errorsOf = (error: unknown): readonly Detail[] => {
  const { errors } = ((error as { document?: { errors?: unknown } }).document ?? {}) as { errors?: unknown };
  return Array.isArray(errors) ? (errors as Detail[]) : [];
};

const indexOf = ({ pointer }: Detail): number =>
  Number(/^#\/queries\/(\d+)(\/|$)/.exec(String(pointer))?.[1] ?? Number.NaN);

const textOf = ({ pointer, detail }: Detail): string => {
  const place = String(pointer)
    .replace(/^#\/queries\/\d+\/?/, '')
    .replaceAll('/', '.');
  return `${place === '' ? '' : `${place}: `}${String(detail ?? 'is not valid').slice(0, 500)}`;
};

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

function isFrame(value: unknown): boolean {
  const { schema, data } = (value ?? {}) as { schema?: { fields?: unknown }; data?: { values?: unknown } };
  const { fields } = schema ?? {};
  const { values } = data ?? {};
  return isList(fields) && isList(values) && fields.length === values.length && values.every(isList);
}

/** One result, if it has the shape of one: what answers at the URL need not be the API, or not this version of it. */
function replyOf(value: unknown): Reply {
  const { frames, meta, error, status } = (value ?? {}) as Record<string, unknown>;
  if (typeof error === 'string' && typeof status === 'number') return { error, status };
  const { drops, plan } = (meta ?? {}) as Record<string, unknown>;
  const whole = isList(frames) && frames.every(isFrame) && typeof drops === 'object' && typeof plan === 'string';
  return whole ? (value as QueryResult) : new PluginError('unreachable', 'the API left the query out of its answer');
}

/** Put the questions in requests of one range each, at most as many to one as the API takes. */
export function batches<T extends Question>(questions: readonly T[]): T[][] {
  const byRange = new Map<string, T[]>();
  for (const question of questions) {
    const key = `${question.fromMs}/${question.toMs}`;
    byRange.set(key, [...(byRange.get(key) ?? []), question]);
  }
  return [...byRange.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / queryLimits.queriesMax) }, (_, i) =>
      all.slice(i * queryLimits.queriesMax, (i + 1) * queryLimits.queriesMax),
    ),
  );
}

/** Ask one batch; an answer or an error for each question, in their order. Never rejects. */
export async function askBatch(
  client: ApiClient,
  questions: readonly Question[],
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Reply[]> {
  const [first] = questions;
  if (!first) return [];
  // Names of our own: Grafana's may be longer than the API allows, or there twice.
  const queries = questions.map(({ ask }, i) => ({ refId: `q${i}`, ...ask }));
  try {
    const answer = await client.json({
      method: 'POST',
      path: '/api/v1/query',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ from: first.fromMs, to: first.toMs, queries }),
      signal,
    });
    const { results } = answer as { results?: Readonly<Record<string, QueryResult>> };
    return questions.map((_, i) => replyOf(results?.[`q${i}`]));
  } catch (thrown) {
    const error = pluginErrorOf(thrown);
    const errors = errorsOf(thrown);
    const wrong = new Map(errors.map((each) => [indexOf(each), each] as const).filter(([i]) => i < questions.length));
    if (error.status !== 400 || wrong.size === 0) return questions.map(() => error);
    const others = questions.filter((_, i) => !wrong.has(i));
    const replies = await askBatch(client, others, headers, signal);
    let next = 0;
    return questions.map((_, i): Reply => {
      const mistake = wrong.get(i);
      if (mistake) return new PluginError('query', textOf(mistake), { cause: thrown });
      return replies[next++] ?? error;
    });
  }
}
