/**
 * Flow records. The store holds what a flow did in each window; a record is put together from the windows of the range
 * (sum of counters, first and last packet). What the flow did outside of the range is not in it.
 */
import { queryLimits } from '@netspectra/query';
import type { FrameField, FrameFieldType, FrameValue, NameTable, TimeRange } from '@netspectra/query';
import { invalid } from '../problem.js';
import type { QueryParameters } from '../query-store.js';
import { aggregate } from './aggregate.js';
import { Binder } from './bind.js';
import { chooseTable } from './choose.js';
import type { Columns } from './columns.js';
import { filterConditions, timeConditions } from './conditions.js';
import { addressText, displayUnit, unitConfig } from './display.js';
import type { CompiledFilter } from './filter.js';
import { alignRange, windowMillis } from './interval.js';
import type { TableWindows } from './interval.js';
import { nameOrNumber } from './names.js';
import { rowsWhere } from './rows.js';
import type { Answer, CheckedQuery, Plan, PlannerLimits } from './types.js';

interface FlowField {
  readonly name: string;
  readonly label: string;
  /** aggregate over the windows of one flow; no column name of the table may be used as an alias here */
  readonly sql: string;
  readonly type: FrameFieldType;
  readonly unit?: string;
  readonly show: (value: unknown) => FrameValue;
}

const number = (value: unknown): FrameValue => Number(value);
const text = (value: unknown): FrameValue => String(value);
const address = (value: unknown): FrameValue => addressText(String(value));
const named =
  (names: NameTable) =>
  (value: unknown): FrameValue =>
    nameOrNumber(names, Number(value));
/** Nanoseconds in decimal text -> milliseconds with fractions; whole milliseconds stay exact. */
const millis = (value: unknown): FrameValue => {
  const digits = String(value).padStart(7, '0');
  return Number(digits.slice(0, -6)) + Number(digits.slice(-6)) / 1e6;
};
const nanoseconds = (aggregateSql: string): string => `toString(toUnixTimestamp64Nano(${aggregateSql}))`;

const summed = (name: string, label: string, unit?: string): FlowField => ({
  name,
  label,
  sql: `sum(${name})`,
  type: 'number',
  ...(unit === undefined ? {} : { unit }),
  show: number,
});
/** Of both sides, what another probe had brought already. */
const repeated = (name: string, label: string, unit: string): FlowField => ({
  ...summed(name, label, unit),
  sql: `sum(client_${name} + server_${name})`,
});
const constant = (name: string, label: string, type: FrameFieldType, show: FlowField['show']): FlowField => ({
  name,
  label,
  sql: `any(${name})`,
  type,
  show,
});

/** Columns of a flow record, in the order in which a table shows them. */
export const flowFields: readonly FlowField[] = [
  { name: 'first', label: 'First packet', sql: nanoseconds('min(first)'), type: 'time', show: millis },
  { name: 'last', label: 'Last packet', sql: nanoseconds('max(last)'), type: 'time', show: millis },
  {
    name: 'duration',
    label: 'Duration',
    sql: 'toUnixTimestamp64Nano(max(last)) - toUnixTimestamp64Nano(min(first))',
    type: 'number',
    unit: 'ns',
    show: number,
  },
  constant('client_ip', 'Client address', 'string', address),
  constant('client_port', 'Client port', 'number', number),
  constant('server_ip', 'Server address', 'string', address),
  constant('server_port', 'Server port', 'number', number),
  constant('protocol', 'Protocol', 'string', named('protocol')),
  {
    name: 'application',
    label: 'Application',
    // What the flow speaks is known only after its first packets.
    sql: 'argMax(application, last)',
    type: 'string',
    show: text,
  },
  constant('vlan', 'VLAN', 'number', number),
  constant('inner_vlan', 'Inner VLAN', 'number', number),
  constant('tunnel_type', 'Tunnel', 'string', text),
  constant('tunnel_id', 'Tunnel id', 'number', number),
  summed('client_packets', 'Client packets', 'short'),
  summed('client_bytes', 'Client bytes', 'bytes'),
  summed('server_packets', 'Server packets', 'short'),
  summed('server_bytes', 'Server bytes', 'bytes'),
  {
    name: 'client_tcp_flags',
    label: 'Client TCP flags',
    sql: 'groupBitOr(client_tcp_flags)',
    type: 'string',
    show: named('tcp_flags'),
  },
  {
    name: 'server_tcp_flags',
    label: 'Server TCP flags',
    sql: 'groupBitOr(server_tcp_flags)',
    type: 'string',
    show: named('tcp_flags'),
  },
  {
    name: 'rtt',
    label: 'RTT',
    sql: 'max(rtt_ns)',
    type: 'number',
    unit: 'ns',
    // 0 stands for "not measured".
    show: (value) => (Number(value) === 0 ? null : Number(value)),
  },
  summed('client_retransmissions', 'Client retransmissions', 'short'),
  summed('server_retransmissions', 'Server retransmissions', 'short'),
  summed('client_out_of_order', 'Client out of order', 'short'),
  summed('server_out_of_order', 'Server out of order', 'short'),
  summed('client_zero_windows', 'Client zero windows', 'short'),
  summed('server_zero_windows', 'Server zero windows', 'short'),
  constant('icmp_type', 'ICMP type', 'number', number),
  constant('icmp_code', 'ICMP code', 'number', number),
  repeated('duplicate_packets', 'Duplicate packets', 'short'),
  repeated('duplicate_bytes', 'Duplicate bytes', 'bytes'),
  { name: 'end_reason', label: 'End reason', sql: 'max(end_reason)', type: 'string', show: named('end_reason') },
];

