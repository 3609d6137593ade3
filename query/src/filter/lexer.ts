/**
 * Cuts a filter into tokens. Never throws: what cannot be a token becomes an `invalid` one and an error with its place.
 * A word is everything between spaces, brackets, commas, quotes and operators, so that 10.0.0.0/8, 2001:db8::1, dns.name
 * and *.example.org are words; `..` always stands alone. A slash begins a regular expression only after ~, !~ and =~.
 */
import { filterError, hex, hides, quoted } from './errors.js';
import type { FilterError } from './errors.js';
import { filterLimits } from './limits.js';

export type LexicalKind = 'word' | 'string' | 'regex' | 'operator' | 'punctuation' | 'invalid' | 'end';

export interface LexicalToken {
  readonly kind: LexicalKind;
  readonly offset: number;
  readonly length: number;
  /** the word, operator or sign as written; of a string the text it stands for; of a regex its source without slashes */
  readonly text: string;
  /** letters after a regular expression */
  readonly flags?: string;
}

export interface LexResult {
  /** ends with one `end` token */
  readonly tokens: readonly LexicalToken[];
  readonly errors: readonly FilterError[];
}

/** Longest first, so that the first that fits is the one. */
const operators = ['==', '=~', '!=', '!~', '<=', '>=', '<>', '&&', '||', '..', '=', '<', '>', '~', '!'] as const;
const wordPattern = /(?:(?!\.\.)[A-Za-z0-9_.:/%*?+\-µ])+/y;
const spacePattern = /[ \t\r\n]+/y;
const patternOperators: ReadonlySet<string> = new Set(['~', '!~', '=~']);

/** What people paste instead of the plain sign. */
const lookalikes: Readonly<Record<string, string>> = {
  '\u201c': '"',
  '\u201d': '"',
  '\u201e': '"',
  '\u00ab': '"',
  '\u00bb': '"',
  '\u2018': "'",
  '\u2019': "'",
  '\uff02': '"',
  '\uff1d': '=',
  '\u2260': '!=',
  '\u2264': '<=',
  '\u2265': '>=',
  '\uff1c': '<',
  '\uff1e': '>',
  '\uff08': '(',
  '\uff09': ')',
  '\uff0c': ',',
  '\u2026': '..',
  '\u2013': '-',
  '\u2014': '-',
  '\u2212': '-',
  '\u00a0': ' ',
  '\u3000': ' ',
  '\u03bc': '\u00b5',
  '&': '&&',
  '|': '||',
  '[': '(',
  ']': ')',
  '{': '(',
  '}': ')',
};

const simpleEscapes: Readonly<Record<string, string>> = {
  '\\': '\\',
  '"': '"',
  "'": "'",
  n: '\n',
  r: '\r',
  t: '\t',
};

class Lexer {
  readonly tokens: LexicalToken[] = [];
  readonly errors: FilterError[] = [];
  private at = 0;

  constructor(private readonly text: string) {}

  run(): void {
    const { text } = this;
    while (this.at < text.length && this.errors.length < filterLimits.errorsMax) {
      if (this.sticky(spacePattern) !== '') continue;
      const char = text[this.at]!;
      if (char === '"' || char === "'") this.string(char);
      else if (char === '/' && patternOperators.has(this.tokens.at(-1)?.text ?? '')) this.regex();
      else if (char === '(' || char === ')' || char === ',') this.push('punctuation', this.at + 1, char);
      else this.operatorOrWord();
    }
    // Too many errors: the rest is one token, so that no character is left without.
    if (this.at < text.length) this.push('invalid', text.length, '');
    this.tokens.push({ kind: 'end', offset: text.length, length: 0, text: '' });
  }

  private operatorOrWord(): void {
    const operator = operators.find((sign) => this.text.startsWith(sign, this.at));
    if (operator !== undefined) return this.push('operator', this.at + operator.length, operator);
    wordPattern.lastIndex = this.at;
    const word = wordPattern.exec(this.text)?.[0];
    if (word !== undefined) return this.push('word', this.at + word.length, word);
    const char = String.fromCodePoint(this.text.codePointAt(this.at)!);
    const plain = Object.hasOwn(lookalikes, char) ? lookalikes[char] : undefined;
    if (plain === '"' && this.curlyString(char)) return;
    const hint = plain === undefined ? '' : plain === ' ' ? '; use a plain space' : `; did you mean ${plain} ?`;
    this.fail(this.at, char.length, `Unexpected character ${quoted(char)}${hint}`, plain);
    this.push('invalid', this.at + char.length, char);
  }

