/** What is wrong with a filter that is being typed, template variables put aside. */
import type { FilterError } from '@netspectra/query';
import { validateFilter } from '@netspectra/query';
import { variablePattern } from '../template/variable.js';

/**
 * Mistakes, in the order of the text. What touches a template variable is none: its value is not known here. A zero stands
 * for each character of a variable, so that the rest of the text keeps its positions.
 */
export function filterProblems(text: string): readonly FilterError[] {
  const places = [...text.matchAll(new RegExp(variablePattern, 'g'))].map((match) => ({
    from: match.index,
    to: match.index + match[0].length,
  }));
  const masked = places.reduce(
    (all, { from, to }) => `${all.slice(0, from)}${'0'.repeat(to - from)}${all.slice(to)}`,
    text,
  );
  const result = validateFilter(masked);
  if (result.ok) return [];
  const touches = (error: FilterError): boolean =>
    places.some(({ from, to }) => error.offset <= to && error.offset + error.length >= from);
  return result.errors.filter((error) => !touches(error));
}

/** A mistake with its suggestion as one line. */
export function problemText({ message, suggestion }: FilterError): string {
  return suggestion === undefined || message.includes(suggestion) ? message : `${message}; did you mean ${suggestion}?`;
}

/** The text with the suggestion in place of the mistake. */
export function corrected(text: string, { offset, length, suggestion }: FilterError): string {
  return suggestion === undefined ? text : `${text.slice(0, offset)}${suggestion}${text.slice(offset + length)}`;
}
