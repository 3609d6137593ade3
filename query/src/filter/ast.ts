/**
 * A filter as a tree. It holds field ids and values, already checked against the field's kind and limits; no positions.
 * Built by the parser, or by the functions below, which keep it in one shape: `and`/`or` have two or more terms and none
 * of their own kind, `in` has a range or several values.
 */
import type { AddressWords, Network } from './address.js';
import type { FieldId } from './fields.js';
import { fieldOf, fieldTables } from './fields.js';
import { queryTableNames } from '../registry/tables.js';
import type { QueryTable } from '../registry/tables.js';

export type CompareOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type FilterValue =
  | { readonly kind: 'address'; readonly words: AddressWords }
  /** in the field's base unit: bytes, nanoseconds, plain */
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly text: string };

/** What a list can hold: values, networks and inclusive ranges. */
export type FilterItem =
  | FilterValue
  | { readonly kind: 'network'; readonly network: Network }
  | { readonly kind: 'addressRange'; readonly first: AddressWords; readonly last: AddressWords }
  | { readonly kind: 'numberRange'; readonly first: number; readonly last: number };

export type FilterPattern =
  /** `*` any characters, `?` one character, backslash takes the next literally; the whole value, any case */
  | { readonly kind: 'glob'; readonly text: string }
  /** anywhere in the value; a slash stands for itself */
  | { readonly kind: 'regex'; readonly source: string; readonly ignoreCase: boolean };

export type FilterNode =
  /** the empty filter: everything */
  | { readonly kind: 'all' }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly term: FilterNode }
  | {
      readonly kind: 'compare';
      readonly field: FieldId;
      readonly operator: CompareOperator;
      readonly value: FilterValue;
    }
  /** two fields of one kind; false when either is absent */
  | {
      readonly kind: 'compareFields';
      readonly field: FieldId;
      readonly operator: CompareOperator;
      readonly other: FieldId;
    }
  | { readonly kind: 'in'; readonly field: FieldId; readonly negated: boolean; readonly items: readonly FilterItem[] }
  | { readonly kind: 'match'; readonly field: FieldId; readonly negated: boolean; readonly pattern: FilterPattern };

/** Joins terms, taking apart those of the same kind; one term stays itself. */
export function joined(kind: 'and' | 'or', terms: readonly FilterNode[]): FilterNode {
  const flat = terms.flatMap((term) => (term.kind === kind ? term.terms : [term]));
  return flat.length === 1 ? flat[0]! : { kind, terms: flat };
}

/** Membership; a single plain value becomes = or !=. */
export function membership(field: FieldId, negated: boolean, items: readonly FilterItem[]): FilterNode {
  const only = items.length === 1 ? items[0]! : undefined;
  if (only && (only.kind === 'address' || only.kind === 'number' || only.kind === 'text')) {
    return { kind: 'compare', field, operator: negated ? '!=' : '=', value: only };
  }
  return { kind: 'in', field, negated, items };
}

/** The fields a filter tests, each once, in order of appearance. */
export function filterFieldsOf(node: FilterNode): FieldId[] {
  const found = new Set<FieldId>();
  const visit = (part: FilterNode): void => {
    if (part.kind === 'and' || part.kind === 'or') part.terms.forEach(visit);
    else if (part.kind === 'not') visit(part.term);
    else if ('field' in part) {
      found.add(part.field);
      if (part.kind === 'compareFields') found.add(part.other);
    }
  };
  visit(node);
  return [...found];
}

/** The tables that have every field of the filter, cheapest first; none when its fields stand in different tables. */
export function filterTables(node: FilterNode): QueryTable[] {
  const fields = filterFieldsOf(node).map((id) => fieldTables(fieldOf(id)));
  return queryTableNames.filter((table) => fields.every((tables) => tables.includes(table)));
}

/**
 * True when the filter tests a field that has a value for each direction of this table's rows (src_ip on `flows`): the
 * query is then one over directed rows. `host` and `port` are the same in both directions and do not count.
 */
export function isDirectedFilter(node: FilterNode, table: QueryTable): boolean {
  return filterFieldsOf(node).some((id) => {
    const field = fieldOf(id);
    return field.either === undefined && field.sources[table]?.scope === 'directed';
  });
}
