/**
 * The planner against a plain reading of the same rows (reference-testing.ts): random small data, random queries, every
 * number compared, every answer held against the schema of answers.
 */
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findMeasure, measureTables } from '@netspectra/query';
import type { Frame } from '@netspectra/query';
import { queryResponseSchema } from '../schemas/index.js';
import { frameRows } from '../testing.js';
import type { TestApi, TestResult } from '../testing.js';
import {
  compare,
  grouped,
  isSampled,
  makeWorld,
  reference,
  seconds,
  seenBy,
  start,
  whenEmpty,
} from './reference-testing.js';
import type { Room, Seen, Span } from './reference-testing.js';

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const runs = 200;
const { rooms, flowRows, open } = makeWorld(seed);
const isAnswer = new Ajv({ strict: false }).compile(queryResponseSchema);

let testApi: TestApi;
beforeAll(async () => {
  testApi = await open();
});
afterAll(async () => testApi?.close());

interface Case {
  room: string;
  type: 'timeseries' | 'table';
  measures: string[];
  groupBy: string[];
  filter: number;
  direction: number;
  limit: number;
  other: boolean;
  ascending: boolean;
  fromMs: number;
  lengthMs: number;
  intervalMs: number;
  /** offset of compareTo; absent: none */
  offset?: string;
}

/** The rows of a query in one period, by group. */
interface Period {
  rows: readonly Seen[];
  groups: Map<string, Seen[]>;
  span: Span;
}

type Value = number | null;

const near = (actual: unknown, wanted: Value, what: string): void => {
  if (wanted === null) return expect(actual, what).toBeNull();
  if (!/per_second|share|ratio|avg/.test(what) && Number.isInteger(wanted)) return expect(actual, what).toBe(wanted);
  expect(typeof actual, what).toBe('number');
  expect(Math.abs(Number(actual) - wanted), what).toBeLessThanOrEqual(Math.abs(wanted) * 1e-9);
};

const measured = (id: string, rows: readonly Seen[], span: Span): Value => reference[id]!(rows, span);
/** A group in a period in which it may have no rows. */
const measuredIn = (id: string, rows: readonly Seen[] | undefined, span: Span): Value =>
  rows === undefined || rows.length === 0 ? whenEmpty(id) : measured(id, rows, span);

/** Width of the samples of rates, by the documented rule. */
function sampleMs(one: Case, room: Room, intervalMs: number): number {
  const series = one.type === 'timeseries';
  const length = series ? intervalMs : one.lengthMs;
  const fits = (width: number): boolean => width % room.windowMs === 0 && (!series || intervalMs % width === 0);
  if (length >= 86_400_000 && fits(300_000)) return 300_000;
  if (length >= 3_600_000 && fits(60_000)) return 60_000;
  return fits(10_000) ? 10_000 : room.windowMs;
}

const offsets: Record<string, number> = { '10s': 10_000, '40s': 40_000, '1m': 60_000, '1h': 3_600_000 };

async function check(one: Case): Promise<void> {
  const room = rooms[one.room]!;
  const filter = room.filters[one.filter % room.filters.length]!;
  const direction = room.directions[one.direction % room.directions.length]!;
  const { measures } = one;
  const fromMs = start * 1000 + one.fromMs;
  const toMs = fromMs + one.lengthMs;
  const series = one.type === 'timeseries';
  const request = {
    from: fromMs,
    to: toMs,
    queries: [
      {
        refId: 'A',
        type: one.type,
        measures,
        groupBy: one.groupBy,
        filter: filter.text,
        limit: one.limit,
        other: one.other,
        direction,
        orderBy: [{ measure: measures[0], direction: one.ascending ? 'asc' : 'desc' }],
        ...(series ? { intervalMs: one.intervalMs } : {}),
        ...(one.offset === undefined ? {} : { compareTo: { offset: one.offset } }),
      },
    ],
  };
  const results = await testApi.query(request);
  const result = results['A']!;
  expect(result.error, result.error).toBeUndefined();
  expect(isAnswer({ results }), JSON.stringify(isAnswer.errors)).toBe(true);
  expect(result.meta.tables).toEqual([room.table]);
  const intervalMs = Math.ceil(one.intervalMs / room.windowMs) * room.windowMs;
  const width = sampleMs(one, room, intervalMs);
  const step = series ? intervalMs : measures.some(isSampled) ? width : room.windowMs;
  const alignedFrom = Math.floor(fromMs / step) * step;
  const alignedTo = Math.ceil(toMs / step) * step;
  expect(result.meta).toMatchObject({ fromMs: alignedFrom, toMs: alignedTo });
  const seen = seenBy(room, one, filter, direction);
  const period = (shiftMs: number): Period => {
    const span = { fromMs: alignedFrom - shiftMs, toMs: alignedTo - shiftMs, sampleMs: width };
    const rows = seen.filter((row) => row.ms >= span.fromMs && row.ms < span.toMs);
    return { rows, groups: grouped(rows, one.groupBy), span: { ...span, all: rows } };
  };
  const now = period(0);
  if (one.offset === undefined) {
    return series ? checkSeries(one, result, now, intervalMs) : checkTable(one, result, now);
  }
  const shiftMs = offsets[one.offset]!;
  expect(result.meta['before']).toEqual({ fromMs: alignedFrom - shiftMs, toMs: alignedTo - shiftMs });
  if (series) checkSeries(one, result, now, intervalMs, { ...period(shiftMs), shiftMs });
  else checkComparedTable(one, result, now, period(shiftMs));
}

