/**
 * Reads the filter language (grammar: docs/query-language.md) by recursive descent. Never throws on its text: what is
 * wrong becomes errors with their place; after one the parser goes on behind the next `and`, `or` or closing bracket, so
 * that an editor can mark several at once. Work is linear in the text, depth is bounded (filterLimits).
 */
import { compareAddresses, parseAddress, parseNetwork } from './address.js';
import type { CompareOperator, FilterItem, FilterNode, FilterPattern } from './ast.js';
import { joined, membership } from './ast.js';
import { filterError, nearest, quoted } from './errors.js';
import type { FilterError } from './errors.js';
import { fieldWords, findField } from './fields.js';
import type { FieldId, FilterField } from './fields.js';
import { lexFilter, quoteText } from './lexer.js';
import type { LexicalToken } from './lexer.js';
import { filterLimits } from './limits.js';
import { looksNumeric, parseNumber } from './numbers.js';
import { parseRegex } from './regex.js';
import type { NameTable } from '../registry/dimensions.js';
import { namesOf, numberOf } from '../registry/names.js';

/** What a token is, for highlighting. */
export type TokenRole =
  'field' | 'keyword' | 'operator' | 'punctuation' | 'number' | 'address' | 'name' | 'text' | 'regex' | 'invalid';

export interface FilterToken {
  readonly role: TokenRole;
  readonly offset: number;
  readonly length: number;
}

export type ParseResult =
  | { readonly ok: true; readonly filter: FilterNode; readonly tokens: readonly FilterToken[] }
  | { readonly ok: false; readonly errors: readonly FilterError[]; readonly tokens: readonly FilterToken[] };

type Field = FilterField & { readonly id: FieldId };

const keywords: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in']);
const compareOperators: Readonly<Record<string, CompareOperator>> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

const nameWords: Readonly<Record<NameTable, string>> = {
  protocol: 'protocol',
  service: 'service',
  ether_type: 'EtherType',
  end_reason: 'end reason',
};

const article = (kind: FilterField['kind']): string =>
  kind === 'address'
    ? 'an address, a network (10.0.0.0/8) or a range'
    : kind === 'text'
      ? 'a word or quoted text'
      : kind === 'size'
        ? 'a size such as 1MB'
        : kind === 'duration'
          ? 'a duration such as 5s'
          : 'a number';

class Parser {
  readonly errors: FilterError[] = [];
  private readonly roles: (TokenRole | undefined)[] = [];
  private at = 0;
  private gaveUp = false;

  constructor(
    private readonly text: string,
    private readonly tokens: readonly LexicalToken[],
  ) {}

  filter(): FilterNode | undefined {
    if (this.token().kind === 'end') return { kind: 'all' };
    const node = this.or(0);
    while (this.token().kind !== 'end') {
      this.failHere(this.isPunctuation(')') ? 'This ) closes nothing' : 'Expected "and" or "or" here');
      this.at += 1;
      this.or(0);
    }
    return this.errors.length > 0 ? undefined : node;
  }

  highlight(): FilterToken[] {
    return this.tokens
      .map((token, i) => ({ role: this.roles[i] ?? defaultRole(token), offset: token.offset, length: token.length }))
      .filter((token) => token.length > 0);
  }

  private or(depth: number): FilterNode | undefined {
    return this.chain('or', '||', () => this.and(depth));
  }

  private and(depth: number): FilterNode | undefined {
    return this.chain('and', '&&', () => this.not(depth));
  }

  private chain(kind: 'and' | 'or', sign: string, term: () => FilterNode | undefined): FilterNode | undefined {
    const terms = [term()];
    for (;;) {
      if (this.isKeyword(kind) || this.isOperator(sign)) {
        this.role('keyword');
        this.at += 1;
        terms.push(term());
      } else if (kind === 'and' && this.beginsTerm()) {
        this.failHere('Expected "and" or "or" before this', `and ${this.source(this.token())}`);
        terms.push(term());
      } else break;
    }
    const good = terms.filter((node) => node !== undefined);
    return good.length === terms.length ? joined(kind, good) : undefined;
  }

  private not(depth: number): FilterNode | undefined {
    if (!this.isKeyword('not') && !this.isOperator('!')) return this.primary(depth);
    if (this.tooDeep(depth)) return undefined;
    this.role('keyword');
    this.at += 1;
    const term = this.not(depth + 1);
    return term && { kind: 'not', term };
  }

