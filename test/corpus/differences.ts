/** Where `analyze` differs from tshark on purpose; docs/differences.md says the same in words (a test compares them). */
export const differences: Readonly<Record<string, { readonly fields: readonly string[]; readonly why: string }>> = {};
