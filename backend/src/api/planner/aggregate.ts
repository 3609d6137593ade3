/** A measure as SQL aggregates over the rows of one table. */
import { findMeasure, summands } from '@netspectra/query';
import type {
  DistinctMeasure,
  HistogramSource,
  Measure,
  QueryTable,
  RateQuantileMeasure,
  ShareMeasure,
  Source,
} from '@netspectra/query';
import { ApiError } from '../problem.js';
import type { Binder } from './bind.js';
import { SampleFold, rowsFold } from './fold.js';
import type { Fold } from './fold.js';
import { valueSql } from './rows.js';
import { sampleRank } from './samples.js';
import type { RowMode } from './rows.js';

export interface AggregateContext {
  readonly table: QueryTable;
  readonly mode: RowMode;
  /** SQL of the seconds that rates divide by */
  readonly seconds: string;
  readonly binder: Binder;
  /** absent: rowsFold */
  readonly fold?: Fold;
  /** rates of samples: how many there are in what `seconds` stands for, and how wide they are; needs a SampleFold */
  readonly samples?: { readonly count: number; readonly seconds: number };
  /** SQL of the bucket among whose groups shares are taken; absent: all groups */
  readonly bucket?: string;
}

export interface Aggregate {
  /** the value; for `sketch` the counts of register values */
  readonly value: string;
  /** what the truth is at least and at most, where the value is an estimate */
  readonly lower?: string;
  readonly upper?: string;
  /** what orders groups as the value does, where that is cheaper or the value cannot stand in an ORDER BY; absent: value */
  readonly order?: string;
  /** value is a register histogram; these are the narrowest and widest sketch in it */
  readonly sketch?: { readonly narrowest: string; readonly widest: string };
}

/** Register values of a sketch over 64-bit hashes: 0 .. 65 - log2_width, so never more than this. */
const registerValues = 66;

function sumSql(source: Source, mode: RowMode, fold: Fold): string {
  if (source.scope === 'directed' && mode === 'plain') {
    return [source.client, source.server]
      .filter((side) => side !== '0')
      .map((side) => fold.over('sum', side))
      .join(' + ');
  }
  const value = valueSql(source, mode);
  return source.presentWhen === undefined
    ? fold.over('sum', value)
    : fold.over('sumIf', `${value}, ${source.presentWhen}`);
}

/** The sum in a sample, as a column of the rows that the second step reads. */
function sampleColumns(source: Source, mode: RowMode, fold: SampleFold): string {
  if (source.scope === 'directed' && mode === 'plain') {
    return [source.client, source.server]
      .filter((side) => side !== '0')
      .map((side) => fold.column('sum', side))
      .join(' + ');
  }
  const value = valueSql(source, mode);
  return source.presentWhen === undefined
    ? fold.column('sum', value)
    : fold.column('sumIf', `${value}, ${source.presentWhen}`);
}

/**
 * The rate of the sample that stands at the wanted place. Samples without rows are not among the rows: they are the zeros
 * below the smallest one.
 */
function rateQuantile(measure: RateQuantileMeasure, context: AggregateContext): Aggregate {
  const { table, mode, fold, samples, binder } = context;
  if (!(fold instanceof SampleFold) || !samples) throw new Error(`${measure.id} needs samples`);
  const [of] = summands(measure);
  if (!of) throw new Error(`${measure.id} is of nothing`);
  const sum = sampleColumns(sourceIn(of.sources, table), mode, fold);
  const seconds = binder.bind('sample_seconds', 'Float64', samples.seconds);
  // Samples above the wanted place; so many from the end it is.
  const above = samples.count - 1 - sampleRank(measure.level, samples.count);
  const place = binder.bind(`samples_above_${above}`, 'Int64', above);
  const sorted = `arrayReverseSort(groupArray(${sum}))`;
  const value = above === 0 ? `max(${sum})` : `if(count() > ${place}, ${sorted}[${place} + 1], 0)`;
  return { value: `${value} * ${measure.factor} / ${seconds}` };
}

function shareOf(measure: ShareMeasure, context: AggregateContext, fold: Fold): Aggregate {
  const [of] = summands(measure);
  if (!of) throw new Error(`${measure.id} is of nothing`);
  const sum = `(${sumSql(sourceIn(of.sources, context.table), context.mode, fold)})`;
  const over = context.bucket === undefined ? '' : `PARTITION BY ${context.bucket}`;
  return { value: `${sum} / nullIf(sum(${sum}) OVER (${over}), 0)`, order: sum };
}

function sourceIn(sources: Readonly<Partial<Record<QueryTable, Source>>>, table: QueryTable): Source {
  const source = sources[table];
  if (!source) throw new Error(`the table ${table} was chosen without having what is asked for`);
  return source;
}

/**
 * Quantile from a histogram of powers of two: the bucket in which it falls, and inside it on a straight line. The truth
 * is somewhere in that bucket.
 */
