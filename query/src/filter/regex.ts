/**
 * Regular expressions that mean the same to RE2 (which ClickHouse uses) and here, and that both match in linear time.
 *
 * The subset: characters, `.`, classes, \d \w \s \b and their opposites (ASCII), groups, alternation, * + ? {n,m} and
 * their lazy forms, ^ and $ (start and end of the text). Backreferences, look-around, inline flags, possessive
 * quantifiers and Unicode classes are refused with their place. Units are code points; `.` is any of them, newline too.
 *
 * Matching simulates the automaton on all states at once (Thompson 1968; Pike's formulation as in R. Cox, "Regular
 * Expression Matching: the Virtual Machine Approach", 2009): steps <= states * characters, no backtracking.
 */
import { filterLimits } from './limits.js';

/** Inclusive code point ranges, sorted, disjoint: first, last, first, last ... */
type CharSet = readonly number[];

type RegexNode =
  | { readonly kind: 'empty' | 'start' | 'end' | 'wordBoundary' | 'notWordBoundary' }
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'concat' | 'alternate'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'repeat'; readonly part: RegexNode; readonly min: number; readonly max: number };

export interface Regex {
  readonly root: RegexNode;
  readonly ignoreCase: boolean;
}

export interface RegexError {
  /** from the start of the source */
  readonly offset: number;
  readonly length: number;
  readonly message: string;
}

export type RegexResult = { readonly regex: Regex } | { readonly error: RegexError };

const codePointMax = 0x10ffff;
const anyChar: CharSet = [0, codePointMax];
const digit: CharSet = [48, 57];
const word: CharSet = [48, 57, 65, 90, 95, 95, 97, 122];
/** RE2's \s: tab, newline, form feed, carriage return, space (RE2 syntax page, "Perl character classes") */
const space: CharSet = [9, 10, 12, 13, 32, 32];
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };
const repeatMax = 1000;

function normalised(ranges: readonly number[]): number[] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i]!, ranges[i + 1]!]);
  pairs.sort((a, b) => a[0] - b[0]);
  const merged: number[] = [];
  for (const [first, last] of pairs) {
    if (merged.length > 0 && first <= merged.at(-1)! + 1) merged[merged.length - 1] = Math.max(merged.at(-1)!, last);
    else merged.push(first, last);
  }
  return merged;
}

function complement(set: CharSet): number[] {
  const out: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i]! > next) out.push(next, set[i]! - 1);
    next = set[i + 1]! + 1;
  }
  if (next <= codePointMax) out.push(next, codePointMax);
  return out;
}

/** Adds the other case of ASCII letters; like all case in the language, other letters have none. */
function folded(set: CharSet): number[] {
  const out = [...set];
  for (let i = 0; i < set.length; i += 2) {
    const clip = (low: number, high: number, shift: number): void => {
      const first = Math.max(set[i]!, low);
      const last = Math.min(set[i + 1]!, high);
      if (first <= last) out.push(first + shift, last + shift);
    };
    clip(65, 90, 32);
    clip(97, 122, -32);
  }
  return normalised(out);
}

class Stop {
  constructor(
    readonly offset: number,
    readonly length: number,
    readonly message: string,
  ) {}
}

/** Recursive descent; a Stop ends it early and stays inside parseRegex. */
class RegexParser {
  private at = 0;
  private readonly chars: readonly string[];
  /** offset in UTF-16 units of chars[i] */
  private readonly offsets: number[] = [];

  constructor(
    source: string,
    private readonly ignoreCase: boolean,
  ) {
    this.chars = Array.from(source);
    let offset = 0;
    for (const char of this.chars) {
      this.offsets.push(offset);
      offset += char.length;
    }
    this.offsets.push(offset);
  }

  parse(): RegexNode {
    const root = this.alternate(0);
    if (this.at < this.chars.length) throw this.stop(this.at, 'This ) closes nothing; write \\) for the character');
    return root;
  }

  private stop(from: number, message: string, to = this.at + 1): Stop {
    const end = this.offsets[Math.min(Math.max(to, from + 1), this.chars.length)]!;
    const offset = this.offsets[Math.min(from, this.chars.length)]!;
    return new Stop(offset, end - offset, message);
  }

