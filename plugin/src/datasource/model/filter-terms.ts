/** Single comparisons as text, and filters put together from them: ad hoc filters, Explore's plus and minus, links. */
import type { FilterField } from '@netspectra/query';
import { findField, formatFilter, parseFilter, parseGroupKey, quoteText } from '@netspectra/query';

/** A chosen value of a label or column: the key is an entry of groupBy. */
export interface Chosen {
  readonly key: string;
  /** Grafana's: =, !=, <, >, =~, !~, =| (one of), !=| (none of) */
  readonly operator: string;
  readonly value: string;
  readonly values?: readonly string[];
}

/** Labels that are no field: the earlier period of compareTo. */
const notFields: ReadonlySet<string> = new Set(['period']);
/** The group of what has no group of its own: no filter picks it. */
const restValue = 'other';

const bare = /^(?:(?!\.\.)[A-Za-z0-9.:/%+\-µ])+$/;
const keywords: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in']);
const isBare = (text: string): boolean => bare.test(text) && !keywords.has(text.toLowerCase());

/**
 * A value as a filter has it. Text fields: in quotes. Others, and where the field is not known: bare if it can only be one
 * word, else in quotes, so that a value is never more than a value.
 */
export function literal(field: Pick<FilterField, 'kind'> | undefined, value: string): string {
  const trimmed = value.trim();
  if (field?.kind === 'text') return quoteText(value);
  return isBare(trimmed) || (/^\S+\.\.\S+$/.test(trimmed) && trimmed.split('..').every(isBare))
    ? trimmed
    : quoteText(value);
}

/** A chosen value as a comparison, or undefined when no filter can say it. */
export function termOf({ key, operator, value, values }: Chosen): string | undefined {
  const parsed = parseGroupKey(key);
  const name = typeof parsed === 'string' ? key : parsed.dimension;
  if (notFields.has(name)) return undefined;
  const field = findField(name);
  const isNetwork = (text: string): boolean => field?.kind === 'address' && /[/]|\.\./.test(text);
  const write = (text: string): string => literal(field, text);
  const isText = field?.kind === 'text';
  // What has no value is a value of texts only: no filter picks the absence of an address.
  const list = (values ?? [value]).filter((each) => isText || (each !== restValue && each.trim() !== ''));
  if (list.length === 0) return undefined;
  if (isText && values === undefined && /^(==?|!=)$/.test(operator) && unwritable.test(value)) {
    return `${name} ${operator === '!=' ? '!~' : '~'} ${pattern(value)}`;
  }
  switch (operator) {
    case '=':
    case '==':
      return `${name} ${isNetwork(value) ? 'in' : '='} ${write(value)}`;
    case '!=':
      return `${name} ${isNetwork(value) ? 'not in' : '!='} ${write(value)}`;
    case '=|':
      return `${name} in (${list.map(write).join(', ')})`;
    case '!=|':
      return `${name} not in (${list.map(write).join(', ')})`;
    case '=~':
      return isText ? `${name} =~ ${regex(value)}` : `${name} in ${write(value)}`;
    case '!~':
      return isText ? `not ${name} =~ ${regex(value)}` : `${name} not in ${write(value)}`;
    case '<':
    case '>':
    case '<=':
    case '>=':
      return `${name} ${operator} ${write(value)}`;
    default:
      return undefined;
  }
}

/** No text of a filter can hold these; a pattern has a place for any character. */
const unwritable = /[\0\p{Cs}]/u;
const pattern = (value: string): string =>
  quoteText(value.replace(/[*?\\]/g, '\\$&').replace(new RegExp(unwritable, 'gu'), '?'));

const regex = (source: string): string => `/${source.replace(/\\[^]|\//gu, (part) => (part === '/' ? '\\/' : part))}/`;

/** Both filters at once. Brackets only where they change something. */
export function andFilters(...filters: readonly (string | undefined)[]): string {
  const parts = filters.map((filter) => filter?.trim() ?? '').filter((filter) => filter !== '');
  if (parts.length < 2) return parts[0] ?? '';
  return parts.map((part) => (needsBrackets(part) ? `(${part})` : part)).join(' and ');
}

function needsBrackets(filter: string): boolean {
  const parsed = parseFilter(filter);
  return !parsed.ok || parsed.filter.kind === 'or';
}

const canonical = (text: string): string => {
  const parsed = parseFilter(text);
  return parsed.ok ? formatFilter(parsed.filter) : text.trim();
};

/** The terms that must all hold, in canonical form; a wrong filter is one term. */
export function termsOf(filter: string | undefined): string[] {
  const parsed = parseFilter(filter ?? '');
  if (!parsed.ok) return [filter!.trim()];
  if (parsed.filter.kind === 'all') return [];
  return parsed.filter.kind === 'and' ? parsed.filter.terms.map(formatFilter) : [formatFilter(parsed.filter)];
}

/** True when the term is among those that must hold. */
export function hasTerm(filter: string | undefined, term: string): boolean {
  return termsOf(filter).includes(canonical(term));
}

/** The filter and the term; unchanged when it has it already. */
export function addTerm(filter: string | undefined, term: string): string {
  return hasTerm(filter, term) ? filter! : andFilters(filter, term);
}

/** The filter without a term that must hold. */
export function removeTerm(filter: string | undefined, term: string): string {
  if (!hasTerm(filter, term)) return filter ?? '';
  const gone = canonical(term);
  return andFilters(...termsOf(filter).filter((each) => each !== gone));
}
