/** What is wrong with a filter, and where. */
export interface FilterError {
  /** where it begins, UTF-16 units from the start of the text */
  readonly offset: number;
  /** how far it goes; 0 at the end of the text */
  readonly length: number;
  /** 1 = first line */
  readonly line: number;
  /** 1 = first character of the line, UTF-16 units */
  readonly column: number;
  /** one line for people */
  readonly message: string;
  /** text that could stand in place of the marked part */
  readonly suggestion?: string;
}

/** Puts line and column to an offset. */
export function filterError(
  text: string,
  offset: number,
  length: number,
  message: string,
  suggestion?: string,
): FilterError {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  const error = { offset, length, line, column: offset - lineStart + 1, message };
  return suggestion === undefined ? error : { ...error, suggestion };
}

const quotedMax = 40;

/** Hexadecimal code point of a character. */
export const hex = (char: string): string => char.codePointAt(0)!.toString(16);

/** True for what cannot be seen, or changes how other characters are seen: controls, formats, spaces but the plain one. */
export function hides(char: string): boolean {
  return char !== ' ' && /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Z}]/u.test(char);
}

/** Input in a message: in quotes, shortened, control characters as U+XXXX. */
export function quoted(text: string): string {
  const short = text.length > quotedMax ? `${text.slice(0, quotedMax)}…` : text;
  const plain = Array.from(short, (char) => (hides(char) ? `<U+${hex(char).toUpperCase().padStart(4, '0')}>` : char));
  return `"${plain.join('')}"`;
}

/**
 * The candidate nearest to a word by edit distance (insert, delete, replace, swap neighbours: optimal string alignment),
 * or undefined when none is near: more than a third of the letters differ.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  if (wanted.length === 0 || wanted.length > 40) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
