/**
 * One comparison: a field, an operator and what stands on the right, or one of tcpdump's short forms (`host 192.0.2.7`,
 * `src net 10.0.0.0/8`, `tcp port 80`, `arp`), which become the same trees.
 */
import { parseAddress, parseNetwork } from './address.js';
import type { CompareOperator, FilterNode } from './ast.js';
import { joined, membership } from './ast.js';
import { nearest, quoted } from './errors.js';
import { pairProblem, meansField } from './field-pairs.js';
import { fieldOf, fieldWords, findField } from './fields.js';
import type { FieldId } from './fields.js';
import type { LexicalToken } from './lexer.js';
import { looksNumeric } from './numbers.js';
import { keywords } from './token-cursor.js';
import { rangeWord, ValueParser } from './value-parser.js';
import type { Field } from './value-parser.js';
import {
  bareValueFields,
  compareOperator,
  foreignWord,
  phraseField,
  protocolWords,
  qualifiers,
  wordOperator,
} from './words.js';
import { isApplication, numberOf } from '../registry/names.js';

/** A field as it was named: by one word, or by two (`src port`). */
interface NamedField {
  readonly field: Field;
  readonly words: 1 | 2;
  /** tcpdump's portrange: the value is a-b */
  readonly range: boolean;
}

export class ComparisonParser extends ValueParser {
  /** the field of the comparison before, for suggestions: in `port 80 or 443`, 443 could be a port */
  private before: Field | undefined;

  protected comparison(): FilterNode | undefined {
    const node = this.protocolTerm() ?? this.fieldTerm();
    if (!node) this.recover();
    return node;
  }

  /** `tcp`, `ip6`, `tcp port 80`; undefined, with nothing read, when none begins here. */
  private protocolTerm(): FilterNode | undefined {
    const token = this.token();
    const word = token.kind === 'word' ? protocolWords.get(token.text.toLowerCase()) : undefined;
    if (!word || this.isCompared(1)) return undefined;
    const next = this.token(1);
    const qualified = next.kind === 'word' && qualifiers.has(next.text.toLowerCase());
    // `ip 10.0.0.1` and `vlan 10`: these words are fields too, with a value behind them.
    if (!qualified && findField(token.text) && this.isValueWord(next)) return undefined;
    this.role('name');
    this.at += 1;
    const { field, operator, value } = word;
    const protocol: FilterNode = { kind: 'compare', field, operator, value: { kind: 'number', value } };
    if (!qualified) return protocol;
    const rest = this.fieldTerm();
    return rest && joined('and', [protocol, rest]);
  }

  private fieldTerm(): FilterNode | undefined {
    const named = this.namedField(0);
    return named ? this.comparisonOf(named) : this.noField(this.token());
  }

  /** The field that the word, or the two words, from here on name. */
  private namedField(ahead: number): NamedField | undefined {
    const token = this.token(ahead);
    if (token.kind !== 'word' || keywords.has(token.text.toLowerCase())) return undefined;
    const second = this.token(ahead + 1);
    const phrase = second.kind === 'word' ? phraseField(token.text, second.text) : undefined;
    const fieldNamed = (id: FieldId): Field => ({ ...fieldOf(id), id });
    if (phrase !== undefined) return { field: fieldNamed(phrase), words: 2, range: isRangeWord(second) };
    if (isRangeWord(token) && (this.isValueWord(second) || this.isCompared(ahead + 1))) {
      return { field: fieldNamed('port'), words: 1, range: true };
    }
    const field = findField(token.text);
    return field && { field, words: 1, range: false };
  }

  /** Says why no comparison begins here. */
  private noField(token: LexicalToken): undefined {
    if (token.kind === 'end') return this.failHere('Expected a comparison such as dst_port = 443');
    if (token.kind !== 'word') return this.failHere(`Expected a field name, found ${quoted(this.source(token))}`);
    if (keywords.has(token.text.toLowerCase())) {
      return this.failHere(`Expected a field name, found the keyword ${quoted(token.text)}`);
    }
    if (!this.isCompared(1)) {
      const whole = this.valueAlone(token.text);
      if (whole !== undefined) return this.failHere(`${quoted(token.text)} is a value, not a field`, whole);
    }
    const foreign = foreignWord(token.text);
    if (foreign) {
      const { instead, note } = foreign;
      const explained = [instead && `here it is ${instead}`, note].filter(Boolean).join('; ');
      return this.failHere(`Unknown field ${quoted(token.text)}; ${explained}`, instead || undefined);
    }
    const near = nearest(token.text, fieldWords());
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    return this.failHere(`Unknown field ${quoted(token.text)}${hint}`, near);
  }

