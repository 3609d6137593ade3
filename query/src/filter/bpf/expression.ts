/** Conditions as libpcap writes them, folded where they are always or never true. */

/** A condition in pcap-filter syntax, or one that holds for every packet or none. */
export type Condition = string | boolean;

export function negated(condition: Condition): Condition {
  if (typeof condition === 'boolean') return !condition;
  return `not (${condition})`;
}

/** All of them; each part is put in brackets unless it is alone. */
export function allOf(conditions: readonly Condition[]): Condition {
  return chain(conditions, 'and', false);
}

/** One of them. */
export function anyOf(conditions: readonly Condition[]): Condition {
  return chain(conditions, 'or', true);
}

function chain(conditions: readonly Condition[], word: 'and' | 'or', decides: boolean): Condition {
  if (conditions.includes(decides)) return decides;
  const parts = [...new Set(conditions.filter((condition) => typeof condition === 'string'))];
  if (parts.length === 0) return !decides;
  return parts.length === 1 ? parts[0]! : parts.map(bracketed).join(` ${word} `);
}

/** In libpcap `and` and `or` bind equally, so that everything of more than one part needs brackets. */
const bracketed = (condition: string): string => (/ (and|or) /.test(condition) ? `(${condition})` : condition);

/** A byte expression within inclusive intervals. */
export function within(value: string, intervals: readonly Interval[]): Condition {
  return anyOf(
    intervals.map(([first, last]) =>
      first === last ? `${value} = ${first}` : `${value} >= ${first} and ${value} <= ${last}`,
    ),
  );
}

export type Interval = readonly [first: number, last: number];

const costs: readonly (readonly [RegExp, number])[] = [
  [/ip6 (?:src|dst) (?:host|net) /g, 9],
  [/ip6 (?:host|net) /g, 18],
  [/ip (?:src|dst) (?:host|net) /g, 3],
  [/ip (?:host|net) /g, 6],
  [/(?:src|dst) port/g, 4],
  [/(?<!src |dst )port/g, 8],
  [/ [<>]?= /g, 3],
  [/ proto /g, 4],
];

/** Instructions that libpcap makes of a condition, about, and rather too many. */
export function instructionsOf(condition: Condition): number {
  if (typeof condition === 'boolean') return 0;
  return costs.reduce((sum, [term, cost]) => sum + cost * (condition.match(term)?.length ?? 0), 0);
}
