/** Completion with live values: asks the language what could come next, and the datasource for values where they help. */
import type { Completion, DimensionId } from '@netspectra/query';
import { completeFilter } from '@netspectra/query';

/** Values of a dimension that begin so, the heaviest first. */
export type FetchValues = (dimension: DimensionId, prefix: string) => Promise<readonly string[]>;

/**
 * What could be typed at `offset`, best first. Without an answer to the question for values (the API is down, the user may
 * not) there are the language's own proposals.
 */
export async function completions(text: string, offset: number, values: FetchValues): Promise<readonly Completion[]> {
  const first = completeFilter(text, offset);
  if (!first.wantsValues) return first.items;
  const { dimension, prefix } = first.wantsValues;
  try {
    return completeFilter(text, offset, { values: await values(dimension, prefix) }).items;
  } catch {
    return first.items;
  }
}

/** Remembers answers for a while, so that typing does not ask the same again; a failure is not remembered. */
export function remembered(
  values: FetchValues,
  now: () => number = Date.now,
  keepMs = 30_000,
  entriesMax = 100,
): FetchValues {
  const known = new Map<string, { readonly at: number; readonly answer: Promise<readonly string[]> }>();
  return (dimension, prefix) => {
    const key = `${dimension} ${prefix}`;
    const entry = known.get(key);
    if (entry && now() - entry.at < keepMs) return entry.answer;
    const answer = values(dimension, prefix);
    known.delete(key);
    if (known.size >= entriesMax) known.delete(known.keys().next().value!);
    known.set(key, { at: now(), answer });
    answer.catch(() => known.delete(key));
    return answer;
  };
}
