// @ts-check
/** What the HTTP handler must know of a statement before the engine reads it: its kind, its format, where it ends. */

/**
 * The text with strings, quoted names and comments blanked out, so that words and semicolons in them are not found.
 * @param {string} text
 */
export function masked(text) {
  return text.replace(
    /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S])*"|`(?:[^`\\]|\\[\s\S])*`|--[^\n]*|\/\*[\s\S]*?\*\//g,
    (found) => ' '.repeat(found.length),
  );
}

/** @param {string} text the masked statement */
export const isInsert = (text) => /^\s*INSERT\b/i.test(text);

/**
 * More than one statement; what follows the FORMAT of an INSERT is data and may hold anything.
 * @param {string} text the masked statement
 */
export const hasSeveral = (text) => !isInsert(text) && /;\s*\S/.test(text);

/**
 * The output format that the statement names, or null.
 * @param {string} text the masked statement
 */
export function formatOf(text) {
  return /\bFORMAT\s+(\w+)\s*(?:\bSETTINGS\b[\s\S]*)?;?\s*$/i.exec(text)?.[1] ?? null;
}

/**
 * An INSERT whose rows come as raw text: table, columns, format. null when it is written in another way.
 * @param {string} statement
 */
export function rawInsertOf(statement) {
  const match =
    /^\s*INSERT\s+INTO\s+(?:TABLE\s+)?([`\w.]+)\s*(?:\(([^()]*)\))?\s+FORMAT\s+(TabSeparated|TSV|JSONEachRow|JSONCompactEachRow|CSV)\s*$/i.exec(
      statement,
    );
  if (!match) return null;
  const columns = match[2]?.split(',').map((name) => name.trim().replaceAll('`', ''));
  return { table: (match[1] ?? '').replaceAll('`', ''), columns, format: match[3] ?? '' };
}

/**
 * `text` as a SQL string literal.
 * @param {string} text
 */
export const literal = (text) => `'${text.replace(/[\\']/g, (c) => `\\${c}`)}'`;
