/**
 * What changed: which values of which dimensions account for the difference of a measure between two ranges.
 *
 * Contributions. Every measure here is a sum over groups, brought to a common scale: sums to the length of the later range,
 * rates by their seconds, a ratio or mean by the divisor of all groups together (a group's part of the retransmission ratio
 * is its retransmissions by everybody's packets). So the contributions of all values of one dimension add up to the whole,
 * before and after, and their changes to the whole change.
 *
 * Ranking. The change alone would always put what holds everything (protocol tcp) first. A value that itself changed
 * entirely says more, so the change is weighted by what part of the value it is: score = change^2 / max(before, after).
 * A new talker scores its whole traffic, a host that always was there and grew by a tenth a tenth of its growth. It is
 * the weight that Adtributor (Bhagwan et al., NSDI 2014) calls surprise, in a form that reads in both directions.
 *
 * Statements. One for the totals, one for each dimension, and three for two dimensions together, of those that
 * explained most alone. A pair is listed when it explains more than either of its halves.
 */
import type { Frame, FrameField, FrameValue, QueryTable, TimeRange } from '@netspectra/query';
import { ApiError, invalid } from '../problem.js';
import { massOf } from './aggregate.js';
import { Binder } from './bind.js';
import { chooseMode, chooseTable } from './choose.js';
import type { Columns } from './columns.js';
import { displayUnit, unitConfig } from './display.js';
import { groupOf, groupValue, keysOf } from './keys.js';
import { rowsWhere, sentBy } from './rows.js';
import type { RowMode } from './rows.js';
import { scopeOf } from './scope.js';
import type { CheckedQuery, Group, PlannedDimension, Statement } from './types.js';
import { valueFilter } from './value-filter.js';

/** Where to look when the query does not say: what names a party or a kind of traffic. */
const usualDimensions: readonly string[] = [
  'client_ip',
  'server_ip',
  'server_port',
  'application',
  'protocol',
  'dns_name',
  'dns_rcode',
  'http_host',
  'http_status',
  'tls_server_name',
  'vlan',
  'probe',
];
/** Dimensions whose pairs are looked at. */
const pairedDimensions = 3;
/** Values of each dimension that compete for the ranking, beyond the wanted ones. */
const candidatesMin = 20;
/** A pair must explain so much more than its halves to be listed. */
const pairGain = 1.02;

/** Before and after, both aligned to whole windows. */
export interface ExplainRanges {
  readonly before: TimeRange;
  readonly after: TimeRange;
}

interface Part {
  readonly groups: readonly Group[];
  readonly mode: RowMode;
  /** only these values of each group, as the store has them */
  readonly only?: readonly KeyValues[];
}

/** Values of a key column, bound as an array. */
type KeyValues = readonly string[] | readonly number[];

const keyTypes: Readonly<Record<Group['dimension']['type'], string>> = {
  ip: 'Array(IPv6)',
  text: 'Array(String)',
  number: 'Array(UInt64)',
  port: 'Array(UInt64)',
  enum: 'Array(UInt64)',
};

/** Where the whole answer comes from: one table, or the parts would not add up to the total. */
export interface ExplainSource {
  readonly table: QueryTable;
  /** to look at */
  readonly groups: readonly Group[];
}

export interface ExplainPart extends Part, Statement {
  readonly dimensions: readonly PlannedDimension[];
}

const tableOf = (checked: CheckedQuery, groups: readonly Group[]): QueryTable =>
  chooseTable({ ...checked, dimensions: groups.map(({ dimension }) => dimension), sketchSubjects: new Set() });

/**
 * The table that answers, and the dimensions to look at: those that were asked for, else the usual ones that stand in the
 * table of the first of them. Throws ApiErrors when no table has what is asked for together.
 */
export function explainSource(checked: CheckedQuery): ExplainSource {
  if (checked.groups.length > 0) return { table: tableOf(checked, checked.groups), groups: checked.groups };
  // Says what is wrong when the measure and the filter do not go together.
  tableOf(checked, []);
  const usual = usualDimensions.map((id) => groupOf(id, '#/groupBy'));
  for (const group of usual) {
    try {
      const table = tableOf(checked, [group]);
      return { table, groups: usual.filter(({ dimension }) => table in dimension.sources) };
    } catch (error) {
      // That no table has them together only means that this dimension says nothing here.
      if (!(error instanceof ApiError && error.kind === 'query')) throw error;
    }
  }
  throw invalid('#/groupBy', 'name the dimensions to look at: none of the usual ones is there');
}

