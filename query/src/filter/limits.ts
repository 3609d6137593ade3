/** Bounds of a filter: what lies outside is an error with a position, never work without end. */
export const filterLimits = {
  /** length of the text, UTF-16 units */
  lengthMax: 16_384,
  /** parentheses and `not` inside one another */
  depthMax: 64,
  /** values in one list */
  listItemsMax: 1_000,
  /** reported errors; further ones are left out */
  errorsMax: 10,
  /** characters of a regular expression */
  regexLengthMax: 1_000,
  /** states of a regular expression's automaton, repetitions written out */
  regexStatesMax: 1_000,
  /** groups inside one another in a regular expression */
  regexDepthMax: 32,
} as const;