  private peek(text: string): boolean {
    for (let i = 0; i < text.length; i += 1) if (this.chars[this.at + i] !== text[i]) return false;
    return true;
  }

  private alternate(depth: number): RegexNode {
    const parts = [this.concat(depth)];
    while (this.peek('|')) {
      this.at += 1;
      parts.push(this.concat(depth));
    }
    return parts.length === 1 ? parts[0]! : { kind: 'alternate', parts };
  }

  private concat(depth: number): RegexNode {
    const parts: RegexNode[] = [];
    while (this.at < this.chars.length && !this.peek('|') && !this.peek(')')) parts.push(this.repeat(depth));
    if (parts.length === 0) return { kind: 'empty' };
    return parts.length === 1 ? parts[0]! : { kind: 'concat', parts };
  }

  private repeat(depth: number): RegexNode {
    const part = this.atom(depth);
    const from = this.at;
    const range = this.quantifier();
    if (!range) return part;
    if (this.peek('?'))
      this.at += 1; // lazy or greedy, the answer is the same
    else if (this.peek('+')) throw this.stop(from, 'Possessive quantifiers are not supported');
    if (/^[*+?{]$/.test(this.chars[this.at] ?? '')) throw this.stop(from, 'One quantifier after another');
    return { kind: 'repeat', part, ...range };
  }

  private quantifier(): { min: number; max: number } | undefined {
    const char = this.chars[this.at];
    if (char === '*' || char === '+' || char === '?') {
      this.at += 1;
      return { min: char === '+' ? 1 : 0, max: char === '?' ? 1 : Infinity };
    }
    if (char !== '{') return undefined;
    const match = /^\{(\d{1,4})(?:(,)(\d{0,4}))?\}/.exec(this.chars.slice(this.at, this.at + 12).join(''));
    if (!match) throw this.stop(this.at, 'Expected {n}, {n,} or {n,m}; write \\{ for the character');
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? Infinity : Number(match[3]);
    const from = this.at;
    this.at += match[0].length;
    if (max < min) throw this.stop(from, 'The second number must not be smaller than the first', this.at);
    if (Math.max(min, max === Infinity ? 0 : max) > repeatMax) {
      throw this.stop(from, `At most ${repeatMax} repetitions are possible`, this.at);
    }
    return { min, max };
  }

  private atom(depth: number): RegexNode {
    const from = this.at;
    const char = this.chars[from]!;
    this.at += 1;
    if (char === '.') return { kind: 'set', set: anyChar };
    if (char === '^') return { kind: 'start' };
    if (char === '$') return { kind: 'end' };
    if (char === '(') return this.group(from, depth);
    if (char === '[') return this.set(this.charClass(from));
    if (char === '\\') return this.escape(from);
    if (char === '*' || char === '+' || char === '?') {
      throw this.stop(from, `Nothing to repeat before ${char}; write \\${char} for the character`, from + 1);
    }
    if (char === '{') throw this.stop(from, 'Nothing to repeat before {; write \\{ for the character', from + 1);
    return this.set([char.codePointAt(0)!, char.codePointAt(0)!]);
  }

  private set(set: CharSet): RegexNode {
    return { kind: 'set', set: this.ignoreCase ? folded(set) : set };
  }

  private group(from: number, depth: number): RegexNode {
    if (depth + 1 > filterLimits.regexDepthMax) {
      throw this.stop(from, `Groups nest deeper than ${filterLimits.regexDepthMax}`, from + 1);
    }
    if (this.peek('?:')) this.at += 2;
    else if (this.peek('?=') || this.peek('?!')) throw this.stop(from, 'Look-ahead is not supported', from + 3);
    else if (this.peek('?<=') || this.peek('?<!')) throw this.stop(from, 'Look-behind is not supported', from + 4);
    else if (this.peek('?<') || this.peek('?P'))
      throw this.stop(from, 'Named groups are not supported; use ( )', from + 3);
    else if (this.peek('?')) {
      throw this.stop(from, 'Inline flags are not supported; write i after the closing / to ignore case', from + 3);
    }
    const inner = this.alternate(depth + 1);
    if (!this.peek(')')) throw this.stop(from, 'This ( is not closed', from + 1);
    this.at += 1;
    return inner;
  }

  private escape(from: number): RegexNode {
    if (this.peek('b') || this.peek('B')) {
      const kind = this.peek('b') ? 'wordBoundary' : 'notWordBoundary';
      this.at += 1;
      return { kind };
    }
    return this.set(this.escapedSet(from));
  }

  /** What follows a backslash, outside and inside of classes. */
  private escapedSet(from: number): CharSet {
    const char = this.chars[this.at];
    if (char === undefined) throw this.stop(from, 'Nothing follows the backslash', from + 1);
    this.at += 1;
    if (/[dDwWsS]/.test(char)) {
      const set = char.toLowerCase() === 'd' ? digit : char.toLowerCase() === 'w' ? word : space;
      return char >= 'a' ? set : complement(set);
    }
    if (/[1-9]/.test(char)) throw this.stop(from, 'Backreferences are not supported', this.at);
    if (char === 'k') throw this.stop(from, 'Backreferences are not supported', this.at);
    if (char === 'p' || char === 'P') throw this.stop(from, 'Unicode classes are not supported', this.at);
    if (char === 'x') return this.hex(from);
    const control = Object.hasOwn(controls, char) ? controls[char] : undefined;
    if (control !== undefined) return [control, control];
    if (/[A-Za-z0-9]/.test(char) || char > '~') {
      throw this.stop(from, `Unknown escape \\${char}`, this.at);
    }
    return [char.codePointAt(0)!, char.codePointAt(0)!];
  }

  private hex(from: number): CharSet {
    const match = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})/.exec(this.chars.slice(this.at, this.at + 8).join(''));
    if (!match) throw this.stop(from, 'Expected \\xHH or \\x{H...}', this.at);
    this.at += match[0].length;
    const code = parseInt(match[1] ?? match[2]!, 16);
    if (code === 0 || code > codePointMax || (code >= 0xd800 && code <= 0xdfff)) {
      throw this.stop(from, 'This is not a character', this.at);
    }
    return [code, code];
  }

  private charClass(from: number): CharSet {
    const negated = this.peek('^');
    if (negated) this.at += 1;
    const ranges: number[] = [];
    for (let first = true; first || !this.peek(']'); first = false) {
      if (this.at >= this.chars.length) throw this.stop(from, 'This [ is not closed', from + 1);
      if (this.peek('[:')) throw this.stop(this.at, 'Classes such as [:alpha:] are not supported', this.at + 2);
      const itemFrom = this.at;
      const low = this.classItem();
      if (!this.peek('-') || this.chars[this.at + 1] === ']' || this.chars[this.at + 1] === undefined) {
        ranges.push(...low);
        continue;
      }
      this.at += 1;
      const high = this.classItem();
      if (low.length !== 2 || low[0] !== low[1] || high.length !== 2 || high[0] !== high[1]) {
        throw this.stop(itemFrom, 'A range goes from one character to another', this.at);
      }
      if (low[0]! > high[0]!) throw this.stop(itemFrom, 'This range goes backwards', this.at);
      ranges.push(low[0]!, high[0]!);
    }
    this.at += 1;
    // Case first, then the opposite: [^a] with i excludes A too.
    const set = this.ignoreCase ? folded(normalised(ranges)) : normalised(ranges);
    const result = negated ? complement(set) : set;
    if (result.length === 0) throw this.stop(from, 'This class matches no character', this.at);
    return result;
  }

  private classItem(): CharSet {
    const from = this.at;
    const char = this.chars[from]!;
    this.at += 1;
    if (char === '\\') return this.escapedSet(from);
    return [char.codePointAt(0)!, char.codePointAt(0)!];
  }
}