/** The ranges rounded to windows, each at the nearest: those that meet in a moment still meet, and do not overlap. */
export function explainRanges(checked: CheckedQuery, windowMs: number): ExplainRanges {
  if (!checked.before) throw new Error('an explain query has a range before');
  const round = ({ fromMs, toMs }: TimeRange): TimeRange => {
    const from = Math.round(fromMs / windowMs) * windowMs;
    return { fromMs: from, toMs: Math.max(Math.round(toMs / windowMs) * windowMs, from + windowMs) };
  };
  return { before: round(checked.before), after: round(checked.range) };
}

/** One part for each of the groups, or for all of them together. */
export const partOf = (checked: CheckedQuery, table: QueryTable, groups: readonly Group[]): Part => ({
  groups,
  mode: chooseMode(table, { ...checked, dimensions: groups.map(({ dimension }) => dimension) }),
});

/** What contributions are multiplied by, so that before and after compare. */
export interface Scales {
  readonly before: number;
  readonly after: number;
}

/** What all statements of an answer share. */
export interface Explained {
  readonly checked: CheckedQuery;
  readonly table: QueryTable;
  readonly ranges: ExplainRanges;
}

/** The rows of one period, by group: the mass and, for the totals, its divisor. */
function periodSql(
  { checked, table, ranges }: Explained,
  part: Part,
  period: keyof ExplainRanges,
  binder: Binder,
): { readonly sql: string; readonly dimensions: readonly PlannedDimension[]; readonly names: readonly string[] } {
  const [measure] = checked.measures;
  const mass = measure && massOf(measure, table, part.mode);
  if (!mass) throw new Error('a measure that cannot be explained');
  const { keys, dimensions } = keysOf(part.groups, table, part.mode, binder);
  const names = keys.map(({ column }) => column);
  const scope = scopeOf(checked, { table, mode: part.mode, range: ranges[period], shiftMs: 0 }, binder, `${period}_`);
  const rows = rowsWhere(
    table,
    part.mode,
    scope.conditions,
    keys.map(({ sql, column }) => `${sql} AS ${column}`),
    sentBy(checked, table),
  );
  const only = part.groups.flatMap(({ dimension }, i) => {
    const values = part.only?.[i];
    return values ? [`d${i} IN ${binder.bind(`only_${i}`, keyTypes[dimension.type], values)}`] : [];
  });
  const columns = [...names, `${period === 'after' ? 1 : 0} AS ns_after`, `toFloat64(${mass.mass}) AS ns_mass`];
  if (mass.divisor !== undefined && names.length === 0) columns.push(`toFloat64(${mass.divisor}) AS ns_divisor`);
  const groupBy = names.length === 0 ? '' : ` GROUP BY ${names.join(', ')}`;
  const where = only.length === 0 ? '' : ` WHERE ${only.join(' AND ')}`;
  return { sql: `SELECT ${columns.join(', ')} ${rows}${where}${groupBy}`, dimensions, names };
}

/** The statement of the totals: a row for each period, columns `ns_after`, `ns_mass` and, for ratios, `ns_divisor`. */
export function planTotals(explained: Explained): Statement {
  const part = partOf(explained.checked, explained.table, []);
  const binder = new Binder();
  const of = (period: keyof ExplainRanges): string => periodSql(explained, part, period, binder).sql;
  return { sql: `${of('before')} UNION ALL ${of('after')}`, params: binder.params };
}

export interface Totals {
  readonly scales: Scales;
  /** the measure itself; null where a ratio has no divisor */
  readonly before: number | null;
  readonly after: number | null;
}

/** The rows of the totals, and by what contributions are to be multiplied. */
export function totalsOf({ checked, ranges }: Explained, columns: Columns): Totals {
  const [measure] = checked.measures;
  const rowOf = (flag: number): number => columns.get('ns_after').findIndex((value) => Number(value) === flag);
  const seconds = ({ fromMs, toMs }: TimeRange): number => (toMs - fromMs) / 1000;
  const scale = (period: keyof ExplainRanges): number => {
    switch (measure?.kind) {
      case 'rate':
        return measure.factor / seconds(ranges[period]);
      case 'ratio':
      case 'average': {
        const divisor = columns.number('ns_divisor', rowOf(period === 'after' ? 1 : 0)) ?? 0;
        return divisor === 0 ? 0 : 1 / divisor;
      }
      case 'sum':
        return period === 'after' ? 1 : seconds(ranges.after) / seconds(ranges.before);
      default:
        return 1;
    }
  };
  const scales = { before: scale('before'), after: scale('after') };
  const total = (flag: number, by: number): number | null =>
    by === 0 ? null : (columns.number('ns_mass', rowOf(flag)) ?? 0) * by;
  return { scales, before: total(0, scales.before), after: total(1, scales.after) };
}

