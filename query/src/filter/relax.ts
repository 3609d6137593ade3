/** Filters for records of which some fields cannot be known (yet). */
import type { FilterNode } from './ast.js';
import { joined } from './ast.js';
import type { FieldId } from './fields.js';
import { fieldParts } from './packet-fields.js';

/**
 * The filter that keeps a record whenever the given one could, whatever values the unknown fields have: the tightest
 * such filter that does not test them, comparison by comparison. With each unknown field comes the filter that holds
 * where the field can be present: an absent field fits no comparison. A comparison under an odd number of `not` is taken to
 * fail where others are taken to hold, since the opposite of "could hold" is not "could fail".
 */
export function relaxFilter(filter: FilterNode, unknown: ReadonlyMap<FieldId, FilterNode>): FilterNode {
  const result = bound(filter, unknown, true);
  if (typeof result !== 'boolean') return result;
  return result ? { kind: 'all' } : { kind: 'not', term: { kind: 'all' } };
}

/** `upper`: what may hold; else what surely holds. A boolean: always or never. */
function bound(node: FilterNode, unknown: ReadonlyMap<FieldId, FilterNode>, upper: boolean): FilterNode | boolean {
  switch (node.kind) {
    case 'all':
      return true;
    case 'not': {
      const term = bound(node.term, unknown, !upper);
      return typeof term === 'boolean' ? !term : { kind: 'not', term };
    }
    case 'and':
    case 'or': {
      const decides = node.kind === 'or'; // one true term decides an `or`, one false term an `and`
      const terms: FilterNode[] = [];
      for (const part of node.terms) {
        const term = bound(part, unknown, upper);
        if (term === decides) return decides;
        if (typeof term !== 'boolean') terms.push(term);
      }
      return terms.length === 0 ? !decides : joined(node.kind, terms);
    }
    default: {
      const fields = node.kind === 'compareFields' ? [node.field, node.other] : [node.field];
      const conditions = fields.flatMap((field) => fieldParts(field).flatMap((part) => unknown.get(part) ?? []));
      if (conditions.length === 0) return node;
      return upper && joined('and', [...new Set(conditions)]);
    }
  }
}