/** Automaton states a node takes, repetitions written out; an upper bound. */
function stateCount(node: RegexNode): number {
  if (node.kind === 'concat' || node.kind === 'alternate') {
    return node.parts.reduce((sum, part) => sum + stateCount(part) + 1, 0);
  }
  if (node.kind !== 'repeat') return 1;
  const copies = node.max === Infinity ? node.min + 1 : node.max;
  return 1 + copies * (stateCount(node.part) + 1);
}

/** Reads a regular expression; never throws on its text. */
export function parseRegex(source: string, ignoreCase: boolean): RegexResult {
  if (source.length > filterLimits.regexLengthMax) {
    const message = `A regular expression has at most ${filterLimits.regexLengthMax} characters`;
    return { error: { offset: 0, length: source.length, message } };
  }
  try {
    const root = new RegexParser(source, ignoreCase).parse();
    if (stateCount(root) > filterLimits.regexStatesMax) {
      const message = 'This regular expression is too big once its repetitions are written out';
      return { error: { offset: 0, length: source.length, message } };
    }
    return { regex: { root, ignoreCase } };
  } catch (error) {
    if (error instanceof Stop) return { error };
    throw error;
  }
}

function charSource(code: number): string {
  const char = String.fromCodePoint(code);
  return /[\\.^$|()[\]{}*+?]/.test(char) ? `\\${char}` : char;
}