  private primary(depth: number): FilterNode | undefined {
    if (!this.isPunctuation('(')) return this.comparison();
    if (this.tooDeep(depth)) return undefined;
    const open = this.token();
    this.at += 1;
    const inner = this.or(depth + 1);
    if (this.isPunctuation(')')) {
      this.at += 1;
      return inner;
    }
    if (this.token().kind === 'end') this.fail(open, 'This ( is not closed');
    else this.failHere('Expected "and", "or" or )');
    this.recover();
    if (this.isPunctuation(')')) this.at += 1;
    return undefined;
  }

  private tooDeep(depth: number): boolean {
    if (depth < filterLimits.depthMax) return false;
    this.failHere(`Brackets and "not" nest deeper than ${filterLimits.depthMax}`);
    this.giveUp();
    return true;
  }

  /** Goes to the end; what is found missing there is no error of its own. */
  private giveUp(): void {
    this.at = this.tokens.length - 1;
    this.gaveUp = true;
  }

  private comparison(): FilterNode | undefined {
    const token = this.token();
    const field = token.kind === 'word' && !keywords.has(token.text.toLowerCase()) ? findField(token.text) : undefined;
    const node = field ? this.comparisonOf(field) : this.noField(token);
    if (!node) this.recover();
    return node;
  }

  /** Says why no comparison begins here. */
  private noField(token: LexicalToken): undefined {
    if (token.kind === 'end') return this.failHere('Expected a comparison such as dst_port = 443');
    if (token.kind !== 'word') return this.failHere(`Expected a field name, found ${quoted(this.source(token))}`);
    if (keywords.has(token.text.toLowerCase())) {
      return this.failHere(`Expected a field name, found the keyword ${quoted(token.text)}`);
    }
    const next = this.tokens[this.at + 1];
    const compared = next?.kind === 'operator' || (next?.kind === 'word' && /^(in|not)$/i.test(next.text));
    if (!compared) {
      const address = parseAddress(token.text) ?? parseNetwork(token.text);
      const whole = address
        ? `host = ${token.text}`
        : numberOf('protocol', token.text) !== undefined
          ? `protocol = ${token.text.toLowerCase()}`
          : undefined;
      if (whole !== undefined) return this.failHere(`${quoted(token.text)} is a value, not a field`, whole);
    }
    const near = nearest(token.text, fieldWords());
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    return this.failHere(`Unknown field ${quoted(token.text)}${hint}`, near);
  }

  private comparisonOf(field: Field): FilterNode | undefined {
    const name = this.token();
    this.role('field');
    this.at += 1;
    const token = this.token();
    if (this.isKeyword('in')) return this.in(field, false);
    if (this.isKeyword('not') && this.isKeyword('in', 1)) {
      this.role('keyword');
      this.at += 1;
      return this.in(field, true);
    }
    if (token.kind === 'operator') {
      const operator = Object.hasOwn(compareOperators, token.text) ? compareOperators[token.text] : undefined;
      if (operator !== undefined) return this.compare(field, operator);
      if (token.text === '~' || token.text === '!~' || token.text === '=~') return this.match(field, token.text);
    }
    if ((token.kind === 'word' && !keywords.has(token.text.toLowerCase())) || token.kind === 'string') {
      return this.failHere(`Expected an operator after ${name.text}`, `= ${this.source(token)}`);
    }
    return this.failHere(`Expected an operator after ${name.text}: = != < <= > >= ~ =~ in`);
  }

  private compare(field: Field, operator: CompareOperator): FilterNode | undefined {
    const sign = this.token();
    this.at += 1;
    if (operator === '=' || operator === '!=') {
      const items = this.isPunctuation('(') ? this.list(field) : this.single(field);
      return items && membership(field.id, operator === '!=', items);
    }
    if (field.kind === 'address' || field.kind === 'text') {
      const instead = field.kind === 'address' ? 'in 10.0.0.0/8 or in 10.0.0.1..10.0.0.9' : '=, in, ~ or =~';
      return this.fail(sign, `${field.id} has no order; use ${instead}`);
    }
    const value = this.value(field);
    if (!value) return undefined;
    if (this.isOperator('..')) return this.failHere(`A range needs "in", not ${sign.text}`);
    if (value.kind !== 'number') throw new Error(`a ${field.kind} field gave a ${value.kind}`);
    return { kind: 'compare', field: field.id, operator, value };
  }

  private in(field: Field, negated: boolean): FilterNode | undefined {
    this.role('keyword');
    this.at += 1;
    const items = this.isPunctuation('(') ? this.list(field) : this.single(field);
    return items && membership(field.id, negated, items);
  }

  private single(field: Field): FilterItem[] | undefined {
    const item = this.item(field);
    return item && [item];
  }