const selectFlow = [
  'probe',
  'toString(flow_id) AS f_flow_id',
  ...flowFields.map(({ name, sql }) => `${sql} AS f_${name}`),
];

/** A flow may be seen by several probes; each keeps a record of its own. */
const flowKey = 'probe, flow_id';

interface FlowStatement {
  readonly range: TimeRange;
  readonly filter: CompiledFilter | null;
  /** further columns, `aggregate AS name` */
  readonly further: readonly string[];
  readonly having: string;
  /** keys of the order; aggregates over the rows of a flow, flow_id or probe */
  readonly orders: readonly string[];
  /** place of the number of flows */
  readonly limit: string;
}

/**
 * Flows put together from their rows. The first pass finds which flows are wanted with nothing but the order's
 * aggregates, the second one gathers their columns: a range may hold millions of flows, of which a few are shown.
 */
function flowSql(statement: FlowStatement, binder: Binder): string {
  const { range, filter, further, having, orders, limit } = statement;
  // A filter on a directed field keeps a row when one of its directions fits: also a probe's that saw copies alone.
  const mode = filter?.directed('flows') ? 'seen' : 'plain';
  const conditions = [...timeConditions('flows', range, binder), ...filterConditions(filter, 'flows', mode, binder)];
  const order = `ORDER BY ${orders.join(', ')}`;
  const rows = rowsWhere('flows', 'plain', conditions);
  const wanted = `SELECT ${flowKey} ${rows} GROUP BY ${flowKey}${having} ${order} LIMIT ${limit}`;
  const theirs = rowsWhere('flows', 'plain', [...conditions, `(${flowKey}) IN (${wanted})`]);
  return `SELECT ${[...selectFlow, ...further].join(', ')} ${theirs} GROUP BY ${flowKey} ${order}`;
}