function classChar(code: number): string {
  const char = String.fromCodePoint(code);
  return /[\\\]^[-]/.test(char) ? `\\${char}` : char;
}

/** Ranges as the inside of a class; ends in the surrogate gap (made by complements) move out of it. */
function classSource(set: CharSet): string {
  let out = '';
  for (let i = 0; i < set.length; i += 2) {
    const first = set[i]! >= 0xd800 && set[i]! <= 0xdfff ? 0xe000 : set[i]!;
    const last = set[i + 1]! >= 0xd800 && set[i + 1]! <= 0xdfff ? 0xd7ff : set[i + 1]!;
    if (first > last) continue;
    out += first === last ? classChar(first) : `${classChar(first)}-${classChar(last)}`;
  }
  return out;
}

function setSource(set: CharSet): string {
  if (set.length === 2 && set[0] === set[1]) return charSource(set[0]!);
  if (set.length === 2 && set[0] === 0 && set[1] === codePointMax) return '(?s:.)';
  // A set that holds U+0000 is told by its opposite: a NUL must not stand in a query parameter.
  return set[0] === 0 ? `[^${classSource(complement(set))}]` : `[${classSource(set)}]`;
}

/** RE2 source with the same meaning, without flags. */
export function regexToRe2(regex: Regex): string {
  const write = (node: RegexNode): string => {
    switch (node.kind) {
      case 'empty':
        return '(?:)';
      case 'start':
        return '^';
      case 'end':
        return '$';
      case 'wordBoundary':
        return '\\b';
      case 'notWordBoundary':
        return '\\B';
      case 'set':
        return setSource(node.set);
      case 'concat':
        return node.parts.map(write).join('');
      case 'alternate':
        return `(?:${node.parts.map(write).join('|')})`;
      case 'repeat': {
        const { min, max } = node;
        const range = max === Infinity ? (min === 0 ? '*' : min === 1 ? '+' : `{${min},}`) : `{${min},${max}}`;
        return `(?:${write(node.part)})${range}`;
      }
    }
  };
  return write(regex.root);
}

const opChar = 0;
const opSplit = 1;
const opJump = 2;
const opStart = 3;
const opEnd = 4;
const opBoundary = 5;
const opNotBoundary = 6;
const opMatch = 7;

interface Program {
  readonly op: number[];
  /** target of a jump or split, index into sets of a char */
  readonly x: number[];
  readonly y: number[];
  readonly sets: CharSet[];
}

function emit(program: Program, node: RegexNode): void {
  const add = (op: number, x = 0, y = 0): number => {
    program.x.push(x);
    program.y.push(y);
    return program.op.push(op) - 1;
  };
  switch (node.kind) {
    case 'empty':
      return;
    case 'start':
      add(opStart);
      return;
    case 'end':
      add(opEnd);
      return;
    case 'wordBoundary':
      add(opBoundary);
      return;
    case 'notWordBoundary':
      add(opNotBoundary);
      return;
    case 'set':
      add(opChar, program.sets.push(node.set) - 1);
      return;
    case 'concat':
      node.parts.forEach((part) => emit(program, part));
      return;
    case 'alternate':
      emitAlternate(program, node.parts, add);
      return;
    case 'repeat':
      emitRepeat(program, node, add);
  }
}

