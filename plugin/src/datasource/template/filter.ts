/** Template variables in a filter. */
import type { ScopedVars } from '@grafana/data';
import type { FilterNode } from '@netspectra/query';
import { findField, formatFilter, joined, parseFilter, quoteText } from '@netspectra/query';
import { literal } from '../model/filter-terms.js';
import { hasVariable, valuesOf, variablePattern } from './variable.js';
import type { Replace } from './variable.js';

/**
 * A comparison that stands for "any value": it is taken out of the filter again. The address is out of the discard prefix
 * (RFC 6666), so that nobody asks for it.
 */
const anySentinel = 'src_ip = 100::6e65:7473:7065:6374';
const anySentinelNode = parseFilter(anySentinel);
const anyKey = anySentinelNode.ok ? formatFilter(anySentinelNode.filter) : anySentinel;

/** What a variable holds when everything is chosen and the variable has a custom value for it. */
const anyValues: ReadonlySet<string> = new Set(['*', '.*', '.+', '$__all', '']);

const comparison = new RegExp(
  String.raw`([A-Za-z][\w.]*)\s*(!=|<>|==|=|!~|~|\bnot\s+in\b|\bin\b)\s*(\(?)\s*(${variablePattern})(?:\s*(\)))?`,
  'gi',
);
const loose = new RegExp(variablePattern, 'g');

/**
 * The filter with values in place of variables.
 *
 * `src_ip = $host`, `src_ip in $hosts` and `src_ip in ($hosts)` all take one value or several: `=` becomes `in (…)`, `!=`
 * `not in (…)` where there are more. A comparison with a variable of which all values are chosen (a custom value `*`, or
 * nothing) is left out. Values are written as the field wants them: text in quotes, so that no value can be more than a value.
 * Inside quotes a variable's text is put in as it is, written as part of a text. Where a variable is a whole filter
 * (`$filter`, a text box), its text is the filter; an empty one among other terms, as in `($filter) and udp`, is left out.
 */
export function fillFilter(filter: string, scoped: ScopedVars, replace: Replace): string {
  if (!hasVariable(filter)) return filter;
  let hasAny = false;
  const parts = splitQuoted(filter).map(({ text, quoted }) => {
    if (quoted) return text.replace(loose, (variable) => replace(variable, scoped, insideQuotes));
    return text;
  });
  const compared = outsideQuotes(parts.join(''), (text) =>
    text.replace(comparison, (whole, field: string, operator: string, open: string, variable: string, close = '') => {
      const values = resolve(variable, scoped, replace);
      if (values === undefined) return whole;
      if (values.every((value) => anyValues.has(value))) {
        hasAny = true;
        // A bracket that belongs to the sentence, not to the list, stays.
        return `${open && !close ? '(' : ''}${anySentinel}${close && !open ? ')' : ''}`;
      }
      return comparisonText(field, operator, values, open, close);
    }),
  );
  const filled = outsideQuotes(compared, (text) =>
    text.replace(loose, (variable, at: number) => {
      const whole = wholeText(variable, scoped, replace);
      if (whole.trim() !== '' || !isTerm(text, at, at + variable.length)) return whole;
      hasAny = true;
      return anySentinel;
    }),
  );
  return hasAny ? withoutAny(filled) : filled;
}

function comparisonText(field: string, operator: string, values: string[], open: string, close: string): string {
  const known = findField(field);
  const written = values.map((value) => literal(known, value));
  const sign = operator.toLowerCase().replace(/\s+/g, ' ');
  const ownBracket = open !== '' && close !== '';
  const rest = { before: open && !ownBracket ? '(' : '', after: close && !ownBracket ? ')' : '' };
  if (sign.endsWith('in')) return `${field} ${sign} ${rest.before}(${written.join(', ')})${rest.after}`;
  if (values.length === 1) return `${field} ${sign} ${open}${written[0]!}${close}`;
  if (sign === '~' || sign === '!~') {
    const any = values.map((value) => `${field} ~ ${literal(known, value)}`).join(' or ');
    return `${sign === '!~' ? 'not ' : ''}(${any})`;
  }
  const negated = sign === '!=' || sign === '<>';
  return `${field} ${negated ? 'not in' : 'in'} ${rest.before}(${written.join(', ')})${rest.after}`;
}

/** Values of a variable; undefined when there is no such variable (a macro of the server side, or a mistake). */
function resolve(variable: string, scoped: ScopedVars, replace: Replace): string[] | undefined {
  let values: string[] | undefined;
  const text = replace(variable, scoped, (value) => {
    values = valuesOf(value);
    return values.join(',');
  });
  // A custom value for "all" never passes the format function.
  return values ?? (text === variable ? undefined : [text]);
}

/** Whether what stands between two places is a term of its own, and no value in a list. */
const isTerm = (text: string, from: number, to: number): boolean =>
  /(?:^|\(|\band|\bor|\bnot|&&|\|\||!)\s*$/i.test(text.slice(0, from)) &&
  /^\s*(?:$|\)|and\b|or\b|&&|\|\|)/i.test(text.slice(to));

/** A variable that is more than a value, or stands inside a list of others. */
function wholeText(variable: string, scoped: ScopedVars, replace: Replace): string {
  const values = resolve(variable, scoped, replace);
  if (values === undefined) return variable;
  return values.length === 1 ? values[0]! : values.map((value) => literal(undefined, value)).join(', ');
}

const insideQuotes = (value: unknown): string =>
  valuesOf(value)
    .map((text) => quoteText(text).slice(1, -1).replaceAll("'", "\\'"))
    .join(',');

const quotedPart = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;

function splitQuoted(text: string): { text: string; quoted: boolean }[] {
  const parts: { text: string; quoted: boolean }[] = [];
  let from = 0;
  for (const match of text.matchAll(quotedPart)) {
    parts.push({ text: text.slice(from, match.index), quoted: false }, { text: match[0], quoted: true });
    from = match.index + match[0].length;
  }
  return [...parts, { text: text.slice(from), quoted: false }];
}

const outsideQuotes = (text: string, change: (part: string) => string): string =>
  splitQuoted(text)
    .map((part) => (part.quoted ? part.text : change(part.text)))
    .join('');

function withoutAny(filter: string): string {
  const parsed = parseFilter(filter);
  if (!parsed.ok) return filter;
  return formatFilter(prune(parsed.filter));
}

function prune(node: FilterNode): FilterNode {
  if (node.kind === 'not') {
    const term = prune(node.term);
    return term.kind === 'all' ? term : { kind: 'not', term };
  }
  if (node.kind === 'and' || node.kind === 'or') {
    const terms = node.terms.map(prune);
    const kept = terms.filter((term) => term.kind !== 'all');
    if (kept.length === 0 || (node.kind === 'or' && kept.length < terms.length)) return { kind: 'all' };
    return joined(node.kind, kept);
  }
  return formatFilter(node) === anyKey ? { kind: 'all' } : node;
}
