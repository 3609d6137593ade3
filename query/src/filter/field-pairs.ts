/**
 * Two fields compared with each other (`client_bytes > server_bytes`): which go together, and how a field's name on the
 * right is told from a value.
 *
 * A bare word on the right side is a value if it can be one: a service, a protocol, any text. It is a field when it is
 * not, and for text only when it is a text field's full name with an underscore in it (`src_country = dst_country`), so
 * that names people use as values (`application = dns`, `probe = edge-1`) stay values. Quotes always make a value.
 */
import type { CompareOperator } from './ast.js';
import type { FilterField } from './fields.js';
import { numberOf } from '../registry/names.js';

/** What a field is, with its article, for messages; fields with the same words can be compared. */
function kindOf(field: FilterField): string {
  switch (field.names) {
    case 'service':
      return 'a port';
    case 'protocol':
      return 'a protocol';
    case 'ether_type':
      return 'an EtherType';
    case 'end_reason':
      return 'an end reason';
    case 'asn':
      return 'an AS number';
    case 'traffic_direction':
      return 'a traffic direction';
    case 'icmp_type':
      return 'an ICMP type';
    case 'dscp':
      return 'a DSCP code point';
    case 'tcp_flags':
      return 'TCP flags';
    case undefined:
      break;
  }
  switch (field.kind) {
    case 'address':
      return 'an address';
    case 'size':
    case 'count':
    case 'duration':
    case 'number':
      return `a ${field.kind}`;
    case 'text':
      return 'text';
  }
}

/** True when a bare word, which is `other`'s name or alias, stands for the field and not for a value of `field`. */
export function meansField(field: FilterField, word: string, other: FilterField): boolean {
  if (field.kind === 'text') return other.kind === 'text' && word.toLowerCase() === other.id && word.includes('_');
  return field.names === undefined || numberOf(field.names, word) === undefined;
}

/** Why two fields cannot be compared this way, for people; undefined when they can. */
export function pairProblem(field: FilterField, operator: CompareOperator, other: FilterField): string | undefined {
  for (const side of [field, other]) {
    if (!side.either) continue;
    return `${side.id} is two values, sender's and receiver's; compare ${side.either[0]} or ${side.either[1]} instead`;
  }
  if (kindOf(field) !== kindOf(other)) {
    return `${field.id} is ${kindOf(field)}, ${other.id} ${kindOf(other)}: they cannot be compared`;
  }
  if ((field.kind === 'address' || field.kind === 'text') && operator !== '=' && operator !== '!=') {
    return `${field.id} has no order; compare with = or !=`;
  }
  return undefined;
}
