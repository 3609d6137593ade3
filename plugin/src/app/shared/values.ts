/** Values for completion in filters of the app's pages. */
import type { FetchValues } from '../../datasource/editor/filter-completion.js';
import type { ValuesPage } from '../../datasource/resources/values.js';
import { callResource } from './resources.js';

const recentMs = 6 * 3_600_000;
const limit = 50;

/** Values in a range, milliseconds since 1970; without one, of the last six hours. */
export const valuesOfSource =
  (uid: string, range?: { readonly from: number; readonly to: number }): FetchValues =>
  async (dimension, prefix) => {
    const now = Date.now();
    const params = { dimension, prefix, ...(range ?? { from: now - recentMs, to: now }), limit };
    const { values } = await callResource<ValuesPage>(uid, 'values', { params });
    return values.map(({ value }) => String(value));
  };