/** The statement of a `flows` query. Order: by its measures, else newest first. */
export function planFlows(checked: CheckedQuery, windows: TableWindows, limits: PlannerLimits): Plan {
  const { query, measures, filter, orderBy } = checked;
  if (checked.direction !== 'both') {
    throw invalid('#/direction', 'a flow record has both directions; filter by traffic_direction for in and out');
  }
  // Says in one place why a filter or measure of another table cannot be used here.
  chooseTable({ ...checked, dimensions: [], measures, direction: 'client', sketchSubjects: new Set() });
  const binder = new Binder();
  const range = alignRange(checked.range, windowMillis('flows', windows));
  const limit = Math.min(query.limit ?? queryLimits.limitDefault, limits.rowsMax - 1);
  const seconds = binder.bind('range_seconds', 'Float64', (range.toMs - range.fromMs) / 1000);
  const columns = measures.map((measure, i) => ({
    measure,
    column: `m${i}`,
    bounded: false,
    sketch: false,
    sql: aggregate(measure, { table: 'flows', mode: 'plain', seconds, binder }).value,
  }));
  const orders = orderBy.flatMap((order) => {
    const index = 'measure' in order ? query.measures.indexOf(order.measure) : -1;
    const sql = columns[index]?.sql;
    return sql === undefined ? [] : [`${sql} ${order.direction === 'asc' ? 'ASC' : 'DESC'}`];
  });
  if (orders.length === 0) orders.push('min(first) DESC');
  const statement = {
    range,
    filter,
    further: columns.map(({ sql, column }) => `${sql} AS ${column}`),
    having: '',
    orders: [...orders, 'flow_id', 'probe'],
    limit: binder.bind('limit', 'UInt32', limit + 1),
  };
  const sql = flowSql(statement, binder);
  return {
    type: 'flows',
    refId: query.refId,
    table: 'flows',
    mode: 'plain',
    shiftMs: 0,
    sql,
    params: binder.params,
    rowsMax: limits.rowsMax,
    range,
    intervalMs: null,
    measures: columns.map(({ measure, column, bounded, sketch }) => ({ measure, column, bounded, sketch })),
    dimensions: [],
    limit,
    hasRest: false,
    other: false,
    displayUnits: query.units === 'display',
    filter: filter?.canonical ?? null,
    errorBounds: [],
    notices: [],
  };
}

/** Rows of a `flows` statement as one frame. */
export function flowFrame(plan: Plan, columns: Columns): Answer {
  const truncated = columns.rows > plan.limit;
  const rows = Math.min(columns.rows, plan.limit);
  const fields: FrameField[] = [];
  const values: FrameValue[][] = [];
  const add = (field: FrameField, name: string, show: (value: unknown) => FrameValue): void => {
    fields.push(field);
    values.push(columns.get(name).slice(0, rows).map(show));
  };
  const field = (name: string, type: FrameFieldType, displayName: string, unit?: string): FrameField => ({
    name,
    type,
    typeInfo: { frame: type === 'time' ? 'time.Time' : type === 'number' ? 'float64' : 'string', nullable: true },
    config: { displayName, ...(unit === undefined ? {} : unitConfig(unit)) },
  });
  for (const { name, label, type, unit, show } of flowFields) {
    const display = displayUnit(unit === 'ns' ? 'ns' : 'short', plan.displayUnits);
    const inNanoseconds = unit === 'ns';
    add(field(name, type, label, inNanoseconds ? display.unit : unit), `f_${name}`, (value) => {
      const shown = show(value);
      return inNanoseconds && typeof shown === 'number' ? shown * display.factor : shown;
    });
  }
  add(field('probe', 'string', 'Probe'), 'probe', text);
  add(field('flow_id', 'string', 'Flow id'), 'f_flow_id', text);
  for (const { measure, column } of plan.measures) {
    if (flowFields.some(({ name }) => name === measure.id)) continue;
    const { unit, factor } = displayUnit(measure.unit, plan.displayUnits);
    add(field(measure.id, 'number', measure.label, unit), column, (value) =>
      value === null || value === undefined ? null : Number(value) * factor,
    );
  }
  const notices = truncated
    ? { notices: [{ severity: 'info' as const, text: `only the first ${plan.limit} flows are shown; raise limit` }] }
    : {};
  const meta = { type: 'table', preferredVisualisationType: 'table' as const, ...notices };
  return {
    frames: [{ schema: { refId: plan.refId, meta, fields }, data: { values } }],
    truncated,
    errorBounds: [],
  };
}

/** Where a page of flows ended. */
interface Cursor {
  /** first packet, nanoseconds since 1970, in decimal */
  readonly first: string;
  readonly flowId: string;
  readonly probe: string;
}

/** A cursor as opaque text. */
const encodeCursor = (cursor: Cursor): string =>
  Buffer.from(JSON.stringify([cursor.first, cursor.flowId, cursor.probe])).toString('base64url');

