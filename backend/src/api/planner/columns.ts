/** A store's answer, read by column name. */
import type { StoreResult } from '../query-store.js';

/** Columns of a result by name. */
export class Columns {
  readonly rows: number;
  readonly #byName: ReadonlyMap<string, readonly unknown[]>;

  constructor(result: StoreResult) {
    this.rows = result.rows;
    this.#byName = new Map(result.columns.map((column) => [column.name, column.values]));
  }

  /** The values of a column; throws when the statement did not have it (our own mistake). */
  get(name: string): readonly unknown[] {
    const values = this.#byName.get(name);
    if (!values) throw new Error(`the store's answer lacks the column ${name}`);
    return values;
  }

  number(name: string, row: number): number | null {
    const value = this.get(name)[row];
    if (value === null || value === undefined) return null;
    const number = Number(value);
    return Number.isFinite(number) ? number : null;
  }
}
