/**
 * What can stand where the cursor is: a walk over the tokens before it, which takes wrong and unfinished texts too. It
 * follows the grammar loosely (values are not checked), since the parser has nothing to say about a text that is being
 * typed.
 */
import type { FieldId, FilterField } from '../fields.js';
import { fieldOf, findField } from '../fields.js';
import { lexFilter } from '../lexer.js';
import type { LexicalToken } from '../lexer.js';
import { filterLimits } from '../limits.js';
import { keywords } from '../token-cursor.js';
import { bareValueFields, compareOperator, isSide, phraseField, protocolWords, qualifiers } from '../words.js';

export type ExpectedKind =
  /** a field, `not` or ( */
  | 'term'
  /** an operator of `field` */
  | 'operator'
  /** a value of `field`, or the list that begins here */
  | 'value'
  /** a value inside a list */
  | 'listValue'
  /** , or ) */
  | 'listNext'
  /** a pattern or regular expression */
  | 'pattern'
  /** and, or, ) */
  | 'next'
  /** inside a regular expression: nothing that could be offered */
  | 'nothing';

export interface CursorContext {
  readonly expected: ExpectedKind;
  /** the field of the comparison at the cursor */
  readonly field: FilterField | undefined;
  /** as written, small letters: =, in, ~ ... */
  readonly operator: string | undefined;
  /** the word directly before the cursor that is a side, as in `src` of `src port` */
  readonly side: string | undefined;
  /** a protocol word stands directly before the cursor: `port 80` may follow without `and` */
  readonly afterProtocol: boolean;
  /** open brackets */
  readonly depth: number;
  /** what was typed of the word at the cursor, without its opening quote */
  readonly prefix: string;
  /** the quote that is open at the cursor; empty: none */
  readonly quote: '' | '"' | "'";
  /** the word, or quoted text, that a completion replaces */
  readonly replaceFrom: number;
  readonly replaceTo: number;
}

interface Walk {
  expected: ExpectedKind;
  field: FilterField | undefined;
  operator: string | undefined;
  depth: number;
  afterProtocol: boolean;
}

const patterns: ReadonlySet<string> = new Set(['~', '!~', '=~']);
const wordRest = /[A-Za-z0-9_.:/%*?+\-µ]*/y;

/** The context of an offset, 0 .. text.length. */
export function contextAt(text: string, offset: number): CursorContext {
  if (offset > filterLimits.lengthMax) return tooFar(offset);
  const left = text.slice(0, offset);
  const tokens = lexFilter(left).tokens.slice(0, -1); // without the end
  const last = tokens.at(-1);
  const touching = last !== undefined && last.offset + last.length === offset ? last : undefined;
  const typed = touching !== undefined && isUnfinished(touching, left) ? touching : undefined;
  const walked = walk(typed ? tokens.slice(0, -1) : tokens);
  const quote = typed?.kind === 'invalid' ? (left[typed.offset] as '"' | "'" | '/') : '';
  const previous = (typed ? tokens.at(-2) : last)?.text.toLowerCase() ?? '';
  return {
    ...walked,
    expected: quote === '/' ? 'nothing' : walked.expected,
    side: isSide(previous) && walked.expected === 'operator' ? previous : undefined,
    prefix:
      typed === undefined ? '' : quote === '' ? left.slice(typed.offset) : unescaped(left.slice(typed.offset + 1)),
    quote: quote === '/' ? '' : quote,
    replaceFrom: typed?.offset ?? offset,
    replaceTo: typed === undefined ? offset : endOf(text, offset, quote),
  };
}

/** Behind the longest filter nothing is read, and nothing can be offered. */
function tooFar(offset: number): CursorContext {
  const place = { prefix: '', quote: '' as const, replaceFrom: offset, replaceTo: offset };
  const nowhere = { field: undefined, operator: undefined, side: undefined, afterProtocol: false, depth: 0 };
  return { expected: 'nothing', ...nowhere, ...place };
}

/** What a text that is being typed stands for so far, near enough to find values by. */
const unescaped = (text: string): string => text.replace(/\\(.)/g, '$1');

/** A word that goes on, a text without its closing quote, or the first character of an operator such as !=. */
function isUnfinished(token: LexicalToken, text: string): boolean {
  if (token.kind === 'word') return true;
  if (token.kind === 'operator') return token.text === '!';
  return token.kind === 'invalid' && /["'/]/.test(text[token.offset]!);
}

function endOf(text: string, offset: number, quote: string): number {
  if (quote === '') {
    wordRest.lastIndex = offset;
    return offset + (wordRest.exec(text)?.[0].length ?? 0);
  }
  for (let at = offset; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) return at + 1;
  }
  return offset;
}