/** The statement of a dimension, or of several together: its values that changed most, columns `before` and `after`. */
export function planPart(explained: Explained, part: Part, scales: Scales, wanted: number): ExplainPart {
  const binder = new Binder();
  const before = periodSql(explained, part, 'before', binder);
  const after = periodSql(explained, part, 'after', binder);
  const names = after.names.join(', ');
  const scaled = (flag: 0 | 1, by: string): string => `sumIf(ns_mass, ns_after = ${flag}) * ${by}`;
  const sums =
    `SELECT ${names}, ` +
    `${scaled(0, binder.bind('scale_before', 'Float64', scales.before))} AS before, ` +
    `${scaled(1, binder.bind('scale_after', 'Float64', scales.after))} AS after ` +
    `FROM (${before.sql} UNION ALL ${after.sql}) GROUP BY ${names}`;
  const score = 'if(before = after, 0, (after - before) * (after - before) / greatest(before, after))';
  return {
    ...part,
    dimensions: after.dimensions,
    sql:
      `SELECT *, ${score} AS score FROM (${sums}) WHERE before != after ORDER BY score DESC, ${names} ` +
      `LIMIT ${binder.bind('limit', 'UInt32', Math.max(wanted, candidatesMin))}`,
    params: binder.params,
  };
}

/** A value, or several together, and how it changed. */
export interface Finding {
  readonly groups: readonly Group[];
  readonly names: readonly (string | number | null)[];
  /** the values of the key columns, as the store has them */
  readonly keys: readonly unknown[];
  readonly before: number;
  readonly after: number;
  readonly score: number;
}

export const findingsOf = (part: ExplainPart, columns: Columns): Finding[] =>
  Array.from({ length: columns.rows }, (_, row) => ({
    groups: part.groups,
    names: part.dimensions.map((planned) => groupValue(columns, planned, row)),
    keys: part.dimensions.map(({ column }) => columns.get(column)[row]),
    before: columns.number('before', row) ?? 0,
    after: columns.number('after', row) ?? 0,
    score: columns.number('score', row) ?? 0,
  }));

/** Sums of the same rows in another order differ by less. */
const sameSum = 1e-9;

/**
 * Whether the value explains anything: one that everything has, before and after (the only probe, no VLAN), changed as much
 * as the whole and is no reason for it.
 */
export function isTelling({ before, after }: Finding, totals: Totals): boolean {
  const same = (a: number, b: number | null): boolean => b !== null && Math.abs(a - b) <= sameSum * Math.abs(b);
  return !(before > 0 && after > 0 && same(before, totals.before) && same(after, totals.after));
}

/**
 * The pairs of dimensions worth a statement: those of the dimensions that explain most alone, and of these the values that
 * do. All pairs of two dimensions may be millions, and where both together changed much, each alone did.
 */
export function pairParts({ checked, table }: Explained, findings: readonly Finding[]): Part[] {
  const best = new Map<string, { readonly group: Group; readonly score: number }>();
  for (const { groups, score } of findings) {
    const [group] = groups;
    if (group && score > (best.get(group.key)?.score ?? 0)) best.set(group.key, { group, score });
  }
  const leading = [...best.values()].sort((a, b) => b.score - a.score).slice(0, pairedDimensions);
  return leading.flatMap((first, i) =>
    // 10.0.0.1 in 10.0.0.0/24 says nothing new.
    leading
      .slice(i + 1)
      .filter((second) => first.group.dimension !== second.group.dimension)
      .map((second) => [first.group, second.group])
      .map((groups) => ({
        ...partOf(checked, table, groups),
        only: groups.map((group) => keysOfGroup(findings, group)),
      })),
  );
}

