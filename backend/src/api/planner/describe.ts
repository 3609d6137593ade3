/** What the planner did, in a sentence for people. */
import { queryTables } from '@netspectra/query';
import type { QueryTable } from '@netspectra/query';
import type { RowMode } from './rows.js';

const kinds: Readonly<Record<(typeof queryTables)[QueryTable]['rows'], string>> = {
  flow: 'flow records',
  counter: 'counters, which hold neither addresses nor ports',
  transaction: 'one row for each request',
  sketch: 'sketches: an estimate, with bounds',
  probe: 'what probes report about themselves',
};

const modes: Readonly<Record<RowMode, string>> = {
  plain: '',
  directed: ', each direction a row of its own',
  joined: ', each direction a row of its own',
  client: ', what clients sent',
  server: ', what servers sent',
};

export interface Described {
  readonly table: QueryTable;
  readonly mode: RowMode;
  readonly windowMs: number;
}

/** `flows: flow records of 10 s, each direction a row of its own`, one part for each table. */
export function describePlan(parts: readonly Described[], more: readonly string[] = []): string {
  const texts = parts.map(({ table, mode, windowMs }) => {
    const { rows } = queryTables[table];
    const width = windowMs > 1 ? ` of ${windowMs / 1000} s` : '';
    const [kind = '', ...rest] = kinds[rows].split(/(?=[,:])/);
    return `${table}: ${kind}${width}${rest.join('')}${modes[mode]}`;
  });
  return [...new Set(texts), ...more].join('; ');
}
