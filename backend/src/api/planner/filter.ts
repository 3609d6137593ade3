/** Filters of the filter language, ready for the planner. */
import {
  compileSql,
  fieldOf,
  fieldTables,
  filterFieldsOf,
  formatFilter,
  isDirectedFilter,
  isIpv4,
  parseFilter,
} from '@netspectra/query';
import type { FilterError, FilterNode, Network, QueryTable } from '@netspectra/query';
import { ApiError } from '../problem.js';
import type { ProblemError } from '../problem.js';
import type { QueryParameters } from '../query-store.js';
import { directionColumn } from './rows.js';
import type { RowMode } from './rows.js';

export interface CompiledFilter {
  /** canonical text */
  readonly canonical: string;
  /** the fields it tests and the tables that have each of them */
  readonly fields: readonly { readonly name: string; readonly tables: readonly QueryTable[] }[];
  /** whether it makes a query of this table one over directed rows */
  directed(table: QueryTable): boolean;
  /** few rows are to be expected: it asks for single hosts or small networks */
  readonly namesHosts: boolean;
  /**
   * The condition over rows of the mode; `either`: bidirectional rows of which one direction fits; `seen`: also where
   * another probe had brought its packets.
   * Throws when the table lacks a field: choose the table by `fields` first.
   * @param parameterPrefix begins the names of its parameters; absent: 'filter'
   */
  sql(
    table: QueryTable,
    mode: RowMode | 'either' | 'seen',
    parameterPrefix?: string,
  ): { readonly sql: string; readonly params: QueryParameters };
}

/** At most so many hosts' addresses: an IPv4 /24, an IPv6 /56. */
const isFew = ({ words, prefix }: Network): boolean => prefix >= (isIpv4(words) ? 96 + 24 : 56);

/** Whether the rows must have one of a few addresses, so that few rows are to be expected. */
function namesHosts(filter: FilterNode): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.terms.some(namesHosts);
    case 'or':
      return filter.terms.every(namesHosts);
    case 'compare':
      return filter.operator === '=' && filter.value.kind === 'address';
    case 'in':
      return (
        !filter.negated &&
        filter.items.every((item) => item.kind === 'address' || (item.kind === 'network' && isFew(item.network)))
      );
    default:
      return false;
  }
}

/** A filter's mistakes as errors of a problem. */
export const filterErrors = (errors: readonly FilterError[], pointer: string): ProblemError[] =>
  errors.map(({ offset, length, line, column, message, suggestion }) => ({
    pointer,
    detail: message,
    position: { offset, length, line, column },
    ...(suggestion === undefined ? {} : { suggestion }),
  }));

/**
 * Parse a filter; null for one that keeps everything.
 * @param pointer where the text stands in the request
 * Throws an ApiError `filter` with a position for each mistake.
 */
export function compileFilter(text: string, pointer: string): CompiledFilter | null {
  const parsed = parseFilter(text);
  if (!parsed.ok) {
    const errors = filterErrors(parsed.errors, pointer);
    const [first] = errors;
    const where = first?.position ? ` at line ${first.position.line}, column ${first.position.column}` : '';
    throw new ApiError('filter', `the filter has a mistake${where}: ${first?.detail ?? 'it cannot be read'}`, errors);
  }
  const { filter } = parsed;
  if (filter.kind === 'all') return null;
  return {
    canonical: formatFilter(filter),
    fields: filterFieldsOf(filter).map((id) => ({ name: id, tables: fieldTables(fieldOf(id)) })),
    directed: (table) => isDirectedFilter(filter, table),
    namesHosts: namesHosts(filter),
    sql: (table, mode, parameterPrefix = 'filter') => {
      const directions = {
        plain: 'any',
        either: 'any',
        seen: 'seen',
        client: 0,
        server: 1,
        directed: { column: directionColumn },
        joined: { column: directionColumn },
      } as const;
      return compileSql(filter, { table, direction: directions[mode], parameterPrefix });
    },
  };
}
