/** Writes a filter in its one canonical form: ids instead of aliases, small keywords, quoted text, biggest whole unit. */
import { formatAddress, formatNetwork } from './address.js';
import type { FilterItem, FilterNode, FilterPattern } from './ast.js';
import { fieldOf } from './fields.js';
import type { FilterField } from './fields.js';
import { quoteText } from './lexer.js';
import { formatNumber } from './numbers.js';
import { nameOf } from '../registry/names.js';

/** The canonical text: parsing it gives an equal tree. The filter that keeps everything is the empty text. */
export function formatFilter(node: FilterNode): string {
  switch (node.kind) {
    case 'all':
      return '';
    case 'or':
      return node.terms.map(formatFilter).join(' or ');
    case 'and':
      return node.terms
        .map((term) => (term.kind === 'or' ? `(${formatFilter(term)})` : formatFilter(term)))
        .join(' and ');
    case 'not': {
      const inner = formatFilter(node.term);
      return node.term.kind === 'and' || node.term.kind === 'or' ? `not (${inner})` : `not ${inner}`;
    }
    case 'compare':
      return `${node.field} ${node.operator} ${formatItem(node.value, fieldOf(node.field))}`;
    case 'compareFields':
      return `${node.field} ${node.operator} ${node.other}`;
    case 'in': {
      const items = node.items.map((item) => formatItem(item, fieldOf(node.field)));
      const list = items.length === 1 ? items[0]! : `(${items.join(', ')})`;
      return `${node.field} ${node.negated ? 'not in' : 'in'} ${list}`;
    }
    case 'match':
      return `${node.field} ${matchSign(node.pattern, node.negated)} ${formatPattern(node.pattern)}`;
  }
}

function matchSign(pattern: FilterPattern, negated: boolean): string {
  if (negated) return '!~';
  return pattern.kind === 'glob' ? '~' : '=~';
}

function formatPattern(pattern: FilterPattern): string {
  if (pattern.kind === 'glob') return quoteText(pattern.text);
  const source = pattern.source.replace(/\\[^]|\//gu, (part) => (part === '/' ? '\\/' : part));
  return `/${source}/${pattern.ignoreCase ? 'i' : ''}`;
}

function formatItem(item: FilterItem, field: FilterField): string {
  switch (item.kind) {
    case 'address':
      return formatAddress(item.words);
    case 'network':
      return formatNetwork(item.network);
    case 'addressRange':
      return `${formatAddress(item.first)}..${formatAddress(item.last)}`;
    case 'number':
      return formatValue(item.value, field);
    case 'numberRange':
      return `${formatValue(item.first, field)}..${formatValue(item.last, field)}`;
    case 'text':
      return quoteText(item.text);
  }
}

/** Protocols and EtherTypes by name; ports by number, since a service name would only be a guess. */
function formatValue(value: number, field: FilterField): string {
  const name = field.names === undefined || field.names === 'service' ? undefined : nameOf(field.names, value);
  return name ?? formatNumber(value, field.kind);
}
