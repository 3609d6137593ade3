/**
 * Tables: one row for each group, dimensions first. With an earlier period each measure has three more columns: what it was
 * (`_before`), the difference (`_change`) and that as a share of what it was (`_change_ratio`, null where it was nothing).
 */
import type { FrameField, FrameValue } from '@netspectra/query';
import type { Columns } from './columns.js';
import { displayUnit, isNumeric, unitConfig } from './display.js';
import { boundsOf, emptyValue, frameMeta, isRest, measureValue, otherName, scaled } from './frames.js';
import type { Bounded } from './frames.js';
import { groupLabel, groupValue } from './keys.js';
import { periodName } from './period.js';
import type { Answer, Plan, PlannedDimension } from './types.js';

interface Row {
  readonly names: readonly (string | number | null)[];
  /** the rest of the groups */
  readonly rest: boolean;
  readonly values: readonly Bounded[];
}

/** A statement's rows, and whether the limit left some out that nothing stands for. */
export function rowsOf(plan: Plan, columns: Columns): { readonly rows: readonly Row[]; readonly truncated: boolean } {
  const cut = !plan.hasRest && plan.dimensions.length > 0 && columns.rows > plan.limit;
  const all = Array.from({ length: cut ? plan.limit : columns.rows }, (_, row): Row => {
    const rest = isRest(plan, columns, row);
    return {
      names: plan.dimensions.map((planned) => (rest ? otherName : groupValue(columns, planned, row))),
      rest,
      values: plan.measures.map((planned) => measureValue(columns, planned, row)),
    };
  });
  const rows = plan.other ? all : all.filter(({ rest }) => !rest);
  return { rows, truncated: cut || rows.length < all.length };
}

/** With an "other" row the column is text throughout, so that the type does not depend on the data. */
export const isNumberColumn = (plan: Plan, { dimension, prefix }: PlannedDimension): boolean =>
  isNumeric(dimension) && prefix === undefined && !plan.other;

/** Rows under the heads of the plan's dimensions. */
export function dimensionColumns(
  plan: Plan,
  rows: readonly Row[],
): { readonly fields: FrameField[]; readonly values: FrameValue[][] } {
  const fields = plan.dimensions.map((planned): FrameField => {
    const numeric = isNumberColumn(plan, planned);
    return {
      name: planned.key,
      type: numeric ? 'number' : 'string',
      typeInfo: { frame: numeric ? 'float64' : 'string', nullable: true },
      config: { displayName: groupLabel(planned) },
    };
  });
  const values = plan.dimensions.map((planned, i) => {
    const numeric = isNumberColumn(plan, planned);
    return rows.map(({ names }) => {
      const name = names[i] ?? null;
      return name === null || numeric ? name : String(name);
    });
  });
  return { fields, values };
}

const keyOf = (row: Row): string => (row.rest ? '' : JSON.stringify(row.names));

interface Pair {
  readonly now: Row;
  readonly before: Row | undefined;
}

/** Rows of both periods side by side: those of the present in their order, what fell away after them, the rest last. */
function pairsOf(plan: Plan, now: readonly Row[], before: readonly Row[]): Pair[] {
  const earlier = new Map(before.map((row) => [keyOf(row), row]));
  const nothing = plan.measures.map(({ measure }): Bounded => {
    const value = emptyValue(measure);
    return { value, lower: value, upper: value };
  });
  const present = new Set(now.map(keyOf));
  const gone = before.filter((row) => !present.has(keyOf(row))).map((row) => ({ ...row, values: nothing }));
  const all = [...now, ...gone].map((row) => ({ now: row, before: earlier.get(keyOf(row)) }));
  return [...all.filter((pair) => !pair.now.rest), ...all.filter((pair) => pair.now.rest)];
}

const difference = (now: number | null, before: number | null): number | null =>
  now === null || before === null ? null : now - before;

/**
 * The rows of a plan's statement as a frame.
 * @param earlier plan and rows of an earlier period over the same groups
 */
export function tableAnswer(
  plan: Plan,
  columns: Columns,
  earlier?: { readonly plan: Plan; readonly columns: Columns },
): Answer {
  const { rows, truncated } = rowsOf(plan, columns);
  const old = earlier && rowsOf(earlier.plan, earlier.columns);
  const pairs = old ? pairsOf(plan, rows, old.rows) : rows.map((row): Pair => ({ now: row, before: undefined }));
  const { fields, values } = dimensionColumns(
    plan,
    pairs.map(({ now }) => now),
  );
  const add = (field: FrameField, column: FrameValue[]): void => {
    fields.push(field);
    values.push(column);
  };
  plan.measures.forEach(({ measure, bounded, sketch }, i) => {
    const { unit, factor } = displayUnit(measure.unit, plan.displayUnits);
    const field = (suffix: string, label: string, of = unit): FrameField => ({
      name: measure.id + suffix,
      type: 'number',
      typeInfo: { frame: 'float64', nullable: true },
      config: { displayName: measure.label + label, ...unitConfig(of) },
    });
    const of = (row: Row | undefined, part: keyof Bounded): number | null =>
      row === undefined ? emptyValue(measure) : scaled(row.values[i]?.[part] ?? null, factor);
    add(
      field('', ''),
      pairs.map(({ now }) => of(now, 'value')),
    );
    if (bounded || sketch) {
      add(
        field('_lower', ', at least'),
        pairs.map(({ now }) => of(now, 'lower')),
      );
      add(
        field('_upper', ', at most'),
        pairs.map(({ now }) => of(now, 'upper')),
      );
    }
    if (!earlier) return;
    const name = ` (${periodName(earlier.plan.shiftMs)})`;
    const before = pairs.map((pair) => of(pair.before, 'value'));
    const change = pairs.map((pair, row) => difference(of(pair.now, 'value'), before[row] ?? null));
    const share = displayUnit('percentunit', plan.displayUnits);
    add(field('_before', name), before);
    add(field('_change', ', change'), change);
    add(
      field('_change_ratio', ', change of it', share.unit),
      change.map((value, row) => {
        const base = before[row];
        return value === null || !base ? null : (value / base) * share.factor;
      }),
    );
  });
  const meta = frameMeta(plan, 'table', truncated || old?.truncated === true);
  return {
    frames: [{ schema: { refId: plan.refId, meta, fields }, data: { values } }],
    truncated: truncated || old?.truncated === true,
    errorBounds: boundsOf(plan, columns),
  };
}
