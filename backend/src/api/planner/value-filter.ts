/** A group as text of the filter language: what an answer shows, one can ask for. */
import { quoteText } from '@netspectra/query';
import type { Group } from './types.js';

/**
 * The comparison that holds for the rows of a group.
 * @param value as it is shown; null: the rows that have no such value
 */
export function valueFilter({ dimension, prefix }: Group, value: string | number | null): string {
  const { id, maximum, type } = dimension;
  // A field that a row does not have fails every comparison, so `not` keeps those rows.
  if (value === null) return `not ${id} in 0..${maximum ?? Number.MAX_SAFE_INTEGER}`;
  if (prefix !== undefined) return `${id} in ${value}`;
  // Names of numbers may be keywords (in), too.
  return type === 'text' || type === 'enum' ? `${id} = ${quoteText(String(value))}` : `${id} = ${value}`;
}
