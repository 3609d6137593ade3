/** Reads back, for tests, the rows a task wrote. */
import { tables } from '../../tables/index.js';
import type { RowSink } from '../row-sink.js';

/** Rows of the sketch tables by column name, values as text; empties the sink. */
export function readRows(sink: RowSink): Record<'sketches' | 'top_keys', Record<string, string>[]> {
  const found: Record<'sketches' | 'top_keys', Record<string, string>[]> = { sketches: [], top_keys: [] };
  for (const block of sink.take()) {
    if (block.table !== 'sketches' && block.table !== 'top_keys') continue;
    const columns = tables[block.table].rowColumns;
    for (const line of new TextDecoder().decode(block.bytes).trimEnd().split('\n')) {
      const values = line.split('\t');
      found[block.table].push(Object.fromEntries(columns.map((column, i) => [column.name, values[i] ?? ''])));
    }
  }
  return found;
}