function walk(tokens: readonly LexicalToken[]): Walk {
  const state: Walk = { expected: 'term', field: undefined, operator: undefined, depth: 0, afterProtocol: false };
  for (let i = 0; i < tokens.length; i += 1) i += step(state, tokens, i);
  return state;
}

const isWord = (token: LexicalToken | undefined): token is LexicalToken =>
  token?.kind === 'word' && !keywords.has(token.text.toLowerCase());

/** Takes the token at `i`; says how many more it took. */
function step(state: Walk, tokens: readonly LexicalToken[], i: number): number {
  const token = tokens[i]!;
  const text = token.text.toLowerCase();
  if (token.kind === 'word' && (text === 'and' || text === 'or') && state.expected !== 'value')
    return enter(state, 'term');
  if (token.kind === 'operator' && (text === '&&' || text === '||')) return enter(state, 'term');
  switch (state.expected) {
    case 'term':
      return term(state, tokens, i);
    case 'operator':
      return operator(state, token, text);
    case 'value':
    case 'pattern':
      if (token.kind === 'punctuation' && text === '(') return enter(state, 'listValue');
      return enter(state, 'next') + secondWord(token, tokens[i + 1]);
    case 'listValue':
      return enter(state, text === ')' && token.kind === 'punctuation' ? 'next' : 'listNext');
    case 'listNext':
      return enter(state, text === ')' && token.kind === 'punctuation' ? 'next' : 'listValue');
    default:
      if (state.afterProtocol && token.kind === 'word' && qualifiers.has(text)) return term(state, tokens, i);
      state.afterProtocol = false;
      if (token.kind === 'operator' && text === '..') return enter(state, 'value');
      if (token.kind === 'punctuation' && text === ')') state.depth = Math.max(0, state.depth - 1);
      return 0;
  }
}

function enter(state: Walk, expected: ExpectedKind): 0 {
  state.expected = expected;
  if (expected === 'term') {
    state.field = undefined;
    state.operator = undefined;
  }
  state.afterProtocol = false;
  return 0;
}

/** `dst port` on the right side is one value. */
const secondWord = (token: LexicalToken, next: LexicalToken | undefined): 0 | 1 =>
  isWord(token) && isWord(next) && phraseField(token.text, next.text) !== undefined ? 1 : 0;

function term(state: Walk, tokens: readonly LexicalToken[], i: number): number {
  const token = tokens[i]!;
  const next = tokens[i + 1];
  if (token.kind === 'punctuation' && token.text === '(') state.depth += 1;
  if (!isWord(token)) return 0;
  const phrase = isWord(next) ? phraseField(token.text, next.text) : undefined;
  const field = phrase === undefined ? named(token.text) : fieldOf(phrase);
  if (protocolWords.has(token.text.toLowerCase()) && !goesOn(field, next)) {
    state.expected = 'next';
    state.field = field;
    state.afterProtocol = true;
    return 0;
  }
  state.expected = 'operator';
  state.field = field;
  state.afterProtocol = false;
  return phrase === undefined ? 0 : 1;
}

const named = (word: string): FilterField | undefined =>
  word.toLowerCase() === 'portrange' ? fieldOf('port') : findField(word);

/** `ip` and `vlan` are fields when a value or an operator follows, protocols else. */
function goesOn(field: FilterField | undefined, next: LexicalToken | undefined): boolean {
  if (field === undefined || next === undefined) return false;
  if (next.kind === 'operator') return next.text !== '&&' && next.text !== '||';
  return (
    next.kind === 'string' ||
    (next.kind === 'word' && !/^(and|or)$/i.test(next.text) && !qualifiers.has(next.text.toLowerCase()))
  );
}

function operator(state: Walk, token: LexicalToken, text: string): 0 {
  if (token.kind === 'word' && text === 'not') return 0;
  if (token.kind === 'word' && text === 'in') {
    state.operator = 'in';
    return enter(state, 'value');
  }
  if (token.kind === 'operator' && (compareOperator(text) !== undefined || patterns.has(text))) {
    state.operator = text;
    return enter(state, patterns.has(text) ? 'pattern' : 'value');
  }
  const isBare = state.field !== undefined && bareValueFields.has(state.field.id as FieldId);
  // A value without its operator, right or wrong: what comes next is the same.
  return isBare || token.kind === 'word' || token.kind === 'string' ? enter(state, 'next') : 0;
}
