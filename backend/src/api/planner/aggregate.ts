/** A measure as SQL aggregates over the rows of one table. */
import { findMeasure, summands } from '@netspectra/query';
import type { DistinctMeasure, HistogramSource, Measure, QueryTable, Source } from '@netspectra/query';
import { ApiError } from '../problem.js';
import type { Binder } from './bind.js';
import { valueSql } from './rows.js';
import type { RowMode } from './rows.js';

export interface AggregateContext {
  readonly table: QueryTable;
  readonly mode: RowMode;
  /** SQL of the seconds that rates divide by */
  readonly seconds: string;
  readonly binder: Binder;
}

export interface Aggregate {
  /** the value; for `sketch` the counts of register values */
  readonly value: string;
  /** what the truth is at least and at most, where the value is an estimate */
  readonly lower?: string;
  readonly upper?: string;
  /** value is a register histogram; these are the narrowest and widest sketch in it */
  readonly sketch?: { readonly narrowest: string; readonly widest: string };
}

/** Register values of a sketch over 64-bit hashes: 0 .. 65 - log2_width, so never more than this. */
const registerValues = 66;

function sumSql(source: Source, mode: RowMode): string {
  if (source.scope === 'directed' && mode === 'plain') {
    return [source.client, source.server]
      .filter((side) => side !== '0')
      .map((side) => `sum(${side})`)
      .join(' + ');
  }
  const value = valueSql(source, mode);
  return source.presentWhen === undefined ? `sum(${value})` : `sumIf(${value}, ${source.presentWhen})`;
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
function histogramQuantile(source: HistogramSource, level: number): Aggregate {
  const counts = `sumForEach(${source.histogram})`;
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
  const { table, mode, seconds } = context;
  switch (measure.kind) {
    case 'sum':
      return { value: sumSql(sourceIn(measure.sources, table), mode) };
    case 'rate': {
      const [of] = summands(measure);
      if (!of) throw new Error(`${measure.id} is a rate of nothing`);
      return { value: `(${sumSql(sourceIn(of.sources, table), mode)}) * ${measure.factor} / ${seconds}` };
    }
    case 'ratio': {
      const [numerator, denominator] = summands(measure).map((part) => sumSql(sourceIn(part.sources, table), mode));
      return { value: `(${numerator}) / nullIf(${denominator}, 0)` };
    }
    case 'distinct': {
      if (table === 'sketches') return sketchAggregate(measure, context);
      const source = sourceIn(measure.sources, table);
      const value = valueSql(source, mode);
      return {
        value:
          source.presentWhen === undefined ? `uniqExact(${value})` : `uniqExactIf(${value}, ${source.presentWhen})`,
      };
    }
    case 'average': {
      const source = measure.sources[table];
      if (!source) throw new Error(`${measure.id} is not in ${table}`);
      return { value: `sum(${source.total.expression}) / nullIf(sum(${source.count.expression}), 0)` };
    }
    case 'quantile': {
      const source = measure.sources[table];
      if (!source) throw new Error(`${measure.id} is not in ${table}`);
      if ('histogram' in source) return histogramQuantile(source, measure.level);
      return {
        value:
          source.presentWhen === undefined
            ? `quantileExactOrNull(${measure.level})(${source.expression})`
            : `quantileExactOrNullIf(${measure.level})(${source.expression}, ${source.presentWhen})`,
      };
    }
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
