/** A filter text as a capture filter, with the places of what cannot be one. */
import { filterError } from '../errors.js';
import type { FilterError } from '../errors.js';
import { findField } from '../fields.js';
import { parseFilter } from '../parser.js';
import type { FilterToken } from '../token-cursor.js';
import { phraseField } from '../words.js';
import { compileBpf } from './compile.js';
import type { BpfOptions } from './compile.js';

export type CaptureFilterResult =
  | { readonly ok: true; readonly text: string; readonly exact: boolean; readonly notes: readonly string[] }
  /** mistakes of the text, or the fields that a packet cannot answer, at each of their places */
  | { readonly ok: false; readonly reasons: readonly FilterError[] };

/** Reads a filter and compiles it for libpcap; a text with mistakes is not ok either. */
export function captureFilter(text: string, options: BpfOptions = {}): CaptureFilterResult {
  const parsed = parseFilter(text);
  if (!parsed.ok) return { ok: false, reasons: parsed.errors };
  const result = compileBpf(parsed.filter, options);
  if (result.ok) return result;
  const messages = new Map<string, string>(result.problems.map(({ field, message }) => [field, message]));
  const reasons = fieldPlaces(text, parsed.tokens).flatMap(({ field, offset, length }) => {
    const message = messages.get(field);
    return message === undefined ? [] : [filterError(text, offset, length, message)];
  });
  return { ok: false, reasons };
}

/** Where a good text names fields: by one word, or by two (`src port`). */
function fieldPlaces(
  text: string,
  tokens: readonly FilterToken[],
): { field: string; offset: number; length: number }[] {
  const word = (token: FilterToken | undefined): string =>
    token?.role === 'field' ? text.slice(token.offset, token.offset + token.length) : '';
  const places: { field: string; offset: number; length: number }[] = [];
  for (let i = 0; i < tokens.length; i += 1) {
    const first = tokens[i]!;
    const second = tokens[i + 1];
    const phrase = phraseField(word(first), word(second));
    const field = phrase ?? findField(word(first))?.id;
    if (field === undefined) continue;
    const last = phrase === undefined ? first : second!;
    places.push({ field, offset: first.offset, length: last.offset + last.length - first.offset });
    if (phrase !== undefined) i += 1;
  }
  return places;
}
