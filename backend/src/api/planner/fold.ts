/**
 * Aggregates in one step or in two. A measure writes its SQL by aggregates over rows; where rates of samples are wanted,
 * the rows are first brought to one row for each group and sample, and every aggregate is taken in two steps: in a sample,
 * then over the samples. What adds up is added up again; anything else travels as the state of its aggregate.
 */

export interface Fold {
  /** @param name the aggregate with its parameters: `sum`, `quantileExactOrNullIf(0.5)` @param args over the rows */
  over(name: string, args: string): string;
}

/** One step: the rows themselves. */
export const rowsFold: Fold = { over: (name, args) => `${name}(${args})` };

/** Aggregates whose results are put together by the aggregate itself. */
const again: Readonly<Record<string, string>> = {
  sum: 'sum',
  sumIf: 'sum',
  sumForEach: 'sumForEach',
};

/** Two steps; `columns` are those of the first one. */
export class SampleFold implements Fold {
  readonly #names = new Map<string, string>();

  over(name: string, args: string): string {
    const outer = again[name];
    if (outer !== undefined) return `${outer}(${this.#column(`${name}(${args})`)})`;
    const [, base = name, parameters = ''] = /^(\w+)(\(.*\))?$/.exec(name) ?? [];
    const state = this.#column(`${base}State${parameters}(${args})`);
    return `${base}Merge${parameters}(${state})`;
  }

  /** Name of the column with a sample's own result. */
  column(name: string, args: string): string {
    return this.#column(`${name}(${args})`);
  }

  get columns(): string[] {
    return [...this.#names].map(([sql, name]) => `${sql} AS ${name}`);
  }

  #column(sql: string): string {
    const found = this.#names.get(sql);
    if (found !== undefined) return found;
    const name = `ns_part_${this.#names.size}`;
    this.#names.set(sql, name);
    return name;
  }
}
