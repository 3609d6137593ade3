/**
 * Tables as alert rules and expressions want them: Grafana's `numeric-long`, where text columns are labels and each row is
 * a number. Labels are what an alert instance is known by, so every row must have its own, and one number: several measures
 * become several rows with the label `measure`.
 */
import type { FrameValue } from '@netspectra/query';
import type { Column, DataFrame } from './model.js';

const boundSuffixes = { lower: '_lower', upper: '_upper' } as const;

/** The columns of measures, without the bounds of estimates; with `bound`, that bound in the estimate's place. */
function numbersOf(measured: readonly Column[], bound: 'lower' | 'upper' | undefined): Column[] {
  const byName = new Map(measured.map((column) => [column.name, column]));
  const isBound = (name: string): boolean =>
    Object.values(boundSuffixes).some((suffix) => name.endsWith(suffix) && byName.has(name.slice(0, -suffix.length)));
  return measured
    .filter(({ name }) => !isBound(name))
    .map((column) => {
      const wanted = bound && byName.get(column.name + boundSuffixes[bound]);
      return wanted ? { ...wanted, name: column.name } : column;
    });
}

const labelText = (value: FrameValue | undefined): string =>
  value === null || value === undefined || value === '' ? '(none)' : String(value);

/** Rows as text, each different: a group may have the name of the rest, and another the name that this one gets then. */
function labelRows(labels: readonly Column[], rows: number): string[][] {
  const taken = new Map<string, number>();
  return Array.from({ length: rows }, (_, row) => {
    const texts = labels.map(({ values }) => labelText(values[row]));
    const key = JSON.stringify(texts);
    const before = taken.get(key);
    taken.set(key, 1);
    if (before === undefined || texts.length === 0) return texts;
    for (let times = before + 1; ; times += 1) {
      const different = texts.map((text) => `${text} (${times})`);
      const other = JSON.stringify(different);
      if (taken.has(other)) continue;
      taken.set(key, times).set(other, 1);
      return different;
    }
  });
}

/**
 * A table's columns as one frame of numbers.
 * @param dimensions how many columns, from the first on, are labels
 * @param bound take this bound of estimates; the estimate where there is none
 */
export function numericFrame(
  columns: readonly Column[],
  dimensions: number,
  refId: string,
  bound?: 'lower' | 'upper',
): DataFrame {
  const labels = columns.slice(0, dimensions);
  const numbers = numbersOf(columns.slice(dimensions), bound);
  const rows = columns[0]?.values.length ?? 0;
  const meta = { type: 'numeric-long', typeVersion: [0, 1] } as const;
  // No data is a frame without fields: with fields and no rows an alert rule would see an error.
  if (rows === 0 || numbers.length === 0) return { refId, meta, columns: [] };
  const texts = labelRows(labels, rows);
  const text = (name: string, values: string[], config?: Column['config']): Column => ({
    name,
    type: 'string',
    nullable: false,
    ...(config === undefined ? {} : { config }),
    values,
  });
  const labelColumns = (times: number): Column[] =>
    labels.map(({ name, config }, i) =>
      text(name, Array.from({ length: times }, () => texts.map((row) => row[i] ?? '')).flat(), config),
    );
  const [only] = numbers;
  if (only && numbers.length === 1) return { refId, meta, columns: [...labelColumns(1), only] };
  const measure = text(
    'measure',
    numbers.flatMap(({ name }) => Array.from({ length: rows }, () => name)),
  );
  const value: Column = {
    name: 'value',
    type: 'number',
    nullable: true,
    values: numbers.flatMap(({ values }) => values),
  };
  return { refId, meta, columns: [...labelColumns(numbers.length), measure, value] };
}
