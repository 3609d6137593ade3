/**
 * Where a parser stands in its tokens: looking, stepping, colouring, and what goes wrong on the way. The parser's parts
 * (values, comparisons, the filter as a whole) build on it, each in a file of its own.
 */
import { filterError } from './errors.js';
import type { FilterError } from './errors.js';
import type { LexicalToken } from './lexer.js';
import { filterLimits } from './limits.js';

/** What a token is, for highlighting. */
export type TokenRole =
  'field' | 'keyword' | 'operator' | 'punctuation' | 'number' | 'address' | 'name' | 'text' | 'regex' | 'invalid';

export interface FilterToken {
  readonly role: TokenRole;
  readonly offset: number;
  readonly length: number;
}

/** Words that are never a field or a value unless quoted. */
export const keywords: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in']);

export class TokenCursor {
  readonly errors: FilterError[] = [];
  protected at = 0;
  private readonly roles: (TokenRole | undefined)[] = [];
  private gaveUp = false;

  constructor(
    protected readonly text: string,
    protected readonly tokens: readonly LexicalToken[],
  ) {}

  /** Every token with its role; the parts that were not reached have the role of their kind. */
  highlight(): FilterToken[] {
    return this.tokens
      .map((token, i) => ({ role: this.roles[i] ?? defaultRole(token), offset: token.offset, length: token.length }))
      .filter((token) => token.length > 0);
  }

  /** Goes to the end; what is found missing there is no error of its own. */
  protected giveUp(): void {
    this.at = this.tokens.length - 1;
    this.gaveUp = true;
  }

  /** Moves to where a next term can begin: before `and`, `or`, the bracket that closes this level, or the end. */
  protected recover(): void {
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

  protected beginsTerm(): boolean {
    const { kind } = this.token();
    if (kind === 'end') return false;
    return kind === 'word'
      ? !this.isKeyword('or') && !this.isKeyword('in')
      : this.isPunctuation('(') || this.isOperator('!');
  }

  protected token(ahead = 0): LexicalToken {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)]!;
  }

  protected source(token: LexicalToken): string {
    return this.text.slice(token.offset, token.offset + token.length);
  }

  protected role(role: TokenRole, ahead = 0): void {
    this.roles[this.at + ahead] = role;
  }

  protected isKeyword(keyword: string, ahead = 0): boolean {
    const token = this.tokens[this.at + ahead];
    return token?.kind === 'word' && token.text.toLowerCase() === keyword;
  }

  protected isOperator(sign: string): boolean {
    return this.token().kind === 'operator' && this.token().text === sign;
  }

  protected isPunctuation(sign: string): boolean {
    return this.token().kind === 'punctuation' && this.token().text === sign;
  }

  protected failHere(message: string, suggestion?: string): undefined {
    return this.fail(this.token(), message, suggestion);
  }

  protected fail(place: { offset: number; length: number }, message: string, suggestion?: string): undefined {
    if (this.gaveUp) return undefined;
    this.errors.push(filterError(this.text, place.offset, place.length, message, suggestion));
    if (this.errors.length === filterLimits.errorsMax) this.giveUp();
    return undefined;
  }
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
