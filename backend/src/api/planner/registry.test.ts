/** The query registry and the tables of the backend speak of the same columns. */
import { describe, expect, test } from 'vitest';
import {
  dimensions,
  directionColumns,
  directionExists,
  filterFields,
  isRollup,
  measures,
  queryTableNames,
  queryTables,
  rollupTables,
} from '@netspectra/query';
import type { Dimension, Measure, QueryTable } from '@netspectra/query';
import { rollupColumns, tables } from '../../tables/index.js';

const listOf = (table: QueryTable) => (isRollup(table) ? rollupColumns : tables[table].columns);
const columnsOf = (table: QueryTable): Set<string> => new Set(listOf(table).map((column) => column.name));

interface Reads {
  readonly columns: readonly string[];
  readonly texts: readonly string[];
}

/** Words of an expression that could be columns: not functions, keywords, numbers or quoted text. */
function words(sql: string): string[] {
  const bare = sql.replace(/'[^']*'/g, ' ').replace(/\b[A-Za-z_]\w*\s*\(/g, ' ( ');
  return (bare.match(/\b[a-z_]\w*\b/g) ?? []).filter((word) => word !== 'and' && word !== 'or');
}

function sourceReads(source: object): Reads {
  const columns = 'columns' in source ? (source.columns as string[]) : [];
  const texts = ['expression', 'client', 'server', 'presentWhen', 'histogram'].flatMap((key) => {
    const text = (source as Record<string, unknown>)[key];
    return typeof text === 'string' ? [text] : [];
  });
  return { columns, texts };
}

function measureReads(measure: Measure): [QueryTable, Reads][] {
  if (!('sources' in measure)) return [];
  return Object.entries(measure.sources).flatMap(([table, source]) => {
    const parts = 'total' in source ? [source.total, source.count] : [source];
    return parts.map((part): [QueryTable, Reads] => [table as QueryTable, sourceReads(part)]);
  });
}

function dimensionReads(dimension: Pick<Dimension, 'sources'>): [QueryTable, Reads][] {
  return Object.entries(dimension.sources).map(([table, source]) => [table as QueryTable, sourceReads(source)]);
}

function check(name: string, reads: readonly [QueryTable, Reads][]): void {
  for (const [table, { columns, texts }] of reads) {
    const known = columnsOf(table);
    for (const column of columns) expect(known, `${name} in ${table} reads ${column}`).toContain(column);
    // Declared columns are what the expression really reads.
    const read = texts.flatMap(words);
    for (const word of read) expect(columns, `${name} in ${table}: ${word} is not declared`).toContain(word);
  }
}

describe('the query registry names columns that exist', () => {
  test.each(dimensions.map((dimension) => [dimension.id, dimension as Dimension] as const))('%s', (id, dimension) => {
    expect(Object.keys(dimension.sources).length).toBeGreaterThan(0);
    check(id, dimensionReads(dimension));
  });

  test.each(measures.map((measure) => [measure.id, measure as Measure] as const))('%s', (id, measure) => {
    check(id, measureReads(measure));
  });

  test('fields of filters', () => {
    for (const field of filterFields) check(field.id, dimensionReads(field));
  });

  test('tables, their time columns and the directions', () => {
    expect(new Set(queryTableNames)).toEqual(new Set([...Object.keys(tables), ...rollupTables]));
    for (const table of queryTableNames) {
      const info = queryTables[table];
      expect(columnsOf(table)).toContain(info.timeColumn);
      if ('widthColumn' in info) expect(columnsOf(table)).toContain(info.widthColumn);
      const type = listOf(table).find((column) => column.name === info.timeColumn)?.type;
      // The planner reads the kind of the time column from whether the table has windows.
      expect(type).toBe('widthColumn' in info ? 'DateTime' : 'DateTime64(9)');
    }
    for (const column of directionColumns) expect(columnsOf('flows')).toContain(column);
    for (const word of directionExists.flatMap(words)) expect(directionColumns).toContain(word);
  });
});