  private list(field: Field): FilterItem[] | undefined {
    const open = this.token();
    this.at += 1;
    const items: FilterItem[] = [];
    while (!this.isPunctuation(')') || items.length === 0) {
      if (items.length === filterLimits.listItemsMax) {
        this.failHere(`A list has at most ${filterLimits.listItemsMax} values`);
        return this.leaveList();
      }
      const item = this.item(field);
      if (!item) return this.leaveList();
      items.push(item);
      if (this.isPunctuation(',')) this.at += 1;
      else if (!this.isPunctuation(')')) {
        if (this.token().kind === 'end') this.fail(open, 'This ( is not closed');
        else this.failHere('Expected , or ) in the list');
        return this.leaveList();
      }
    }
    this.at += 1;
    return items;
  }

  /** After an error in a list: behind its closing bracket, so that this one is not taken for another's. */
  private leaveList(): undefined {
    this.recover();
    if (this.isPunctuation(')')) this.at += 1;
    return undefined;
  }

  private item(field: Field): FilterItem | undefined {
    const from = this.token();
    const first = this.value(field);
    if (!first || !this.isOperator('..')) return first;
    const dots = this.token();
    this.at += 1;
    const to = this.token();
    const last = this.value(field);
    if (!last) return undefined;
    const backwards = `${this.source(to)}..${this.source(from)}`;
    const whole = { offset: from.offset, length: to.offset + to.length - from.offset };
    if (first.kind === 'number' && last.kind === 'number') {
      if (first.value > last.value) return this.fail(whole, 'This range goes backwards', backwards);
      return { kind: 'numberRange', first: first.value, last: last.value };
    }
    if (first.kind === 'address' && last.kind === 'address') {
      if (compareAddresses(first.words, last.words) > 0)
        return this.fail(whole, 'This range goes backwards', backwards);
      return { kind: 'addressRange', first: first.words, last: last.words };
    }
    return this.fail(
      dots,
      field.kind === 'text' ? `${field.id} is text and has no ranges` : 'A range goes between two addresses',
    );
  }

  /** One value of the field's kind; moves on only when it is good. */
  private value(field: Field): FilterItem | undefined {
    const token = this.token();
    const isWord = token.kind === 'word' && !keywords.has(token.text.toLowerCase());
    if (!isWord && token.kind !== 'string') {
      const quoteIt = token.kind === 'word' && field.kind === 'text' ? quoteText(token.text) : undefined;
      return this.failHere(`Expected ${article(field.kind)}`, quoteIt);
    }
    const item = this.valueOf(field, token);
    if (item) this.at += 1;
    return item;
  }

  private valueOf(field: Field, token: LexicalToken): FilterItem | undefined {
    if (field.kind === 'text') {
      this.role(token.kind === 'string' ? 'text' : 'name');
      if (token.kind === 'word' && /[*?]/.test(token.text)) {
        return this.failHere(
          'Patterns with * or ? need the operator ~; quote the value to mean the character',
          quoteText(token.text),
        );
      }
      return { kind: 'text', text: token.text };
    }
    if (field.kind === 'address') return this.addressOf(field, token);
    if (field.names !== undefined && !looksNumeric(token.text)) {
      const value = numberOf(field.names, token.text);
      this.role('name');
      if (value !== undefined) return { kind: 'number', value };
      const near = nearest(token.text, namesOf(field.names));
      const what = nameWords[field.names];
      const hint = near === undefined ? '; use its number' : `; did you mean ${near}?`;
      return this.failHere(`Unknown ${what} ${quoted(token.text)}${hint}`, near);
    }
    this.role('number');
    const result = parseNumber(token.text, field.kind, field.maximum);
    if ('value' in result) return { kind: 'number', value: result.value };
    const expected = looksNumeric(token.text)
      ? result.message
      : `Expected ${article(field.kind)}, found ${quoted(token.text)}`;
    return this.failHere(`${field.id}: ${expected}`, result.suggestion);
  }

