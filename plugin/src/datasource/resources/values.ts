/** Which values a dimension has: for completion, variables, ad hoc filters. */
import type { TimeRange } from '@grafana/data';
import type { DimensionId, GroupKey, MeasureId, Query, QueryResponse } from '@netspectra/query';
import { dimensions, isFailure } from '@netspectra/query';

export interface ValuesAsk {
  /** id of a dimension, or an address cut to a network (`src_ip/24`) */
  readonly dimension: string;
  readonly range: Pick<TimeRange, 'from' | 'to'> | undefined;
  /** only values that begin so */
  readonly prefix?: string;
  /** only values in traffic that it keeps */
  readonly filter?: string;
  readonly limit?: number;
}

export interface ValuesPage {
  readonly values: readonly { readonly value: string | number; readonly count: number }[];
}

/** How values are asked for: the datasource's resource routes. */
export interface ResourceCaller {
  getResource<T>(path: string, params?: Record<string, unknown>): Promise<T>;
  postResource<T>(path: string, data?: unknown): Promise<T>;
}

const valuesLimit = 200;
const hourMs = 3_600_000;

/** Values of a dimension in a time range, the heaviest first, as text. Rejects as the resource call does. */
export async function askValues(caller: ResourceCaller, ask: ValuesAsk): Promise<string[]> {
  const { dimension, filter = '', prefix = '', limit = valuesLimit } = ask;
  const range = rangeOf(ask.range);
  if (filter.trim() === '' && !dimension.includes('/')) {
    const page = await caller.getResource<ValuesPage>('values', { dimension, prefix, limit, ...range });
    return page.values.map(({ value }) => String(value));
  }
  const query: Query = {
    refId: 'values',
    type: 'table',
    measures: [measureFor(dimension)],
    groupBy: [dimension as GroupKey],
    ...(filter.trim() === '' ? {} : { filter }),
    limit,
  };
  const response = await caller.postResource<QueryResponse>('query', { ...range, queries: [query] });
  const result = response.results['values'];
  if (!result) return [];
  if (isFailure(result)) throw new Error(result.error);
  const wanted = prefix.toLowerCase();
  const column = result.frames[0]?.data.values[0] ?? [];
  return column.map(String).filter((value) => value.toLowerCase().startsWith(wanted));
}

/** The cheapest measure that stands beside the dimension: bytes where flows have it, else the number of flows. */
function measureFor(key: string): MeasureId {
  const id = key.split('/')[0] as DimensionId;
  const dimension = dimensions.find((each) => each.id === id);
  return dimension && !('flows' in dimension.sources) ? 'flows' : 'bytes';
}

/** Milliseconds since 1970; without a range the last hour. */
function rangeOf(range: ValuesAsk['range']): { from: number; to: number } {
  if (range) return { from: range.from.valueOf(), to: range.to.valueOf() };
  const now = Date.now();
  return { from: now - hourMs, to: now };
}
