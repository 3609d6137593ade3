/** Which table answers a query: the cheapest one that has all of its measures, dimensions and filter fields. */
import {
  findDimension,
  isDirectedMeasure,
  isRollup,
  measureTables,
  queryTableNames,
  queryTables,
  rollupTables,
} from '@netspectra/query';
import type { Dimension, Measure, QueryDirection, QueryTable, RollupTable } from '@netspectra/query';
import { ApiError } from '../problem.js';
import type { CompiledFilter } from './filter.js';
import type { RowMode } from './rows.js';

export interface ChosenRollup {
  readonly table: RollupTable;
  /** for people */
  readonly reason: string;
}

export interface Wanted {
  readonly measures: readonly Measure[];
  readonly dimensions: readonly Dimension[];
  readonly filter: CompiledFilter | null;
  readonly direction: QueryDirection;
  /** subjects of which there are sketches in the range; asked only when a sketch could answer */
  readonly sketchSubjects: ReadonlySet<string>;
  /** takes the place of `flows`; it has all that is wanted */
  readonly rollup?: ChosenRollup | undefined;
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
  if (direction === 'client' || direction === 'server') return ['flows', ...rollupTables];
  const sources = findDimension(directionDimension)?.sources ?? {};
  return queryTableNames.filter((table) => table in sources);
}

/** What a query is made of, each part with the tables that have it. */
function partsOf(wanted: Wanted): { readonly name: string; readonly tables: readonly QueryTable[] }[] {
  const { measures, dimensions, filter, direction, sketchSubjects } = wanted;
  return [
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
}

/** All tables that have every part of a query, cheapest first. */
export const tablesWith = (wanted: Wanted): QueryTable[] => {
  const parts = partsOf(wanted);
  return queryTableNames.filter((name) => parts.every((part) => part.tables.includes(name)));
};

/** @throws ApiError `query` that says which part stands where, when no table has them all */
export function chooseTable(wanted: Wanted): QueryTable {
  const parts = partsOf(wanted);
  // DNS, HTTP and TLS rows are part of the traffic: "flows" over them would count the flows that spoke DNS. They answer
  // only when something is asked for that nothing else has.
  const isTransaction = (name: QueryTable): boolean => queryTables[name].rows === 'transaction';
  const aboutTransactions = parts.some((part) => part.tables.every(isTransaction));
  const table = tablesWith(wanted).find((name) => aboutTransactions || !isTransaction(name));
  if (table) return table === 'flows' ? (wanted.rollup?.table ?? table) : table;
  const where = [...new Map(parts.map((part) => [part.name, part])).values()]
    .map((part) => `${part.name} is in ${list(part.tables.filter((name) => !isRollup(name)))}`)
    .join('; ');
  throw new ApiError('query', `no table has all of this together, ask in separate queries: ${where}`);
}

/** How the rows of the chosen table are to be looked at. */
export function chooseMode(table: QueryTable, wanted: Omit<Wanted, 'sketchSubjects'>): RowMode {
  if (queryTables[table].rows !== 'flow') return 'plain';
  if (wanted.direction === 'client' || wanted.direction === 'server') return wanted.direction;
  const apart = wanted.filter?.namesHosts === true ? 'joined' : 'directed';
  if (wanted.direction !== 'both') return apart;
  const directed =
    wanted.dimensions.some((dimension) => dimension.sources[table]?.scope === 'directed') ||
    wanted.measures.some((measure) => isDirectedMeasure(measure, table)) ||
    (wanted.filter?.directed(table) ?? false);
  return directed ? apart : 'plain';
}