  private addressOf(field: Field, token: LexicalToken): FilterItem | undefined {
    this.role('address');
    const words = parseAddress(token.text);
    if (words) return { kind: 'address', words };
    const network = parseNetwork(token.text);
    if (network) return { kind: 'network', network };
    const short = shortNetwork(token.text);
    return this.failHere(`${field.id}: ${quoted(token.text)} is not an address or network`, short);
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

  private globOf(token: LexicalToken, operator: string): FilterPattern | undefined {
    if (operator === '=~') {
      const suggestion = token.kind === 'word' ? `/${token.text.replaceAll('/', '\\/')}/` : undefined;
      return this.failHere('Expected a regular expression between slashes', suggestion);
    }
    if (token.kind !== 'string' && (token.kind !== 'word' || keywords.has(token.text.toLowerCase()))) {
      return this.failHere('Expected a pattern such as "*.example.org"');
    }
    this.role('text');
    return { kind: 'glob', text: token.text };
  }

  private regexOf(token: LexicalToken): FilterPattern | undefined {
    this.role('regex');
    const flags = token.flags ?? '';
    if (flags !== '' && flags !== 'i') {
      const place = { offset: token.offset + token.length - flags.length, length: flags.length };
      return this.fail(place, `Unknown flags ${quoted(flags)}; only i (ignore case) is known`);
    }
    const result = parseRegex(token.text, flags === 'i');
    if ('error' in result) {
      const { offset, length, message } = result.error;
      const inside = { offset: token.offset + 1 + offset, length };
      return this.fail(token.kind === 'regex' ? inside : token, `Regular expression: ${message}`);
    }
    // A slash stands for itself in the tree, so that both ways of writing give the same.
    return {
      kind: 'regex',
      source: token.text.replace(/\\([^])/gu, (both, char) => (char === '/' ? '/' : both)),
      ignoreCase: flags === 'i',
    };
  }

  /** Moves to where a next term can begin: before `and`, `or`, the bracket that closes this level, or the end. */
  private recover(): void {
    let level = 0;
    for (; this.token().kind !== 'end'; this.at += 1) {
      if (
        level === 0 &&
        (this.isKeyword('and') || this.isKeyword('or') || this.isOperator('&&') || this.isOperator('||'))
      )
        return;
      if (this.isPunctuation('(')) level += 1;
      else if (this.isPunctuation(')')) {
        if (level === 0) return;
        level -= 1;
      }
    }
  }

  private beginsTerm(): boolean {
    const { kind } = this.token();
    if (kind === 'end') return false;
    return kind === 'word'
      ? !this.isKeyword('or') && !this.isKeyword('in')
      : this.isPunctuation('(') || this.isOperator('!');
  }

  private token(): LexicalToken {
    return this.tokens[Math.min(this.at, this.tokens.length - 1)]!;
  }

  private source(token: LexicalToken): string {
    return this.text.slice(token.offset, token.offset + token.length);
  }

  private role(role: TokenRole): void {
    this.roles[this.at] = role;
  }

  private isKeyword(keyword: string, ahead = 0): boolean {
    const token = this.tokens[this.at + ahead];
    return token?.kind === 'word' && token.text.toLowerCase() === keyword;
  }

  private isOperator(sign: string): boolean {
    return this.token().kind === 'operator' && this.token().text === sign;
  }

  private isPunctuation(sign: string): boolean {
    return this.token().kind === 'punctuation' && this.token().text === sign;
  }

  private failHere(message: string, suggestion?: string): undefined {
    return this.fail(this.token(), message, suggestion);
  }

  private fail(place: { offset: number; length: number }, message: string, suggestion?: string): undefined {
    if (this.gaveUp) return undefined;
    this.errors.push(filterError(this.text, place.offset, place.length, message, suggestion));
    if (this.errors.length === filterLimits.errorsMax) this.giveUp();
    return undefined;
  }
}

/** 10/8 or 192.168/16, as tcpdump takes them, written out. */
function shortNetwork(text: string): string | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,3}){0,2})\.?\/(\d{1,2})$/.exec(text);
  if (!match) return undefined;
  const octets = match[1]!.split('.');
  const full = `${[...octets, '0', '0', '0'].slice(0, 4).join('.')}/${match[2]!}`;
  return parseNetwork(full) ? full : undefined;
}

function defaultRole(token: LexicalToken): TokenRole {
  switch (token.kind) {
    case 'word':
      return keywords.has(token.text.toLowerCase()) ? 'keyword' : 'name';
    case 'string':
      return 'text';
    case 'end':
      return 'punctuation';
    default:
      return token.kind;
  }
}

/**
 * Reads a filter. An empty text is the filter that keeps everything.
 * Errors: one to ten, in the order of the text; tokens are given in both cases, for highlighting.
 */
export function parseFilter(text: string): ParseResult {
  if (text.length > filterLimits.lengthMax) {
    const message = `A filter has at most ${filterLimits.lengthMax} characters, this has ${text.length}`;
    const rest = text.length - filterLimits.lengthMax;
    return { ok: false, errors: [filterError(text, filterLimits.lengthMax, rest, message)], tokens: [] };
  }
  const { tokens, errors } = lexFilter(text);
  const parser = new Parser(text, tokens);
  const filter = errors.length > 0 ? undefined : parser.filter();
  if (filter) return { ok: true, filter, tokens: parser.highlight() };
  const found = errors.length > 0 ? errors : parser.errors;
  return { ok: false, errors: [...found].sort((a, b) => a.offset - b.offset), tokens: parser.highlight() };
}
