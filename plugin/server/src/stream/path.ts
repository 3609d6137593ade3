/**
 * The path of a live channel. Grafana runs one stream for all who look at a path and hands no query along, so the path names
 * the query: a short filter stands in it whole, a longer one by its hash, and is remembered from the query that named it.
 *
 *     live/<view>/f_<filter in base64url>
 *     live/<view>/h_<first 32 hex digits of SHA-256 of the filter>
 */
import { createHash } from 'node:crypto';
import { liveViews } from '../contract/query.js';
import type { LiveView } from '../contract/query.js';

export interface LiveQuery {
  readonly view: LiveView;
  /** filter language; empty: everything */
  readonly filter: string;
}

/** Grafana takes channels up to 160 characters, `ds/<uid of up to 40>/` in front of the path included. */
const encodedMax = 80;
const filterLengthMax = 10_000;

const hash = (filter: string): string => createHash('sha256').update(filter).digest('hex').slice(0, 32);

/** The path of a query. */
export function livePath({ view, filter }: LiveQuery): string {
  const encoded = Buffer.from(filter).toString('base64url');
  return `live/${view}/${encoded.length <= encodedMax ? `f_${encoded}` : `h_${hash(filter)}`}`;
}

/** The query that a subscriber sent as data, or undefined. */
function queryOf(data: Uint8Array): LiveQuery | undefined {
  if (data.length === 0 || data.length > filterLengthMax * 2) return undefined;
  try {
    const { view, filter = '' } = JSON.parse(Buffer.from(data).toString('utf8')) as Record<string, unknown>;
    const known = liveViews.find((each) => each === view);
    return known && typeof filter === 'string' && filter.length <= filterLengthMax
      ? { view: known, filter }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The query that a path names, or undefined when it names none.
 * @param data what came with the path: the query as JSON, or nothing
 * @param remembered query of this path from an earlier call
 */
export function liveQueryAt(path: string, data: Uint8Array, remembered: LiveQuery | undefined): LiveQuery | undefined {
  const match = /^live\/([a-z]+)\/(?:f_([A-Za-z0-9_-]{0,80})|h_[0-9a-f]{32})$/.exec(path);
  const view = liveViews.find((each) => each === match?.[1]);
  if (!match || !view) return undefined;
  const inPath =
    match[2] === undefined ? undefined : { view, filter: Buffer.from(match[2], 'base64url').toString('utf8') };
  // Whatever the source: it is the query of this path only if the path is its name.
  return [inPath, queryOf(data), remembered].find((query) => query && livePath(query) === path);
}