  /** The comparison that a value standing alone could have meant. */
  private valueAlone(text: string): string | undefined {
    const { before } = this;
    const address = parseAddress(text) ?? parseNetwork(text);
    if (address) return `${before?.kind === 'address' ? before.id : 'host'} = ${text}`;
    if (/^\d+$/.test(text)) {
      const field = before && before.kind !== 'address' && before.kind !== 'text' ? before.id : 'port';
      return `${field} = ${text}`;
    }
    // A name of the kind just compared, as in `port http or https`.
    if (before?.names !== undefined && numberOf(before.names, text) !== undefined) return `${before.id} = ${text}`;
    if (findField(text) || foreignWord(text)) return undefined;
    if (/^[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}$/i.test(text)) return `dns_name = ${text}`;
    if (isApplication(text)) return `application = ${text.toLowerCase()}`;
    return numberOf('protocol', text) === undefined ? undefined : `protocol = ${text.toLowerCase()}`;
  }

  private comparisonOf(named: NamedField): FilterNode | undefined {
    const { field } = named;
    const name = this.token(named.words - 1);
    for (let i = 0; i < named.words; i += 1) this.role('field', i);
    this.at += named.words;
    this.before = field;
    if (this.isKeyword('in')) return this.in(field, false);
    if (this.isKeyword('not') && this.isKeyword('in', 1)) {
      this.role('keyword');
      this.at += 1;
      return this.in(field, true);
    }
    const token = this.token();
    if (token.kind === 'operator') {
      const operator = compareOperator(token.text);
      if (operator !== undefined) return this.compare(field, operator);
      if (token.text === '~' || token.text === '!~' || token.text === '=~') return this.match(field, token.text);
    }
    if (this.isValueWord(token)) {
      if (named.range) return this.range(field);
      return bareValueFields.has(field.id) ? this.bareValue(field, name) : this.noOperator(name, token);
    }
    if (this.isPunctuation('(')) return this.failHere(`Expected an operator after ${name.text}`, 'in (');
    const negation = this.negationAfterField();
    if (negation) return this.fail(negation, `"not" stands before the field, or write ${negation.sign}`, negation.sign);
    const second = this.token(1);
    if (/^(or|and)$/i.test(token.text) && second.kind === 'word' && phraseField(second.text, 'port') !== undefined) {
      return this.failHere('For either end write host or port alone, as in port 80');
    }
    return this.failHere(`Expected an operator after ${name.text}: = != < <= > >= ~ =~ in`);
  }

  /** `src_ip not = x`, `src_ip not x`, `src_ip !in (x)`: what it should have been, and where. */
  private negationAfterField(): { offset: number; length: number; sign: string } | undefined {
    if (!this.isKeyword('not') && !this.isOperator('!')) return undefined;
    const [first, next] = [this.token(), this.token(1)];
    const joins = next.kind === 'operator' || this.isKeyword('in', 1);
    const sign = this.isKeyword('in', 1) ? 'not in' : next.text === '~' ? '!~' : '!=';
    return {
      offset: first.offset,
      length: (joins ? next.offset + next.length : first.offset + first.length) - first.offset,
      sign,
    };
  }

  private noOperator(name: LexicalToken, token: LexicalToken): undefined {
    const sign = token.kind === 'word' ? wordOperator(token.text) : undefined;
    if (sign !== undefined) return this.failHere(`The operator ${quoted(token.text)} is written ${sign} here`, sign);
    return this.failHere(`Expected an operator after ${name.text}`, `= ${this.source(token)}`);
  }

  /** `host 192.0.2.7`: the value without an operator, which is then =. */
  private bareValue(field: Field, name: LexicalToken): FilterNode | undefined {
    const token = this.token();
    if (token.kind === 'word' && wordOperator(token.text) !== undefined) return this.noOperator(name, token);
    const items = this.single(field);
    return items && membership(field.id, false, items);
  }

  /** `portrange 1-1023` */
  private range(field: Field): FilterNode | undefined {
    const token = this.token();
    const range = token.kind === 'word' ? rangeWord(token.text, field) : undefined;
    if (!range) return this.bareValue(field, token);
    this.role('number');
    if (range.kind === 'numberRange' && range.first > range.last) {
      return this.failHere('This range goes backwards', `${range.last}-${range.first}`);
    }
    this.at += 1;
    return membership(field.id, false, [range]);
  }

