/** Which table answers a query: the cheapest one that has all of its measures, dimensions and filter fields. */
import { findDimension, isDirectedMeasure, measureTables, queryTableNames, queryTables } from '@netspectra/query';
import type { Dimension, Measure, QueryDirection, QueryTable } from '@netspectra/query';
import { ApiError } from '../problem.js';
import type { CompiledFilter } from './filter.js';
import type { RowMode } from './rows.js';

export interface Wanted {
  readonly measures: readonly Measure[];
  readonly dimensions: readonly Dimension[];
  readonly filter: CompiledFilter | null;
  readonly direction: QueryDirection;
  /** subjects of which there are sketches in the range; asked only when a sketch could answer */
  readonly sketchSubjects: ReadonlySet<string>;
}

const list = (tables: readonly QueryTable[]): string => (tables.length === 0 ? 'no table' : tables.join(', '));

/** True when nothing but the sketches' availability decides: distinct counts over pure time. */
export function couldUseSketches(wanted: Omit<Wanted, 'sketchSubjects'>): boolean {
  return (
    wanted.measures.length > 0 &&
    wanted.measures.every((measure) => measure.kind === 'distinct' && measure.sketchSubject !== undefined) &&
    wanted.dimensions.length === 0 &&
    wanted.filter === null &&
    wanted.direction === 'both'
  );
}

/** The dimension that tells directions seen from the local networks. */
export const directionDimension = 'traffic_direction';

/** The sides of a flow stand in its records only; what is local to the networks, in transactions too. */
function directionTables(direction: QueryDirection): readonly QueryTable[] {
  if (direction === 'client' || direction === 'server') return ['flows'];
  const sources = findDimension(directionDimension)?.sources ?? {};
  return queryTableNames.filter((table) => table in sources);
}

/** @throws ApiError `query` that says which part stands where, when no table has them all */
export function chooseTable(wanted: Wanted): QueryTable {
  const { measures, dimensions, filter, direction, sketchSubjects } = wanted;
  const parts: { readonly name: string; readonly tables: readonly QueryTable[] }[] = [
    ...measures.map((measure) => ({
      name: measure.id,
      tables: measureTables(measure).filter(
        (table) =>
          table !== 'sketches' ||
          (couldUseSketches(wanted) && measure.kind === 'distinct' && sketchSubjects.has(measure.sketchSubject ?? '')),
      ),
    })),
    ...dimensions.map(({ id, sources }) => ({ name: id, tables: queryTableNames.filter((table) => table in sources) })),
    ...(filter?.fields ?? []).map((field) => ({ name: `${field.name} (filter)`, tables: field.tables })),
    ...(direction === 'both' ? [] : [{ name: `direction ${direction}`, tables: directionTables(direction) }]),
  ];
  // DNS, HTTP and TLS rows are part of the traffic: "flows" over them would count the flows that spoke DNS. They answer
  // only when something is asked for that nothing else has.
  const isTransaction = (name: QueryTable): boolean => queryTables[name].rows === 'transaction';
  const aboutTransactions = parts.some((part) => part.tables.every(isTransaction));
  const table = queryTableNames.find(
    (name) => parts.every((part) => part.tables.includes(name)) && (aboutTransactions || !isTransaction(name)),
  );
  if (table) return table;
  const where = [...new Map(parts.map((part) => [part.name, part])).values()]
    .map((part) => `${part.name} is in ${list(part.tables)}`)
    .join('; ');
  throw new ApiError('query', `no table has all of this together, ask in separate queries: ${where}`);
}

/** How the rows of the chosen table are to be looked at. */
export function chooseMode(table: QueryTable, wanted: Omit<Wanted, 'sketchSubjects'>): RowMode {
  if (table !== 'flows') return 'plain';
  if (wanted.direction === 'client' || wanted.direction === 'server') return wanted.direction;
  if (wanted.direction !== 'both') return 'directed';
  const directed =
    wanted.dimensions.some((dimension) => dimension.sources.flows?.scope === 'directed') ||
    wanted.measures.some((measure) => isDirectedMeasure(measure, table)) ||
    (wanted.filter?.directed(table) ?? false);
  return directed ? 'directed' : 'plain';
}
