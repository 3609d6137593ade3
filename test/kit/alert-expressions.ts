/** Grafana's server-side expressions, as far as the provisioned alert rules use them: a reduce, and a threshold. */

type Numbers = readonly (number | null)[];

interface Reduce {
  readonly type: 'reduce';
  readonly reducer: 'last' | 'sum' | 'max';
  readonly settings: { readonly mode: 'dropNN' } | { readonly mode: 'replaceNN'; readonly replaceWithValue: number };
}
interface Threshold {
  readonly type: 'threshold';
  readonly conditions: readonly {
    readonly evaluator: { readonly type: 'gt' | 'lt'; readonly params: readonly [number] };
  }[];
}

const reducers: Readonly<Record<Reduce['reducer'], (values: readonly number[]) => number>> = {
  last: (values) => values.at(-1) ?? NaN,
  sum: (values) => values.reduce((all, value) => all + value, 0),
  max: (values) => Math.max(...values),
};

/** One number of a series, by what the expression says about points without a number. */
function reduced(values: Numbers, { reducer, settings }: Reduce): number {
  const instead = settings.mode === 'replaceNN' ? settings.replaceWithValue : [];
  return reducers[reducer](values.flatMap((value) => value ?? instead));
}

/**
 * Whether an alert fires: the expressions of a rule, the threshold last, on the number columns of its query's answer. Without a
 * reduce every number of the answer is compared.
 */
export function meets(expressions: readonly object[], columns: readonly Numbers[]): boolean {
  const all = expressions as readonly (Reduce | Threshold)[];
  const reduce = all.find((each) => each.type === 'reduce');
  const numbers = columns.flatMap((values) =>
    reduce === undefined ? values.flatMap((value) => value ?? []) : [reduced(values, reduce)],
  );
  return all
    .flatMap((each) => (each.type === 'threshold' ? each.conditions : []))
    .some(({ evaluator: { type, params } }) =>
      numbers.some((number) => (type === 'gt' ? number > params[0] : number < params[0])),
    );
}
