/** Answers a checked query: which statements run, in which order, and what is made of their rows. */
import { queryLimits } from '@netspectra/query';
import type { QueryTable, TimeRange } from '@netspectra/query';
import type { ChosenRollup } from './choose.js';
import { describePlan } from './describe.js';
import type { Described } from './describe.js';
import {
  explainFrame,
  explainRanges,
  explainSource,
  findingsOf,
  isTelling,
  pairParts,
  partOf,
  planPart,
  planTotals,
  ranked,
  totalsOf,
} from './explain.js';
import type { Explained, Finding } from './explain.js';
import { flowFrame, planFlows } from './flows.js';
import { graphAnswer } from './graph.js';
import { windowMillis } from './interval.js';
import { needsSketches, planQuery, planSketchSubjects } from './plan.js';
import type { Period } from './plan.js';
import { planStock, rollupReason, stockOf, usableRollup } from './rollup.js';
import { seriesAnswer } from './series.js';
import { tableAnswer } from './table.js';
import type { Answer, Answered, Asking, CheckedQuery, Plan, Statement, StatementRows } from './types.js';

/** The statements that a query ran, and what they cost together. */
class Log {
  readonly statements: Statement[] = [];
  readonly tables: QueryTable[] = [];
  rowsRead = 0;
  elapsedMs = 0;

  constructor(private readonly asking: Asking) {}

  /** @param table from which the measures come; absent: the statement only prepares another one */
  async run(table: QueryTable, statement: Statement, prepares = false): Promise<StatementRows> {
    const { sql, params } = statement;
    if (!prepares) {
      this.statements.push({ sql, params });
      if (!this.tables.includes(table)) this.tables.push(table);
    }
    const rows = await this.asking.run(table, { sql, params });
    this.rowsRead += rows.rowsRead;
    this.elapsedMs += rows.elapsedMs;
    return rows;
  }
}

const describedBy = (asking: Asking, { table, mode }: Pick<Described, 'table' | 'mode'>): Described => ({
  table,
  mode,
  windowMs: windowMillis(table, asking.windows),
});

/** Answer a query. Throws ApiErrors whose pointers start at the query. */
export async function answerQuery(checked: CheckedQuery, asking: Asking): Promise<Answered> {
  const log = new Log(asking);
  if (checked.query.type === 'explain') return explain(checked, asking, log);
  const { offsetMs } = checked;
  const periods: readonly (Period | undefined)[] =
    offsetMs === undefined
      ? [undefined]
      : [
          { period: 'now', offsetMs },
          { period: 'before', offsetMs },
        ];
  const ranges = periods.map((period) => rangeOf(checked, period));
  // Both periods from the same table: a minute's rows beside an hour's would not compare.
  const rollups = await Promise.all(ranges.map((range) => rollupFor(checked, range, asking, log)));
  const rollup = rollups.find((each) => each !== undefined);
  const plans = await Promise.all(periods.map((period) => planFor(checked, asking, log, rollup, period)));
  const read = await Promise.all(
    plans.map(async (plan) => ({ plan, columns: (await log.run(plan.table, plan)).columns })),
  );
  const [now, before] = read;
  if (!now) throw new Error('a query without a statement');
  const answer = answerOf(checked, asking, now, before);
  const { range, intervalMs, sampleMs, filter } = now.plan;
  const shiftMs = before?.plan.shiftMs ?? 0;
  return {
    ...answer,
    ...costOf(log),
    plan: describePlan(
      plans.map((plan) => describedBy(asking, plan)),
      sampleMs === undefined ? [] : [`rates taken over samples of ${sampleMs / 1000} s`],
    ),
    range,
    intervalMs,
    filter,
    ...(sampleMs === undefined ? {} : { sampleMs }),
    ...(before ? { before: { fromMs: range.fromMs - shiftMs, toMs: range.toMs - shiftMs } } : {}),
  };
}

const costOf = ({ statements, tables, rowsRead, elapsedMs }: Log) => ({ statements, tables, rowsRead, elapsedMs });

/** The range of a period of a query. */
function rangeOf({ range: { fromMs, toMs } }: CheckedQuery, compared: Period | undefined): TimeRange {
  const back = compared?.period === 'before' ? compared.offsetMs : 0;
  return { fromMs: fromMs - back, toMs: toMs - back };
}