const leadingOf = (one: Case, { groups, span }: Period): Value[] =>
  [...groups.values()]
    .map((group) => measured(one.measures[0]!, group, span))
    .sort((a, b) => compare(a, b, one.ascending))
    .slice(0, one.limit);

/** Groups by the text of the answer's columns: with "other" every dimension is text. */
function byText(one: Case, groups: Map<string, Seen[]>): Map<string, Seen[]> {
  const text = (value: unknown): unknown => (one.other && value !== null ? String(value) : value);
  return new Map([...groups].map(([key, group]) => [JSON.stringify((JSON.parse(key) as unknown[]).map(text)), group]));
}

function checkTable(one: Case, result: TestResult, now: Period): void {
  const answer = frameRows(result.frames[0]);
  if (one.groupBy.length === 0) {
    expect(answer).toHaveLength(1);
    for (const id of one.measures) near(answer[0]![id], measured(id, now.rows, now.span), id);
    return;
  }
  const leading = leadingOf(one, now);
  const cut = now.groups.size > one.limit;
  expect(answer).toHaveLength(leading.length + (one.other && cut ? 1 : 0));
  expect(result.meta.truncated).toBe(cut && !one.other);
  const groups = byText(one, now.groups);
  const left = new Set(groups.keys());
  answer.slice(0, leading.length).forEach((row, i) => {
    const key = JSON.stringify(one.groupBy.map((id) => row[id]));
    const group = groups.get(key);
    expect(group, `group ${key}`).toBeDefined();
    expect(left.delete(key), `group ${key} twice`).toBe(true);
    for (const id of one.measures) near(row[id], measured(id, group!, now.span), `${id} of ${key}`);
    near(row[one.measures[0]!], leading[i]!, `order of ${one.measures[0]}`);
  });
  if (one.other && cut) {
    const rest = [...left].flatMap((key) => groups.get(key)!);
    const row = answer.at(-1)!;
    for (const id of one.groupBy) expect(row[id]).toBe('other');
    for (const id of one.measures) near(row[id], measured(id, rest, now.span), `${id} of other`);
  }
}

/** Both periods of every row, which rows there are, and that nothing is lost in the rest. */
function checkComparedTable(one: Case, result: TestResult, now: Period, before: Period): void {
  const answer = frameRows(result.frames[0]);
  const compared = (
    row: Record<string, unknown>,
    rowsNow: readonly Seen[],
    rowsBefore: readonly Seen[],
    what: string,
  ) => {
    // Without groups there is always a row; a group of another period has the values of nothing.
    const value = one.groupBy.length === 0 ? measured : measuredIn;
    for (const id of one.measures) {
      const [a, b] = [value(id, rowsNow, now.span), value(id, rowsBefore, before.span)];
      near(row[id], a, `${id} of ${what}`);
      near(row[`${id}_before`], b, `${id} before of ${what}`);
      const [shownNow, shownBefore] = [row[id] as Value, row[`${id}_before`] as Value];
      const change = shownNow === null || shownBefore === null ? null : shownNow - shownBefore;
      expect(row[`${id}_change`]).toBe(change);
      expect(row[`${id}_change_ratio`]).toBe(change === null || !shownBefore ? null : change / shownBefore);
    }
  };
  if (one.groupBy.length === 0) {
    expect(answer).toHaveLength(1);
    return compared(answer[0]!, now.rows, before.rows, 'all');
  }
  const [groupsNow, groupsBefore] = [byText(one, now.groups), byText(one, before.groups)];
  const first = one.measures[0]!;
  const left = new Set([...groupsNow.keys(), ...groupsBefore.keys()]);
  const shown = new Set<string>();
  // A group may be called "other" itself: when the rows are as many different ones as there are groups, each is a group.
  const named = answer.map((row) => JSON.stringify(one.groupBy.map((id) => row[id])));
  const isGroup = new Set(named).size === left.size && answer.length === left.size && left.has(named.at(-1) ?? '');
  const hasRest =
    one.other &&
    answer.length > 0 &&
    one.groupBy.every((id) => answer.at(-1)![id] === 'other') &&
    left.size > answer.length - 1 &&
    !isGroup;
  const rows = hasRest ? answer.slice(0, -1) : answer;
  for (const row of rows) {
    const key = JSON.stringify(one.groupBy.map((id) => row[id]));
    expect(left.delete(key), `group ${key}`).toBe(true);
    shown.add(key);
    compared(row, groupsNow.get(key) ?? [], groupsBefore.get(key) ?? [], key);
  }
  // Whoever leads either period is there, and nobody else.
  for (const [period, groups] of [
    [now, groupsNow],
    [before, groupsBefore],
  ] as const) {
    const leading = leadingOf(one, period);
    const last = leading.at(-1);
    for (const [key, group] of groups) {
      const value = measured(first, group, period.span);
      if (leading.length < one.limit) expect(shown, key).toContain(key);
      else if (last !== undefined && strictly(value, last, one.ascending)) expect(shown, key).toContain(key);
    }
  }
  expect(shown.size).toBeLessThanOrEqual(2 * one.limit);
  expect(result.meta.truncated).toBe(left.size > 0 && !one.other);
  if (hasRest) {
    const of = (groups: Map<string, Seen[]>): Seen[] => [...left].flatMap((key) => groups.get(key) ?? []);
    compared(answer.at(-1)!, of(groupsNow), of(groupsBefore), 'other');
  } else if (one.other) expect(left.size).toBe(0);
}

