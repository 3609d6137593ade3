/** Queries of template variables. */
import type { MetricFindValue } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import { dimensions, measures } from '@netspectra/query';

const variableKinds = ['values', 'dimensions', 'measures', 'probes'] as const;
export type VariableKind = (typeof variableKinds)[number];

export interface VariableQuery extends DataQuery {
  readonly kind: VariableKind;
  /** of `values`: an entry of groupBy */
  readonly dimension?: string;
  /** of `values`: only in traffic that it keeps */
  readonly filter?: string;
  /** of `values`: how many at most, the heaviest first */
  readonly limit?: number;
}

export const newVariableQuery: VariableQuery = { refId: 'variable', kind: 'values', dimension: 'src_ip' };

/** What is stored as a variable's query, also by hand: a text is the id of a dimension, or one of the other kinds. */
export function variableQueryOf(stored: unknown): VariableQuery {
  if (typeof stored === 'string') {
    const text = stored.trim();
    const kind = variableKinds.find((each) => each === text && each !== 'values');
    return { refId: 'variable', kind: kind ?? 'values', ...(kind || text === '' ? {} : { dimension: text }) };
  }
  if (typeof stored !== 'object' || stored === null) return newVariableQuery;
  const { kind, dimension, filter, limit, refId } = stored as Record<string, unknown>;
  return {
    refId: typeof refId === 'string' ? refId : 'variable',
    kind: variableKinds.find((each) => each === kind) ?? 'values',
    ...(typeof dimension === 'string' ? { dimension } : {}),
    ...(typeof filter === 'string' ? { filter } : {}),
    ...(typeof limit === 'number' ? { limit } : {}),
  };
}

/** Dimensions as choices: shown by name, used by id. */
export const dimensionChoices = (): MetricFindValue[] =>
  dimensions.map(({ id, label }) => ({ text: label, value: id }));

/** Measures as choices. */
export const measureChoices = (): MetricFindValue[] => measures.map(({ id, label }) => ({ text: label, value: id }));
