/** What the words of a filter mean, for a tooltip; and the text's tokens, for colours. */
import { fieldOf, fieldTables, findField } from '../fields.js';
import type { FilterField } from '../fields.js';
import { formatNumber, parseNumber } from '../numbers.js';
import { parseFilter } from '../parser.js';
import type { FilterToken } from '../token-cursor.js';
import { phraseField, protocolWords } from '../words.js';
import { nameOf, numberOf } from '../../registry/names.js';
import { findOperator } from './operators.js';

export interface FilterHover {
  /** the word or words that it is about, UTF-16 units from the start of the text */
  readonly offset: number;
  readonly length: number;
  readonly title: string;
  readonly documentation: string;
}

/**
 * The tokens of a text with what they are, also of a wrong one: every character that is no space belongs to exactly one,
 * in the order of the text.
 */
export function highlightFilter(text: string): readonly FilterToken[] {
  return parseFilter(text).tokens;
}

/** What stands at an offset; undefined where there is nothing to say. */
export function hoverFilter(text: string, offset: number): FilterHover | undefined {
  const tokens = highlightFilter(text);
  const at = tokens.findIndex((token) => token.offset <= offset && offset < token.offset + token.length);
  const token = tokens[at];
  if (!token) return undefined;
  const word = text.slice(token.offset, token.offset + token.length);
  const place = { offset: token.offset, length: token.length };
  if (token.role === 'field') return fieldHover(text, tokens, at);
  if (token.role === 'operator' || token.role === 'keyword') {
    const operator = findOperator(word);
    return operator && { ...place, title: `${word}: ${operator.detail}`, documentation: operator.documentation };
  }
  const value = valueHover(word, token.role, fieldBefore(text, tokens, at));
  return value === undefined ? undefined : { ...place, title: word, documentation: value };
}

const joins: ReadonlySet<string> = new Set(['and', 'or', '&&', '||']);

const wordAt = (text: string, token: FilterToken | undefined): string =>
  token?.role === 'field' ? text.slice(token.offset, token.offset + token.length) : '';

function fieldHover(text: string, tokens: readonly FilterToken[], at: number): FilterHover | undefined {
  for (const first of [at - 1, at]) {
    const [from, to] = [tokens[first], tokens[first + 1]];
    const id = phraseField(wordAt(text, from), wordAt(text, to));
    if (id === undefined || !from || !to) continue;
    return hoverOf(fieldOf(id), from.offset, to.offset + to.length - from.offset);
  }
  const token = tokens[at]!;
  const field = findField(wordAt(text, token));
  return field && hoverOf(field, token.offset, token.length);
}

function hoverOf(field: FilterField, offset: number, length: number): FilterHover {
  const others = field.aliases.length === 0 ? '' : ` Also ${field.aliases.join(', ')}.`;
  const documentation = `${field.description} In ${fieldTables(field).join(', ')}.${others}`;
  return { offset, length, title: `${field.id} (${field.kind})`, documentation };
}

/** The field that a value belongs to: the nearest one before it in the same term; a protocol that stands alone has none. */
function fieldBefore(text: string, tokens: readonly FilterToken[], at: number): FilterField | undefined {
  for (let i = at - 1; i >= 0; i -= 1) {
    const { role, offset, length } = tokens[i]!;
    if (role !== 'field') {
      if (joins.has(text.slice(offset, offset + length).toLowerCase()) && role !== 'text') return undefined;
      continue;
    }
    const word = text.slice(offset, offset + length);
    const phrase = phraseField(wordAt(text, tokens[i - 1]), word);
    return phrase === undefined ? findField(word) : fieldOf(phrase);
  }
  return undefined;
}

/** The other way to say a value: a port's service, a name's number, a size in bytes. */
function valueHover(word: string, role: string, field: FilterField | undefined): string | undefined {
  if (role === 'name' && !field?.names) {
    const protocol = protocolWords.get(word.toLowerCase());
    return protocol && `${protocol.field} ${protocol.operator} ${protocol.value}`;
  }
  if (!field) return undefined;
  if (role === 'name' && field.names) {
    const number = numberOf(field.names, word);
    return number === undefined ? undefined : `${field.names.replace('_', ' ')} ${number}`;
  }
  if (role !== 'number') return undefined;
  const number = parseNumber(word, field.kind, field.maximum);
  if (!('value' in number)) return undefined;
  if (field.names) return nameOf(field.names, number.value);
  const unit = field.kind === 'size' ? ' bytes' : field.kind === 'duration' ? ' ns' : '';
  const whole = number.value.toLocaleString('en');
  return field.kind === 'number' ? undefined : `${whole}${unit} (${formatNumber(number.value, field.kind)})`;
}