function histogramQuantile(source: HistogramSource, level: number, fold: Fold): Aggregate {
  const counts = fold.over('sumForEach', source.histogram);
  const running = `arrayCumSum(${counts})`;
  const total = `arraySum(${counts})`;
  // The rank of quantileExact: element floor(level * n), counted from 0.
  const rank = `least(floor(${level} * ${total}), toFloat64(${total}) - 1)`;
  const bucket = `arrayFirstIndex(c -> c > ${rank}, ${running})`;
  const inside = `(${rank} - (${running}[${bucket}] - ${counts}[${bucket}]) + 0.5) / ${counts}[${bucket}]`;
  const lower = `${source.unitNanoseconds} * exp2(${bucket} - 1)`;
  const guarded = (sql: string): string => `if(${total} = 0, NULL, ${sql})`;
  return {
    value: guarded(`${lower} * (1 + ${inside})`),
    lower: guarded(lower),
    upper: guarded(`2 * ${lower}`),
  };
}

function sketchAggregate(measure: DistinctMeasure, { binder }: AggregateContext): Aggregate {
  const subject = measure.sketchSubject;
  if (subject === undefined) throw new Error(`${measure.id} has no sketch`);
  const condition = `subject = ${binder.bind(`subject_${subject}`, 'String', subject)}`;
  return {
    value: `arrayMap(k -> countEqual(maxForEachIf(registers, ${condition}), k), range(${registerValues}))`,
    sketch: { narrowest: `minIf(log2_width, ${condition})`, widest: `maxIf(log2_width, ${condition})` },
  };
}

/** SQL of a measure. */
export function aggregate(measure: Measure, context: AggregateContext): Aggregate {
  const { table, mode, seconds, fold = rowsFold } = context;
  switch (measure.kind) {
    case 'sum':
      return { value: sumSql(sourceIn(measure.sources, table), mode, fold) };
    case 'rate': {
      const [of] = summands(measure);
      if (!of) throw new Error(`${measure.id} is a rate of nothing`);
      return { value: `(${sumSql(sourceIn(of.sources, table), mode, fold)}) * ${measure.factor} / ${seconds}` };
    }
    case 'rate_quantile':
      return rateQuantile(measure, context);
    case 'share':
      return shareOf(measure, context, fold);
    case 'ratio': {
      const [numerator, denominator] = summands(measure).map((part) =>
        sumSql(sourceIn(part.sources, table), mode, fold),
      );
      return { value: `(${numerator}) / nullIf(${denominator}, 0)` };
    }
    case 'distinct': {
      if (table === 'sketches') return sketchAggregate(measure, context);
      const source = sourceIn(measure.sources, table);
      const value = valueSql(source, mode);
      return {
        value:
          source.presentWhen === undefined
            ? fold.over('uniqExact', value)
            : fold.over('uniqExactIf', `${value}, ${source.presentWhen}`),
      };
    }
    case 'average': {
      const source = measure.sources[table];
      if (!source) throw new Error(`${measure.id} is not in ${table}`);
      const [total, count] = [source.total, source.count].map(({ expression }) => fold.over('sum', expression));
      return { value: `${total} / nullIf(${count}, 0)` };
    }
    case 'quantile': {
      const source = measure.sources[table];
      if (!source) throw new Error(`${measure.id} is not in ${table}`);
      if ('histogram' in source) return histogramQuantile(source, measure.level, fold);
      return {
        value:
          source.presentWhen === undefined
            ? fold.over(`quantileExactOrNull(${measure.level})`, source.expression)
            : fold.over(`quantileExactOrNullIf(${measure.level})`, `${source.expression}, ${source.presentWhen}`),
      };
    }
  }
}

/** What adds up to a measure over groups, and what its sum is divided by: `explain` shares changes out by it. */
export interface Mass {
  readonly mass: string;
  /** absent: the mass is the measure, times a constant */
  readonly divisor?: string;
}

/**
 * The additive part of a measure; undefined when it has none (quantiles, peaks, shares of what is shown).
 * The distinct counts of groups do not add up either, but each says how far its group went: they are their own mass.
 */
export function massOf(measure: Measure, table: QueryTable, mode: RowMode): Mass | undefined {
  const sums = summands(measure).map((part) => sumSql(sourceIn(part.sources, table), mode, rowsFold));
  const [first, second] = sums;
  switch (measure.kind) {
    case 'sum':
    case 'rate':
      return first === undefined ? undefined : { mass: `(${first})` };
    case 'ratio':
      return first === undefined || second === undefined ? undefined : { mass: `(${first})`, divisor: `(${second})` };
    case 'average': {
      const source = measure.sources[table];
      return source && { mass: `sum(${source.total.expression})`, divisor: `sum(${source.count.expression})` };
    }
    case 'distinct': {
      const source = sourceIn(measure.sources, table);
      const value = valueSql(source, mode);
      const { presentWhen } = source;
      return { mass: presentWhen === undefined ? `uniqExact(${value})` : `uniqExactIf(${value}, ${presentWhen})` };
    }
    default:
      return undefined;
  }
}

/** The measure of an id that a request names. */
export function measureOf(id: string, pointer: string, suggest: (id: string) => string | undefined): Measure {
  const measure = findMeasure(id);
  if (measure) return measure;
  const suggestion = suggest(id);
  const detail = `there is no measure "${id}"${suggestion === undefined ? '' : `; did you mean ${suggestion}?`}`;
  throw new ApiError('validation', detail, [{ pointer, detail, ...(suggestion === undefined ? {} : { suggestion }) }]);
}
