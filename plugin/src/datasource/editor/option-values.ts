/** Parts of a query as the values of selects, and back. */
import type { ComboboxOption } from '@grafana/ui';
import type { GroupKey, MeasureId, OrderBy, SortDirection } from '@netspectra/query';
import type { NetSpectraQuery } from '../types.js';
import { withParts } from './change.js';
import { dimensionOptions, measureOptions, optionOf } from './choices.js';

/** Offset of the comparison; empty without one, or with a period of its own. */
export const comparedOffset = ({ compareTo }: NetSpectraQuery): string =>
  compareTo !== undefined && 'offset' in compareTo ? compareTo.offset : '';

const directions = { desc: 'largest first', asc: 'smallest first' } as const;

/** `measure bytes desc`; the default is empty. Only the first of several orders is shown. */
export function orderChoice({ orderBy = [] }: NetSpectraQuery): string {
  const [first] = orderBy;
  return first === undefined ? '' : keyOf(first);
}

const keyOf = (order: OrderBy): string =>
  'measure' in order
    ? `measure ${order.measure} ${order.direction}`
    : `dimension ${order.dimension} ${order.direction}`;

/** The measures and dimensions of the query, both ways round; the default first. */
export function orderOptions(query: NetSpectraQuery): ComboboxOption[] {
  const both = (kind: string, id: string, label: string): ComboboxOption[] =>
    (['desc', 'asc'] as const).map((way) => ({ value: `${kind} ${id} ${way}`, label: `${label}, ${directions[way]}` }));
  const offered = [
    { value: '', label: query.type === 'flows' ? 'Latest first' : 'First measure, largest first' },
    ...query.measures.flatMap((id) => both('measure', id, optionOf(measureOptions, id).label ?? id)),
    ...query.groupBy.flatMap((id) => both('dimension', id, optionOf(dimensionOptions, id).label ?? id)),
  ];
  const present = orderChoice(query);
  return offered.some(({ value }) => value === present) ? offered : [...offered, { value: present, label: present }];
}

/** The query in the order of a choice. */
export function withOrder(query: NetSpectraQuery, choice: string): NetSpectraQuery {
  const [kind, id = '', way = 'desc'] = choice.split(' ');
  if (kind !== 'measure' && kind !== 'dimension') return withParts(query, { orderBy: undefined });
  const direction = way as SortDirection;
  const order: OrderBy =
    kind === 'measure' ? { measure: id as MeasureId, direction } : { dimension: id as GroupKey, direction };
  return { ...query, orderBy: [order] };
}

/** The two ranges of `explain`. */
export type ExplainChoice = 'before' | 'at' | 'offset' | 'baseline';
export const explainOptions: ComboboxOption<ExplainChoice>[] = [
  { value: 'before', label: 'Range with the time before it' },
  { value: 'at', label: 'Before and after a moment' },
  { value: 'offset', label: 'Range with an earlier one' },
];

export function explainChoice({ explain, compareTo }: NetSpectraQuery): ExplainChoice {
  if (explain !== undefined) return 'at' in explain ? 'at' : 'baseline';
  return compareTo === undefined ? 'before' : 'offset';
}

export function withExplain(query: NetSpectraQuery, choice: ExplainChoice): NetSpectraQuery {
  const cleared = withParts(query, { explain: undefined, compareTo: undefined });
  if (choice === 'at') return { ...cleared, explain: { at: '' } };
  return choice === 'offset' ? { ...cleared, compareTo: { offset: '1d' } } : cleared;
}
