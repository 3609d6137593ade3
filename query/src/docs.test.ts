/**
 * docs/query-language.md is held to what the code does: every filter and query in it is read, its tables of fields,
 * measures, canonical forms and errors are compared. `UPDATE_DOCS=1 npx vitest run query/src/docs.test.ts` writes the
 * generated tables anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  captureFilter,
  fieldTables,
  filterFields,
  filterTables,
  formatFilter,
  isGroupKey,
  isMeasureId,
  measureTables,
  measures,
  parseFilter,
  parseTime,
  queryLimits,
  queryTypes,
} from './index.js';
import type { Measure, Query, QueryRequest } from './index.js';

const path = fileURLToPath(new URL('../../docs/query-language.md', import.meta.url));
const page = readFileSync(path, 'utf8');

const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map((match) => match[1]!);

/** Rows of the table that follows a heading row, cells without their code marks; `\|` is a bar. */
function tableRows(heading: string): string[][] {
  const lines = page.slice(page.indexOf(`| ${heading} |`)).split('\n');
  const cell = (text: string): string =>
    text
      .trim()
      .replaceAll('\\|', '|')
      .replace(/^`(.*)`$/, '$1');
  return lines
    .slice(
      2,
      lines.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map(cell),
    );
}

const code = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(' ');

function generated(): Record<string, string> {
  const fields = filterFields.map((field) => {
    const names = field.names === undefined ? field.kind : `${field.kind} or ${field.names.replace('_', ' ')} name`;
    const groups = field.dimension === undefined ? '' : 'yes';
    return `| \`${field.id}\` | ${code(field.aliases)} | ${names} | ${groups} | ${code(fieldTables(field))} | ${field.description} |`;
  });
  const listed = measures.map(
    (measure: Measure) =>
      `| \`${measure.id}\` | ${measure.unit} | ${code(measureTables(measure))} | ${measure.description} |`,
  );
  return {
    fields: `| field | other names | kind | can group | tables | meaning |\n| --- | --- | --- | --- | --- | --- |\n${fields.join('\n')}`,
    measures: `| measure | unit | tables | meaning |\n| --- | --- | --- | --- |\n${listed.join('\n')}`,
  };
}

const section = (name: string): RegExp => new RegExp(`(<!-- ${name}: begin -->)[^]*?(<!-- ${name}: end -->)`);
/** Prettier pads the columns of tables; only the words count. */
const unpadded = (text: string): string => text.replace(/ +/g, ' ').replace(/-+/g, '-').trim();

describe('docs/query-language.md', () => {
  it('lists all fields and measures as they are', () => {
    const tables = generated();
    if (process.env['UPDATE_DOCS'] === '1') {
      let text = page;
      for (const [name, table] of Object.entries(tables)) {
        text = text.replace(section(name), (_, begin: string, end: string) => `${begin}\n\n${table}\n\n${end}`);
      }
      writeFileSync(path, text);
      return;
    }
    for (const [name, table] of Object.entries(tables)) {
      expect(unpadded(section(name).exec(page)?.[0] ?? '')).toBe(
        unpadded(`<!-- ${name}: begin -->\n\n${table}\n\n<!-- ${name}: end -->`),
      );
    }
  });

  const filters = blocks('filter').flatMap((block) => block.trim().split('\n'));
  it('has filter examples', () => expect(filters.length).toBeGreaterThan(20));
  it.each(filters)('reads %s', (filter) => {
    const result = parseFilter(filter);
    expect(result).toMatchObject({ ok: true });
    if (!result.ok) return;
    expect(filterTables(result.filter).length, 'some table can answer it').toBeGreaterThan(0);
    expect(parseFilter(formatFilter(result.filter))).toMatchObject({ ok: true, filter: result.filter });
  });

  it.each(tableRows('written | canonical'))('writes %s as %s', (written, canonical) => {
    const result = parseFilter(written);
    expect(result.ok && formatFilter(result.filter)).toBe(canonical);
  });

  it.each(tableRows('short | is'))('reads %s as %s', (short, long) => {
    const result = parseFilter(short);
    expect(result.ok && formatFilter(result.filter)).toBe(long);
  });

  it.each(tableRows("filter | for libpcap (untagged frames, `encapsulated: 'outer'`)"))(
    'makes of %s for libpcap %s',
    (filter, text) => {
      const options = { link: 'other', encapsulated: 'outer' } as const;
      expect(captureFilter(filter, options)).toMatchObject({ ok: true, text });
    },
  );

  it.each(tableRows('filter | message | suggestion'))('explains %s', (filter, message, suggestion) => {
    const result = parseFilter(filter);
    const error = result.ok ? undefined : result.errors[0];
    expect(error?.message.startsWith(message), error?.message).toBe(true);
    expect(error?.suggestion ?? '').toBe(suggestion);
  });

  const queries = blocks('json').flatMap((block) => {
    const value = JSON.parse(block) as Query | Query[] | QueryRequest;
    if (Array.isArray(value)) return value;
    if (!('queries' in value)) return [value];
    expect(parseTime(value.from)).toBeLessThan(parseTime(value.to)!);
    return [...value.queries];
  });
  it('has query examples', () => expect(queries.length).toBeGreaterThan(5));
  it.each(queries)('has a good query: $type $measures', (query) => {
    expect(queryTypes).toContain(query.type);
    expect(query.measures.every(isMeasureId)).toBe(true);
    expect(query.groupBy.every(isGroupKey)).toBe(true);
    expect(query.limit ?? 1).toBeLessThanOrEqual(queryLimits.limitMax);
    expect(parseFilter(query.filter ?? '')).toMatchObject({ ok: true });
  });
});
