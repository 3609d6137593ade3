/** Text as ClickHouse's TabSeparated has it, the one format both kinds of store take for inserts. */
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
};

/** A value with ClickHouse's escapes; what is inside an array or map is `quoted`, and its quotes are escaped too. */
export function escapeTsv(value: string, quoted = false): string {
  return value.replace(quoted ? /[\\'\t\n\r\0\b\f]/g : /[\\\t\n\r\0\b\f]/g, (c) => escapes[c] ?? c);
}