/** Before the other in the order by more than rounding. */
const strictly = (a: Value, b: Value, ascending: boolean): boolean =>
  compare(a, b, ascending) < 0 && (a === null || b === null || Math.abs(a - b) > Math.abs(b) * 1e-9);

function checkSeries(
  one: Case,
  result: TestResult,
  now: Period,
  intervalMs: number,
  before?: Period & { shiftMs: number },
): void {
  expect(result.frames).toHaveLength(before ? 2 : 1);
  const leading = leadingOf(one, now);
  const cut = now.groups.size > one.limit && one.groupBy.length > 0;
  expect(result.meta.truncated).toBe(cut && !one.other);
  const seriesCount = one.groupBy.length === 0 ? 1 : leading.length + (one.other && cut ? 1 : 0);
  const shown = readSeries(one, result.frames[0]!, now, intervalMs, 0, undefined, one.other && cut);
  expect(shown).toHaveLength(seriesCount);
  const named = shown.slice(0, leading.length);
  if (one.groupBy.length > 0) {
    named
      .map(({ group }) => measured(one.measures[0]!, group, now.span))
      .sort((a, b) => compare(a, b, one.ascending))
      .forEach((value, i) => near(value, leading[i]!, `the leading series by ${one.measures[0]}`));
  }
  if (!before) return;
  const kept = new Set(one.groupBy.length === 0 ? ['[]'] : named.map(({ key }) => key));
  const old = readSeries(one, result.frames[1]!, before, intervalMs, before.shiftMs, kept, false);
  const wanted = [...textGroups(one, before).keys()];
  const hasRest = one.other && wanted.some((key) => !kept.has(key));
  expect(old).toHaveLength(wanted.filter((key) => kept.has(key)).length + Number(hasRest));
}

function textGroups(one: Case, { groups, rows }: Period): Map<string, Seen[]> {
  if (one.groupBy.length === 0) return new Map([['[]', [...rows]]]);
  const text = (key: string): string => JSON.stringify((JSON.parse(key) as unknown[]).map((v) => String(v ?? '')));
  // A port that is absent and an empty text look the same in labels, but never in one dimension.
  const found = new Map([...groups].map(([key, group]) => [text(key), group]));
  expect(found.size).toBe(groups.size);
  return found;
}

/**
 * The series of a frame, each compared with its rows.
 * @param kept of an earlier period: the groups that have series; everything else is in the rest
 */