async function planFor(
  checked: CheckedQuery,
  asking: Asking,
  log: Log,
  rollup: ChosenRollup | undefined,
  compared: Period | undefined,
): Promise<Plan> {
  const { windows, limits } = asking;
  const { query } = checked;
  if (query.type === 'flows') return planFlows(checked, windows, limits);
  let subjects: ReadonlySet<string> = new Set();
  if (needsSketches(checked)) {
    const { columns } = await log.run('sketches', planSketchSubjects(rangeOf(checked, compared), windows), true);
    subjects = new Set(columns.get('subject').map(String));
  }
  // The paths of a graph are a table whose rest is shown unless it is not wanted.
  const asked = query.type === 'graph' ? { ...checked, query: { ...query, other: query.other ?? true } } : checked;
  return planQuery(asked, windows, limits, subjects, compared, rollup);
}

/** The rollup that answers in place of flow records that are too many, or gone. */
async function rollupFor(
  checked: CheckedQuery,
  range: TimeRange,
  asking: Asking,
  log: Log,
): Promise<ChosenRollup | undefined> {
  const table = usableRollup(checked, asking.windows);
  if (!table) return undefined;
  const stock = stockOf((await log.run('flows', planStock(range), true)).columns);
  const reason = rollupReason(table, range, stock, asking.limits.flowRowsMax);
  return reason === undefined ? undefined : { table, reason };
}

type Read = { readonly plan: Plan; readonly columns: StatementRows['columns'] };

function answerOf({ query }: CheckedQuery, { watermarkMs }: Asking, now: Read, before: Read | undefined): Answer {
  switch (query.type) {
    case 'flows':
      return flowFrame(now.plan, now.columns);
    case 'graph':
      return graphAnswer(now.plan, now.columns, query.mergeNodes === true);
    case 'timeseries':
      return seriesAnswer(now.plan, now.columns, watermarkMs, before);
    default:
      return tableAnswer(now.plan, now.columns, before);
  }
}

async function explain(checked: CheckedQuery, asking: Asking, log: Log): Promise<Answered> {
  const { query, before = checked.range, range: after } = checked;
  const limit = Math.min(query.limit ?? queryLimits.limitDefault, asking.limits.rowsMax);
  const source = explainSource(checked);
  const length = ({ fromMs, toMs }: TimeRange): number => toMs - fromMs;
  const rollup = await rollupFor(
    {
      ...checked,
      query: { ...query, type: 'table' },
      dimensions: source.groups.map(({ dimension }) => dimension),
      range: length(before) < length(after) ? before : after,
    },
    { fromMs: Math.min(before.fromMs, after.fromMs), toMs: Math.max(before.toMs, after.toMs) },
    asking,
    log,
  );
  const table = rollup?.table ?? source.table;
  const ranges = explainRanges(checked, windowMillis(table, asking.windows));
  const explained: Explained = { checked, table, ranges };
  const totals = totalsOf(explained, (await log.run(table, planTotals(explained))).columns);
  const ask = async (part: ReturnType<typeof partOf>): Promise<Finding[]> => {
    const planned = planPart(explained, part, totals.scales, limit);
    return findingsOf(planned, (await log.run(table, planned)).columns);
  };
  const found = (await Promise.all(source.groups.map((group) => ask(partOf(checked, table, [group]))))).flat();
  // What was asked for is told in any case.
  const singles = checked.groups.length > 0 ? found : found.filter((finding) => isTelling(finding, totals));
  const pairs = (await Promise.all(pairParts(explained, singles).map(ask))).flat();
  const findings = ranked(singles, pairs);
  const notices = rollup ? [rollup.reason] : [];
  return {
    frames: [explainFrame(explained, totals, findings.slice(0, limit), notices)],
    truncated: false,
    errorBounds: [],
    ...costOf(log),
    plan: describePlan(
      [describedBy(asking, { table, mode: 'plain' })],
      [`looked at ${source.groups.map(({ key }) => key).join(', ')}`],
    ),
    range: ranges.after,
    before: ranges.before,
    intervalMs: null,
    filter: checked.filter?.canonical ?? null,
  };
}
