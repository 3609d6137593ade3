import { filterFieldsOf, filterTables, isDirectedFilter } from './ast.js';
import type { FilterError } from './errors.js';
import type { FieldId } from './fields.js';
import { formatFilter } from './format.js';
import { parseFilter } from './parser.js';
import type { FilterToken } from './token-cursor.js';
import type { QueryTable } from '../registry/tables.js';

export type FilterValidation =
  | {
      readonly ok: true;
      readonly canonical: string;
      readonly fields: readonly FieldId[];
      /** tables that can answer it; none when its fields never stand in one row (dns_name and bytes) */
      readonly tables: readonly QueryTable[];
      /** uses fields that differ by direction (src_ip ...), so that flow rows are looked at one direction at a time */
      readonly directed: boolean;
      readonly tokens: readonly FilterToken[];
    }
  | { readonly ok: false; readonly errors: readonly FilterError[]; readonly tokens: readonly FilterToken[] };

/** All that an editor or `POST /filter/validate` wants to know about a filter text. */
export function validateFilter(text: string): FilterValidation {
  const result = parseFilter(text);
  if (!result.ok) return result;
  const { filter, tokens } = result;
  return {
    ok: true,
    canonical: formatFilter(filter),
    fields: filterFieldsOf(filter),
    tables: filterTables(filter),
    directed: isDirectedFilter(filter, 'flows'),
    tokens,
  };
}