type Add = (op: number, x?: number, y?: number) => number;

function emitAlternate(program: Program, parts: readonly RegexNode[], add: Add): void {
  const jumps: number[] = [];
  parts.forEach((part, i) => {
    if (i === parts.length - 1) return emit(program, part);
    const split = add(opSplit);
    program.x[split] = split + 1;
    emit(program, part);
    jumps.push(add(opJump));
    program.y[split] = program.op.length;
  });
  for (const jump of jumps) program.x[jump] = program.op.length;
}

function emitRepeat(program: Program, node: RegexNode & { kind: 'repeat' }, add: Add): void {
  for (let i = 0; i < node.min; i += 1) emit(program, node.part);
  if (node.max === Infinity) {
    const split = add(opSplit);
    program.x[split] = split + 1;
    emit(program, node.part);
    add(opJump, split);
    program.y[split] = program.op.length;
    return;
  }
  const splits: number[] = [];
  for (let i = node.min; i < node.max; i += 1) {
    const split = add(opSplit);
    program.x[split] = split + 1;
    splits.push(split);
    emit(program, node.part);
  }
  for (const split of splits) program.y[split] = program.op.length;
}

function inSet(set: CharSet, code: number): boolean {
  for (let i = 0; i < set.length; i += 2) if (code <= set[i + 1]!) return code >= set[i]!;
  return false;
}

const isWordCode = (code: number): boolean => code >= 0 && inSet(word, code);

/** A tester of texts: does the expression match anywhere in it? Keeps its own scratch arrays; allocates nothing a call. */
export function compileRegex(regex: Regex): (text: string) => boolean {
  const program: Program = { op: [], x: [], y: [], sets: [] };
  emit(program, regex.root);
  program.op.push(opMatch);
  program.x.push(0);
  program.y.push(0);
  const { op, x, y, sets } = program;
  const size = op.length;
  let current = new Int32Array(size);
  let next = new Int32Array(size);
  const mark = new Int32Array(size).fill(-1);
  const stack = new Int32Array(2 * size + 2);
  let generation = 0;

  /** Puts the state and all it reaches without a character into `list`; -1 when the match state is among them. */
  const follow = (list: Int32Array, length: number, state: number, before: number, after: number): number => {
    let top = 0;
    let count = length;
    stack[top++] = state;
    while (top > 0) {
      const at = stack[--top]!;
      if (mark[at] === generation) continue;
      mark[at] = generation;
      const code = op[at]!;
      if (code === opMatch) return -1;
      if (code === opChar) list[count++] = at;
      else if (code === opSplit) {
        stack[top++] = y[at]!;
        stack[top++] = x[at]!;
      } else if (code === opJump) stack[top++] = x[at]!;
      else if (code === opStart ? before < 0 : code === opEnd ? after < 0 : false) stack[top++] = at + 1;
      else if (code === opBoundary || code === opNotBoundary) {
        if ((isWordCode(before) !== isWordCode(after)) === (code === opBoundary)) stack[top++] = at + 1;
      }
    }
    return count;
  };

  return (text) => {
    generation = 0;
    mark.fill(-1);
    let before = -1;
    let after = text.length > 0 ? text.codePointAt(0)! : -1;
    let count = follow(current, 0, 0, before, after);
    if (count < 0) return true;
    let at = 0;
    while (at < text.length) {
      const code = after;
      at += code > 0xffff ? 2 : 1;
      before = code;
      after = at < text.length ? text.codePointAt(at)! : -1;
      generation += 1;
      let nextCount = 0;
      for (let i = 0; i < count; i += 1) {
        const state = current[i]!;
        if (!inSet(sets[x[state]!]!, code)) continue;
        nextCount = follow(next, nextCount, state + 1, before, after);
        if (nextCount < 0) return true;
      }
      nextCount = follow(next, nextCount, 0, before, after); // the match may begin here
      if (nextCount < 0) return true;
      const swap = current;
      current = next;
      next = swap;
      count = nextCount;
    }
    return false;
  };
}
