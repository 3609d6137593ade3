/** Collects the values of a statement as ClickHouse parameters: SQL text never holds a value that came from outside. */
import type { QueryParameter, QueryParameters } from '../query-store.js';

export class Binder {
  readonly #values: Record<string, QueryParameter> = {};

  /** The place of a value, `{name:Type}`; the same name may be bound again to the same value. */
  bind(name: string, type: string, value: QueryParameter): string {
    if (name in this.#values && this.#values[name] !== value) throw new Error(`parameter ${name} is bound twice`);
    this.#values[name] = value;
    return `{${name}:${type}}`;
  }

  /** Take over parameters that a compiler made. */
  adopt(params: QueryParameters): void {
    for (const [name, value] of Object.entries(params)) {
      if (name in this.#values) throw new Error(`parameter ${name} is bound twice`);
      this.#values[name] = value;
    }
  }

  get params(): QueryParameters {
    return { ...this.#values };
  }
}