function keysOfGroup(findings: readonly Finding[], group: Group): KeyValues {
  const keys = findings.filter(({ groups }) => groups[0] === group).map((finding) => finding.keys[0]);
  const { type } = group.dimension;
  return type === 'ip' || type === 'text' ? keys.map(String) : keys.map(Number);
}

const keyOf = (group: Group | undefined, name: string | number | null | undefined): string =>
  JSON.stringify([group?.key, name]);

/** All findings in order: by score, single values before pairs, dimensions in the order they were looked at. */
export function ranked(singles: readonly Finding[], pairs: readonly Finding[]): Finding[] {
  const alone = new Map(singles.map((finding) => [keyOf(finding.groups[0], finding.names[0]), finding.score]));
  const telling = pairs.filter(({ groups, names, score }) =>
    groups.every((group, i) => score > (alone.get(keyOf(group, names[i])) ?? 0) * pairGain),
  );
  return [...singles, ...telling]
    .map((finding, i) => ({ finding, i }))
    .sort((a, b) => b.finding.score - a.finding.score || a.i - b.i)
    .map(({ finding }) => finding);
}

/** The ranking as one frame. @param more notices besides those of the ranges */
export function explainFrame(
  { checked, ranges }: Explained,
  totals: Totals,
  findings: readonly Finding[],
  more: readonly string[],
): Frame {
  const [measure] = checked.measures;
  if (!measure) throw new Error('an explain query has a measure');
  const display = checked.query.units === 'display';
  const { unit, factor } = displayUnit(measure.unit, display);
  const share = displayUnit('percentunit', display);
  const change = totals.before === null || totals.after === null ? null : totals.after - totals.before;
  const text = (name: string, displayName: string): FrameField => ({
    name,
    type: 'string',
    typeInfo: { frame: 'string', nullable: true },
    config: { displayName },
  });
  const number = (name: string, displayName: string, of: string): FrameField => ({
    name,
    type: 'number',
    typeInfo: { frame: 'float64', nullable: true },
    config: { displayName, ...unitConfig(of) },
  });
  const fields: FrameField[] = [
    text('dimension', 'Dimension'),
    text('value', 'Value'),
    number('before', `${measure.label}, before`, unit),
    number('after', `${measure.label}, after`, unit),
    number('change', 'Change', unit),
    number('change_ratio', 'Relative change', share.unit),
    number('share', 'Share of the change', share.unit),
    text('filter', 'Filter'),
  ];
  const shown = (name: string | number | null): string => (name === null || name === '' ? '(none)' : String(name));
  const rows = findings.map(({ groups, names, before, after }): FrameValue[] => [
    groups.map((group) => group.key).join(', '),
    names.map(shown).join(', '),
    before * factor,
    after * factor,
    (after - before) * factor,
    before === 0 ? null : ((after - before) / before) * share.factor,
    change === null || change === 0 ? null : ((after - before) / change) * share.factor,
    groups.map((group, i) => valueFilter(group, names[i] ?? null)).join(' and '),
  ]);
  const total = {
    before: totals.before === null ? null : totals.before * factor,
    after: totals.after === null ? null : totals.after * factor,
    change: change === null ? null : change * factor,
  };
  const notices = [...more, ...explainNotices(checked, ranges)];
  return {
    schema: {
      refId: checked.query.refId,
      meta: {
        type: 'table',
        preferredVisualisationType: 'table' as const,
        ...(notices.length > 0 ? { notices: notices.map((text) => ({ severity: 'info' as const, text })) } : {}),
        custom: { measure: measure.id, total, before: ranges.before, after: ranges.after },
      },
      fields,
    },
    data: { values: fields.map((_, i) => rows.map((row) => row[i] ?? null)) },
  };
}

function explainNotices(checked: CheckedQuery, { before, after }: ExplainRanges): string[] {
  const [measure] = checked.measures;
  const lengths = [before, after].map(({ fromMs, toMs }) => (toMs - fromMs) / 1000);
  const [first = 0, second = 0] = lengths;
  const notices: string[] = [];
  if (measure?.kind === 'distinct') notices.push('distinct counts of values do not add up to that of all');
  if (first !== second && measure?.kind === 'sum') {
    notices.push(`before (${first} s) was brought to the length of after (${second} s)`);
  }
  if (first !== second && measure?.kind === 'distinct') {
    notices.push(`the ranges differ in length (${first} s and ${second} s), and distinct counts grow with it`);
  }
  return notices;
}
