/** Names of numbers, by the registry's lists. */
import { nameOf, namesOf, numberOf } from '@netspectra/query';
import type { NameTable } from '@netspectra/query';

/** The name of a number, or the number as text when it has none: `tcp` for 6. */
export const nameOrNumber = (table: NameTable, value: number): string => nameOf(table, value) ?? String(value);

/** Numbers that have a name beginning like this, case apart. */
export function namesStartingWith(table: NameTable, prefix: string): number[] {
  const begin = prefix.toLowerCase();
  const numbers = namesOf(table)
    .filter((name) => name.toLowerCase().startsWith(begin))
    .map((name) => numberOf(table, name));
  return [...new Set(numbers.filter((number) => number !== undefined))];
}
