/**
 * Globs: `*` any characters, none too, `?` exactly one, a backslash takes the next character literally. The whole text
 * must fit; ASCII letters fit in either case. Characters are code points.
 */

/** ASCII letters small, everything else as it is: what `lower` does in SQL. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

const anyRun = -1;
const anyOne = -2;

/** Code points of the pattern, small letters, with the two wildcards as negative numbers. */
function globCodes(glob: string): number[] {
  const codes: number[] = [];
  const chars = Array.from(lowerAscii(glob));
  for (let i = 0; i < chars.length; i += 1) {
    const char = chars[i]!;
    if (char === '\\' && i + 1 < chars.length) codes.push(chars[(i += 1)]!.codePointAt(0)!);
    else if (char === '*') {
      if (codes.at(-1) !== anyRun) codes.push(anyRun);
    } else codes.push(char === '?' ? anyOne : char.codePointAt(0)!);
  }
  return codes;
}

/** The pattern for SQL's LIKE, to be compared with the text in small letters. */
export function globToLike(glob: string): string {
  return globCodes(glob)
    .map((code) => {
      if (code === anyRun) return '%';
      if (code === anyOne) return '_';
      const char = String.fromCodePoint(code);
      return char === '%' || char === '_' || char === '\\' ? `\\${char}` : char;
    })
    .join('');
}

/**
 * A tester of texts. On a mismatch only the last star is tried further (the classic two-pointer match), so the work is
 * bounded by pattern times text.
 */
export function compileGlob(glob: string): (text: string) => boolean {
  const codes = globCodes(glob);
  return (text) => {
    let at = 0;
    let code = 0;
    let starCode = -1;
    let starAt = 0;
    while (at < text.length) {
      const wanted = codes[code];
      let char = text.codePointAt(at)!;
      if (char >= 65 && char <= 90) char += 32;
      if (wanted === anyRun) {
        starCode = code;
        starAt = at;
        code += 1;
      } else if (wanted !== undefined && (wanted === anyOne || wanted === char)) {
        at += char > 0xffff ? 2 : 1;
        code += 1;
      } else if (starCode >= 0) {
        starAt += text.codePointAt(starAt)! > 0xffff ? 2 : 1;
        at = starAt;
        code = starCode + 1;
      } else return false;
    }
    while (codes[code] === anyRun) code += 1;
    return code === codes.length;
  };
}
