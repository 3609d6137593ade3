import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGlob, globToLike } from './glob.js';
import { compileRegex, parseRegex, regexToRe2 } from './regex.js';

const tester = (source: string, ignoreCase = false): ((text: string) => boolean) => {
  const result = parseRegex(source, ignoreCase);
  if ('error' in result) throw new Error(`${source}: ${result.error.message}`);
  return compileRegex(result.regex);
};

describe('regular expressions', () => {
  it.each([
    ['\\1', 0, 2, 'Backreferences'],
    ['(a)\\1', 3, 2, 'Backreferences'],
    ['\\k<a>', 0, 2, 'Backreferences'],
    ['a(?=b)', 1, 3, 'Look-ahead'],
    ['(?!b)', 0, 3, 'Look-ahead'],
    ['(?<=b)', 0, 4, 'Look-behind'],
    ['(?<!b)', 0, 4, 'Look-behind'],
    ['(?<n>b)', 0, 3, 'Named groups'],
    ['(?P<n>b)', 0, 3, 'Named groups'],
    ['(?i)a', 0, 3, 'Inline flags'],
    ['a++', 1, 2, 'Possessive'],
    ['a**', 1, 2, 'One quantifier'],
    ['a{2}{3}', 1, 4, 'One quantifier'],
    ['*a', 0, 1, 'Nothing to repeat'],
    ['(|*)', 2, 1, 'Nothing to repeat'],
    ['a{', 1, 1, 'Expected {n}'],
    ['a{2,1}', 1, 5, 'The second number'],
    ['a{1001}', 1, 6, 'At most 1000'],
    ['(a', 0, 1, 'This ( is not closed'],
    ['a)', 1, 1, 'This ) closes nothing'],
    ['[a', 0, 1, 'This [ is not closed'],
    ['[]', 0, 1, 'This [ is not closed'],
    ['[b-a]', 1, 3, 'This range goes backwards'],
    ['[\\w-z]', 1, 4, 'A range goes from'],
    ['[[:alpha:]]', 1, 2, 'Classes such as'],
    ['[^\\x{1}-\\x{10ffff}\\D\\d]', 0, 23, 'This class matches no'],
    ['\\pL', 0, 2, 'Unicode classes'],
    ['\\y', 0, 2, 'Unknown escape'],
    ['a\\', 1, 1, 'Nothing follows'],
    ['\\x{110000}', 0, 10, 'This is not a character'],
    ['😀(', 2, 1, 'This ( is not closed'],
    ['(a{100}){100}', 0, 13, 'This regular expression is too big'],
    ['('.repeat(33) + ')'.repeat(33), 32, 1, 'Groups nest deeper'],
  ])('refuses %s with its place', (source, offset, length, message) => {
    const result = parseRegex(source, false);
    expect(result).toMatchObject({ error: { offset, length } });
    expect('error' in result && result.error.message).toContain(message);
  });

  it.each([
    ['^abc$', 'abc', true],
    ['^abc$', 'abc\n', false],
    ['a.c', 'a\nc', true],
    ['^.$', '😀', true],
    ['\\bfoo\\b', 'a foo.', true],
    ['\\bfoo\\b', 'afoo', false],
    ['', '', true],
    ['[]a]', ']', true],
    ['(a|b)*c$', 'ababc', true],
    ['x{2,3}y', 'xy xxy', true],
    ['^(?:){3}$', '', true],
    ['\\s', '\v', false],
  ])('%s on %j is %s', (source, text, expected) => expect(tester(source)(text)).toBe(expected));

  it('ignores ASCII case only', () => {
    expect(tester('^[^k]$', true)('K')).toBe(false);
    expect(tester('^k$', true)('K')).toBe(true);
    expect(tester('^k$', true)('\u212a')).toBe(false);
    expect(tester('ü', true)('Ü')).toBe(false);
  });

  it('agrees with JavaScript where both mean the same', () => {
    const part = fc
      .tuple(
        fc.constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', '(a|bc)', '(?:b|)', '^', '$', '\\b', '\\w', '\\d'),
        fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,2}', '*?'),
      )
      .filter(([atom, quantifier]) => quantifier === '' || !/^(\^|\$|\\b)$/.test(atom))
      .map((pair) => pair.join(''));
    const source = fc
      .array(
        fc.array(part, { maxLength: 4 }).map((parts) => parts.join('')),
        { minLength: 1, maxLength: 3 },
      )
      .map((parts) => parts.join('|'));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', ' '), maxLength: 8 });
    fc.assert(
      fc.property(source, fc.array(text, { minLength: 5, maxLength: 5 }), (pattern, samples) => {
        const ours = tester(pattern);
        const theirs = new RegExp(pattern, 'su');
        for (const sample of samples) expect(ours(sample), `${pattern} on "${sample}"`).toBe(theirs.test(sample));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes linear time where backtracking would not end', () => {
    const started = performance.now();
    expect(tester('^(a+)+$')('a'.repeat(20_000) + 'b')).toBe(false);
    expect(tester('(a|a)*(a|a)*(a|a)*c')('a'.repeat(20_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('writes RE2 source without flags', () => {
    const result = parseRegex('a.[^b]\\.{2,}|K/', true);
    expect('regex' in result && regexToRe2(result.regex)).toBe('(?:[Aa](?s:.)[^Bb](?:\\.){2,}|[Kk]/)');
  });
});

describe('globs', () => {
  it.each([
    ['*.example.org', 'www.EXAMPLE.org', true],
    ['*.example.org', 'example.org', false],
    ['a?c', 'a😀c', true],
    ['a?c', 'ac', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['', '', true],
    ['', 'x', false],
    ['*', '', true],
    ['*a*b*c*', 'xxaxxbxxcxx', true],
    ['*ab', 'aab', true],
  ])('%s on %s is %s', (glob, text, expected) => expect(compileGlob(glob)(text)).toBe(expected));

  it('becomes a LIKE pattern with its special characters escaped', () => {
    expect(globToLike('A_%*?\\*\\')).toBe('a\\_\\%%_*\\\\');
  });

  it('takes bounded time on many stars', () => {
    const started = performance.now();
    expect(compileGlob('*a'.repeat(50) + 'b')('a'.repeat(20_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