/** Throws a validation ApiError on anything that `encodeCursor` did not make. */
function decodeCursor(cursor: string): Cursor {
  const refuse = () => invalid('#/cursor', 'is not a cursor of this API; take `next` of the page before, unchanged');
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw refuse();
  }
  if (!Array.isArray(parts) || parts.length !== 3 || !parts.every((part) => typeof part === 'string')) throw refuse();
  const [first, flowId, probe] = parts as [string, string, string];
  if (!/^\d{1,19}$/.test(first) || !/^\d{1,20}$/.test(flowId)) throw refuse();
  if (BigInt(first) >= 2n ** 63n || BigInt(flowId) >= 2n ** 64n) throw refuse();
  return { first, flowId, probe };
}

export interface FlowPageQuery {
  readonly range: TimeRange;
  readonly filter: CompiledFilter | null;
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  readonly cursor?: string;
}

export interface FlowPagePlan {
  readonly sql: string;
  readonly params: QueryParameters;
  readonly range: TimeRange;
  readonly limit: number;
}

/**
 * The statement of one page of flows, ordered by first packet, then flow id, then probe: an order that rows arriving
 * meanwhile do not change for flows already shown. Throws ApiErrors for a bad cursor or a filter of another table.
 */
export function planFlowPage(page: FlowPageQuery, windows: TableWindows): FlowPagePlan {
  chooseTable({ measures: [], dimensions: [], filter: page.filter, direction: 'client', sketchSubjects: new Set() });
  const binder = new Binder();
  const range = alignRange(page.range, windowMillis('flows', windows));
  let having = '';
  if (page.cursor !== undefined) {
    const { first, flowId, probe } = decodeCursor(page.cursor);
    const place = [
      binder.bind('cursor_first', 'Int64', first),
      binder.bind('cursor_flow_id', 'UInt64', flowId),
      binder.bind('cursor_probe', 'String', probe),
    ].join(', ');
    const sign = page.order === 'asc' ? '>' : '<';
    having = ` HAVING (toUnixTimestamp64Nano(min(first)), flow_id, probe) ${sign} (${place})`;
  }
  const direction = page.order === 'asc' ? 'ASC' : 'DESC';
  const statement = {
    range,
    filter: page.filter,
    further: [],
    having,
    orders: ['min(first)', 'flow_id', 'probe'].map((key) => `${key} ${direction}`),
    limit: binder.bind('limit', 'UInt32', page.limit + 1),
  };
  return {
    sql: flowSql(statement, binder),
    params: binder.params,
    range,
    limit: page.limit,
  };
}

/** A page by columns: the form in which a million flows cost least. */
export interface FlowColumns {
  readonly columns: readonly { readonly name: string; readonly type: FrameFieldType }[];
  readonly rows: number;
  readonly values: readonly (readonly FrameValue[])[];
  /** cursor of the next page; null at the end */
  readonly next: string | null;
}

/** Rows of a page by columns, and the cursor of the next page. */
export function flowColumns(plan: FlowPagePlan, columns: Columns): FlowColumns {
  const rows = Math.min(columns.rows, plan.limit);
  const shown = (name: string, show: FlowField['show']): FrameValue[] => columns.get(name).slice(0, rows).map(show);
  const at = (name: string): string => String(columns.get(name)[rows - 1]);
  const more = columns.rows > plan.limit && rows > 0;
  return {
    columns: [
      { name: 'flow_id', type: 'string' },
      { name: 'probe', type: 'string' },
      ...flowFields.map(({ name, type }) => ({ name, type })),
    ],
    rows,
    values: [
      shown('f_flow_id', text),
      shown('probe', text),
      ...flowFields.map(({ name, show }) => shown(`f_${name}`, show)),
    ],
    next: more ? encodeCursor({ first: at('f_first'), flowId: at('f_flow_id'), probe: at('probe') }) : null,
  };
}

/** Rows of a page as flow objects, and the cursor of the next page. */
export function flowPage(
  plan: FlowPagePlan,
  result: Columns,
): { flows: Record<string, FrameValue>[]; next: string | null } {
  const { columns, rows, values, next } = flowColumns(plan, result);
  const flows = Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(columns.map(({ name }, i) => [name, values[i]?.[row] ?? null])),
  );
  return { flows, next };
}