  /** A text in typographic quotes, up to the one that closes it on the same line; false when there is none. */
  private curlyString(quote: string): boolean {
    const inside = /^[^\u201c\u201d\u201e\u00ab\u00bb\uff02"\r\n]{0,1000}/.exec(
      this.text.slice(this.at + 1, this.at + 1001),
    )![0];
    const closing = this.text[this.at + 1 + inside.length];
    if (closing === undefined || lookalikes[closing] !== '"') return false;
    const length = inside.length + 2;
    this.fail(
      this.at,
      length,
      `Texts stand in plain quotes, not in ${quoted(quote)}`,
      storable(inside) ? quoteText(inside) : undefined,
    );
    this.push('invalid', this.at + length, inside);
    return true;
  }

  private string(quote: string): void {
    const { text } = this;
    const start = this.at;
    let value = '';
    let at = start + 1;
    while (at < text.length && text[at] !== quote) {
      if (text[at] !== '\\') {
        value += text[at];
        at += 1;
        continue;
      }
      const escape = readEscape(text, at);
      if (escape.value === undefined)
        this.fail(at, escape.end - at, escapeMessage(text.slice(at, escape.end)), escape.suggestion);
      value += escape.value ?? '';
      at = escape.end;
    }
    if (at >= text.length) {
      this.fail(start, text.length - start, `The text that begins here has no closing ${quote}`);
      return this.push('invalid', text.length, value);
    }
    if (!storable(value)) {
      this.fail(start, at + 1 - start, 'Text must be well-formed Unicode without the character U+0000');
      return this.push('invalid', at + 1, value);
    }
    this.push('string', at + 1, value);
  }

  /** From the slash to the next one that has no backslash before it, and the flags behind. */
  private regex(): void {
    const { text } = this;
    const start = this.at;
    let at = start + 1;
    while (at < text.length && text[at] !== '/') at += text[at] === '\\' ? 2 : 1;
    if (at >= text.length) {
      this.fail(start, text.length - start, 'The regular expression that begins here has no closing /');
      return this.push('invalid', text.length, '');
    }
    const source = text.slice(start + 1, at);
    const flags = /^[A-Za-z]*/.exec(text.slice(at + 1))![0];
    const end = at + 1 + flags.length;
    if (!storable(source)) {
      this.fail(start, end - start, 'A regular expression must be well-formed Unicode without the character U+0000');
      return this.push('invalid', end, source);
    }
    this.tokens.push({ kind: 'regex', offset: start, length: end - start, text: source, flags });
    this.at = end;
  }

  private sticky(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  private push(kind: LexicalKind, end: number, text: string): void {
    this.tokens.push({ kind, offset: this.at, length: end - this.at, text });
    this.at = end;
  }

  private fail(offset: number, length: number, message: string, suggestion?: string): void {
    if (this.errors.length >= filterLimits.errorsMax) return;
    this.errors.push(filterError(this.text, offset, length, message, suggestion));
  }
}

const escapeMessage = (escape: string): string =>
  `Unknown escape ${quoted(escape)}; known are \\\\ \\" \\' \\n \\r \\t and \\u{hex}`;

/** Reads the escape at `at` (a backslash); `value` is undefined when it is none. */
function readEscape(text: string, at: number): { value?: string; end: number; suggestion?: string } {
  const letter = text[at + 1];
  if (letter === undefined) return { end: at + 1 };
  if (Object.hasOwn(simpleEscapes, letter)) return { value: simpleEscapes[letter]!, end: at + 2 };
  const hex = /^\\u\{([0-9a-fA-F]{1,6})\}/.exec(text.slice(at, at + 12));
  if (hex) {
    const code = parseInt(hex[1]!, 16);
    const end = at + hex[0].length;
    return code <= 0x10ffff ? { value: String.fromCodePoint(code), end } : { end };
  }
  const width = (text.codePointAt(at + 1) ?? 0) > 0xffff ? 3 : 2;
  return { end: at + width, suggestion: `\\\\${text.slice(at + 1, at + width)}` };
}

/** No lone surrogates (they have no UTF-8) and no NUL (it would end the text in places). */
function storable(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.codePointAt(i)!;
    if (code === 0 || (code >= 0xd800 && code <= 0xdfff)) return false;
    if (code > 0xffff) i += 1;
  }
  return true;
}

/** Tokens of a filter text; at most filterLimits.errorsMax errors, after which the rest is left out. */
export function lexFilter(text: string): LexResult {
  const lexer = new Lexer(text);
  lexer.run();
  return { tokens: lexer.tokens, errors: lexer.errors };
}

/** How templates begin (`$name`, `${name}`, `[[name]]`): filters are kept in dashboards, where such a text would be one. */
const templateBegin = /\$(?=[\w{])|\[(?=\[)/g;

/** A text as the language writes it: in double quotes, with what does not print, or begins a template, as \u{hex}. */
export function quoteText(text: string): string {
  const body = Array.from(text, (char) => {
    if (char === '"' || char === '\\') return `\\${char}`;
    return hides(char) ? `\\u{${hex(char)}}` : char;
  }).join('');
  return `"${body.replace(templateBegin, (char) => `\\u{${hex(char)}}`)}"`;
}
