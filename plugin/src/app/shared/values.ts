/** Values for completion on pages without a time range of their own. */
import type { ValuesPage } from '../../datasource/resources/values.js';
import { callResource } from './resources.js';

const recentMs = 6 * 3_600_000;
const limit = 50;

/** Values of the last six hours that begin so, the heaviest first. */
export async function askRecentValues(uid: string, dimension: string, prefix: string): Promise<string[]> {
  const to = Date.now();
  const params = { dimension, prefix, from: to - recentMs, to, limit };
  const { data } = await callResource<ValuesPage>(uid, 'values', { params });
  return data.values.map(({ value }) => String(value));
}