function readSeries(
  one: Case,
  frame: Frame,
  period: Period,
  intervalMs: number,
  shiftMs: number,
  kept: ReadonlySet<string> | undefined,
  lastIsRest: boolean,
): { key: string; group: readonly Seen[] }[] {
  const { fields } = frame.schema;
  const times = frame.data.values[0]!;
  const { fromMs, toMs } = period.span;
  expect(times).toEqual(
    Array.from({ length: (toMs - fromMs) / intervalMs }, (_, i) => fromMs + shiftMs + i * intervalMs),
  );
  const groups = textGroups(one, period);
  const left = new Set(groups.keys());
  expect(new Set(fields.map((field) => field.name + JSON.stringify(field.labels))).size).toBe(fields.length);
  expect((fields.length - 1) % one.measures.length).toBe(0);
  const count = (fields.length - 1) / one.measures.length;
  return Array.from({ length: count }, (_, series) => {
    const at = 1 + series * one.measures.length;
    const { labels = {} } = fields[at]!;
    const key = JSON.stringify(one.groupBy.map((id) => labels[id]));
    const isRest = kept ? !kept.has(key) && series === count - 1 && one.other : lastIsRest && series === count - 1;
    const members = kept ? [...groups.keys()].filter((each) => !kept.has(each)) : [...left];
    const group = isRest ? members.flatMap((each) => groups.get(each)!) : groups.get(key)!;
    if (!isRest) expect(left.delete(key), `series ${key}`).toBe(true);
    if (kept && !isRest) expect(kept.has(key), key).toBe(true);
    if (shiftMs > 0) expect(labels['period']).toMatch(/ before$/);
    one.measures.forEach((id, m) => {
      expect(fields[at + m]!.name).toBe(id);
      times.forEach((time, bucket) => {
        const begin = Number(time) - shiftMs;
        const inBucket = (row: Seen): boolean => row.ms >= begin && row.ms < begin + intervalMs;
        const all = period.rows.filter(inBucket);
        const span = { fromMs: begin, toMs: begin + intervalMs, sampleMs: period.span.sampleMs, all };
        near(
          frame.data.values[at + m]![bucket],
          measuredIn(id, group.filter(inBucket), span),
          `${id} at ${String(time)}`,
        );
      });
    });
    return { key, group };
  });
}

const cases: fc.Arbitrary<Case> = fc.constantFrom(...Object.keys(rooms)).chain((room) =>
  fc.record(
    {
      room: fc.constant(room),
      type: fc.constantFrom('timeseries' as const, 'table' as const),
      measures: fc
        .subarray(rooms[room]!.measures, { minLength: 1, maxLength: 4 })
        .chain((ids) => fc.shuffledSubarray(ids, { minLength: ids.length })),
      groupBy: fc.subarray(rooms[room]!.dimensions, { maxLength: 3 }),
      filter: fc.nat(20),
      direction: fc.nat(20),
      limit: fc.integer({ min: 1, max: 12 }),
      other: fc.boolean(),
      ascending: fc.boolean(),
      fromMs: fc.integer({ min: -15_000, max: 60_000 }),
      lengthMs: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 150_000 }) }, fc.constant(3_700_000)),
      intervalMs: fc.constantFrom(1000, 3000, 7000, 10_000, 30_000),
      offset: fc.constantFrom(...Object.keys(offsets)),
    },
    {
      requiredKeys: [
        'room',
        'type',
        'measures',
        'groupBy',
        'filter',
        'direction',
        'limit',
        'other',
        'ascending',
        'fromMs',
        'lengthMs',
        'intervalMs',
      ],
    },
  ),
);

/** The counters answer what they can; keep a case in its room by a measure that only flows have. */
function inRoom(one: Case): Case {
  // A long time series of seconds proves nothing more and takes the reference's time.
  const lengthMs = one.type === 'timeseries' ? Math.min(one.lengthMs, 150_000) : one.lengthMs;
  if (one.room !== 'flows') return { ...one, lengthMs };
  const inTraffic = (id: string): boolean => measureTables(findMeasure(id)!).includes('traffic');
  const counterDimensions = new Set(rooms['traffic']!.dimensions);
  const inHealth = new Set(['retransmission_ratio', 'rtt_avg', 'rtt_p95']);
  const healthDimensions = new Set(['probe', 'vlan']);
  const byCounters = one.measures.every(inTraffic) && one.groupBy.every((id) => counterDimensions.has(id));
  const byHealth = one.measures.every((id) => inHealth.has(id)) && one.groupBy.every((id) => healthDimensions.has(id));
  return { ...one, lengthMs, measures: byCounters || byHealth ? [...one.measures, 'new_flows'] : one.measures };
}

describe(`against the reference (seed ${seed})`, () => {
  test('random queries over random rows', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (one) => check(inRoom(one))),
      { seed, numRuns: runs, interruptAfterTimeLimit: 14_000, markInterruptAsFailure: false },
    );
  });

  test('the whole and its parts agree to the byte', async () => {
    const all = flowRows.reduce((sum, row) => sum + row.client_bytes + row.server_bytes, 0);
    const results = await testApi.query({
      from: start * 1000,
      to: (start + seconds) * 1000,
      queries: ['src_ip', 'dst_ip', 'src_port', 'server_ip', 'client_ip', 'dst_ip/8', 'client_ip/0/0'].map((id) => ({
        refId: id,
        type: 'table',
        measures: ['bytes'],
        groupBy: [id],
        limit: 2,
        other: true,
      })),
    });
    for (const [id, result] of Object.entries(results)) {
      const bytes = frameRows(result.frames[0]).map((row) => Number(row['bytes']));
      expect(
        bytes.reduce((a, b) => a + b, 0),
        id,
      ).toBe(all);
    }
  });
});