  private compare(field: Field, operator: CompareOperator): FilterNode | undefined {
    const sign = this.token();
    this.at += 1;
    const pair = this.otherField(field, operator);
    if (pair !== undefined) return pair ?? undefined;
    if (operator === '=' || operator === '!=') {
      if (this.isBarePattern(field)) return this.patternInstead(sign, operator === '=' ? '~' : '!~');
      const items = this.isPunctuation('(') ? this.list(field) : this.single(field);
      return items && membership(field.id, operator === '!=', items);
    }
    if (field.kind === 'address' || field.kind === 'text') {
      const instead = field.kind === 'address' ? 'in 10.0.0.0/8 or in 10.0.0.1..10.0.0.9' : '=, in, ~ or =~';
      return this.fail(sign, `${field.id} has no order; use ${instead}`);
    }
    const value = this.wholeNumber(field);
    if (value === undefined) return undefined;
    if (this.isOperator('..')) return this.failHere(`A range needs "in", not ${sign.text}`);
    return { kind: 'compare', field: field.id, operator, value: { kind: 'number', value } };
  }

  private isBarePattern(field: Field): boolean {
    const token = this.token();
    return field.kind === 'text' && token.kind === 'word' && /[*?]/.test(token.text);
  }

  private patternInstead(sign: LexicalToken, instead: string): undefined {
    const token = this.token();
    const place = { offset: sign.offset, length: token.offset + token.length - sign.offset };
    return this.fail(
      place,
      `Patterns with * or ? need the operator ${instead}; quote the value to mean the character`,
      `${instead} ${token.text}`,
    );
  }

  /** A comparison with another field; undefined when a value stands here, null after an error. */
  private otherField(field: Field, operator: CompareOperator): FilterNode | null | undefined {
    const named = this.namedField(0);
    if (!named || (named.words === 1 && !meansField(field, this.token().text, named.field))) return undefined;
    const problem = pairProblem(field, operator, named.field);
    for (let i = 0; i < named.words; i += 1) this.role('field', i);
    if (problem !== undefined) {
      const first = this.token();
      const last = this.token(named.words - 1);
      this.fail({ offset: first.offset, length: last.offset + last.length - first.offset }, problem);
      return null;
    }
    this.at += named.words;
    return { kind: 'compareFields', field: field.id, operator, other: named.field.id };
  }

  private in(field: Field, negated: boolean): FilterNode | undefined {
    this.role('keyword');
    this.at += 1;
    const items = this.isPunctuation('(') ? this.list(field) : this.single(field);
    return items && membership(field.id, negated, items);
  }

  private match(field: Field, operator: '~' | '!~' | '=~'): FilterNode | undefined {
    const sign = this.token();
    this.at += 1;
    if (field.kind !== 'text') {
      const instead = field.kind === 'address' ? '; use in 10.0.0.0/8' : '; use = or in';
      return this.fail(sign, `${field.id} is not text, patterns cannot test it${instead}`);
    }
    const token = this.token();
    const pattern =
      token.kind === 'regex' || (operator === '=~' && token.kind === 'string')
        ? this.regexOf(token)
        : this.globOf(token, operator);
    if (!pattern) return undefined;
    this.at += 1;
    return { kind: 'match', field: field.id, negated: operator === '!~', pattern };
  }

  /** An operator, `in` or `not in` stands there. */
  private isCompared(ahead: number): boolean {
    if (this.isKeyword('in', ahead)) return true;
    if (this.isKeyword('not', ahead)) return this.isKeyword('in', ahead + 1);
    const token = this.token(ahead);
    if (token.kind === 'word') return wordOperator(token.text) !== undefined;
    return token.kind === 'operator' && token.text !== '&&' && token.text !== '||' && token.text !== '!';
  }

  private isValueWord(token: LexicalToken): boolean {
    return token.kind === 'string' || (token.kind === 'word' && !keywords.has(token.text.toLowerCase()));
  }
}

const isRangeWord = (token: LexicalToken): boolean => token.text.toLowerCase() === 'portrange';

/** True when a word that stands behind a number is its unit, or the rest of a duration, parted from it by a space. */
export function isPartedUnit(number: LexicalToken | undefined, unit: LexicalToken): boolean {
  if (number?.kind !== 'word' || unit.kind !== 'word' || !looksNumeric(number.text)) return false;
  if (/^\d+(d|h|m|min|s|ms|us)$/.test(number.text) && /^\d+(h|m|min|s|ms|us|ns)$/.test(unit.text)) return true;
  return /^([kKMGT]i?B?|B|[nuµm]?s|m|min|h|d)$/.test(unit.text);
}
