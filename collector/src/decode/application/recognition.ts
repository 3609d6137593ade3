/** What a stream's first bytes say: how sure a parser is that they are its protocol. */
export const Recognition = {
  No: 0,
  /** too few bytes, but all of them fit */
  Perhaps: 1,
  Yes: 2,
} as const;
