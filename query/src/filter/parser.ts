/**
 * Reads the filter language (grammar: docs/query-language.md) by recursive descent. Never throws on its text: what is
 * wrong becomes errors with their place; after one the parser goes on behind the next `and`, `or` or closing bracket, so
 * that an editor can mark several at once. Work is linear in the text, depth is bounded (filterLimits).
 */
import type { FilterNode } from './ast.js';
import { joined } from './ast.js';
import { ComparisonParser, isPartedUnit } from './comparison-parser.js';
import { filterError } from './errors.js';
import type { FilterError } from './errors.js';
import { lexFilter } from './lexer.js';
import { filterLimits } from './limits.js';
import type { FilterToken } from './token-cursor.js';

export type ParseResult =
  | { readonly ok: true; readonly filter: FilterNode; readonly tokens: readonly FilterToken[] }
  | { readonly ok: false; readonly errors: readonly FilterError[]; readonly tokens: readonly FilterToken[] };

class Parser extends ComparisonParser {
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
      } else if (kind === 'and' && (this.partedUnit() || this.barelyListed())) {
        terms.push(undefined);
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

  /** `bytes > 1 MB`: says so, and goes behind it. */
  private partedUnit(): boolean {
    const unit = this.token();
    const number = this.tokens[this.at - 1];
    if (!number || !isPartedUnit(number, unit)) return false;
    const place = { offset: number.offset, length: unit.offset + unit.length - number.offset };
    this.fail(place, 'A number and its unit are written without a space', number.text + unit.text);
    this.recover();
    return true;
  }

  /** `port = 80, 443`: says so, and goes behind it. */
  private barelyListed(): boolean {
    if (!this.isPunctuation(',') || this.at === 0) return false;
    this.failHere('Several values stand in brackets, as in dst_port in (80, 443)');
    this.recover();
    return true;
  }
}

/** The tokens of a text that is too long: those of its good part, and the rest as one. */
function tokensOfLong(text: string): FilterToken[] {
  const { lengthMax } = filterLimits;
  const { tokens } = lexFilter(text.slice(0, lengthMax));
  const rest: FilterToken = { role: 'invalid', offset: lengthMax, length: text.length - lengthMax };
  return [...new Parser(text, tokens).highlight(), rest];
}

/**
 * Reads a filter. An empty text is the filter that keeps everything.
 * Errors: one to ten, in the order of the text; tokens are given in both cases, for highlighting: every character that
 * is no space belongs to one.
 */
export function parseFilter(text: string): ParseResult {
  if (text.length > filterLimits.lengthMax) {
    const message = `A filter has at most ${filterLimits.lengthMax} characters, this has ${text.length}`;
    const rest = text.length - filterLimits.lengthMax;
    const error = filterError(text, filterLimits.lengthMax, rest, message);
    return { ok: false, errors: [error], tokens: tokensOfLong(text) };
  }
  const { tokens, errors } = lexFilter(text);
  const parser = new Parser(text, tokens);
  // Read also when tokens are wrong: their roles colour the rest of the text.
  const filter = parser.filter();
  if (filter && errors.length === 0) return { ok: true, filter, tokens: parser.highlight() };
  const found = errors.length > 0 ? errors : parser.errors;
  return { ok: false, errors: [...found].sort((a, b) => a.offset - b.offset), tokens: parser.highlight() };
}
