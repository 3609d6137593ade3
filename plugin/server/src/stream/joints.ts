/**
 * Where the histories of viewers end and the stream of their path begins. Grafana runs one stream for all viewers of a path, and
 * who comes later gets what is sent from then on. So that each window is shown exactly once:
 *
 * - a history ends where the stream stands, or before: with the last of its buckets that is stored whole and sent;
 * - the first stream begins where the first history ended;
 * - a viewer that joins is given, with the subscription, what lies between the end of its history and where the stream stands.
 */
import type { PluginContext } from '../rpc/messages.js';

/** Somebody subscribes right after its history; later it is another panel's, or nobody's. */
const freshMs = 30_000;
/** Paths that were asked for lately, and viewers of each; the oldest go. */
const pathsMax = 1_000;
const viewersMax = 100;

interface End {
  /** packet time */
  readonly untilMs: number;
  /** monotonic */
  readonly askedMs: number;
}

interface Joint {
  /** where a stream that is to come will begin */
  begin?: End;
  /** latest history of each user */
  readonly histories: Map<string, End>;
}

/** Names a path of a datasource. */
export const keyOf = (context: PluginContext | null, path: string): string =>
  `${context?.orgId}/${context?.dataSourceInstanceSettings?.uid}/${path}`;

const userOf = (context: PluginContext | null): string => context?.user?.login ?? '';

const isFresh = (end: End | undefined): end is End => end !== undefined && performance.now() - end.askedMs < freshMs;

/** Set a key as the latest, and forget the oldest beyond a bound. */
export function keep<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, most: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}

export class Joints {
  readonly #joints = new Map<string, Joint>();
  /** up to where the streams that run have sent everything; bounded as they are. undefined: nothing yet */
  readonly #sent = new Map<string, number | undefined>();

  /**
   * A history that is gone on with is given out.
   * @param closedMs where its last bucket ends that is stored whole
   * @param bucketMs width of its buckets
   * @returns where it is to end, packet time
   */
  historyEnd(context: PluginContext | null, path: string, closedMs: number, bucketMs: number): number {
    const key = keyOf(context, path);
    const joint = this.#joints.get(key) ?? { histories: new Map<string, End>() };
    keep(this.#joints, key, joint, pathsMax);
    const stands = this.#standsAt(key) ?? closedMs;
    const untilMs = Math.floor(Math.min(closedMs, stands) / bucketMs) * bucketMs;
    const end = { untilMs, askedMs: performance.now() };
    keep(joint.histories, userOf(context), end, viewersMax);
    if (!this.#sent.has(key) && !isFresh(joint.begin)) joint.begin = end;
    return untilMs;
  }

  /** A history that ends in the past is given out: there is nothing between it and the stream that its viewer wants. */
  historyEnds(context: PluginContext | null, path: string): void {
    this.#joints.get(keyOf(context, path))?.histories.delete(userOf(context));
  }

  /** A stream begins. @returns where, packet time; undefined when no history just ended: with what is latest */
  streamBegins(key: string): number | undefined {
    const joint = this.#joints.get(key);
    const sinceMs = isFresh(joint?.begin) ? joint.begin.untilMs : undefined;
    delete joint?.begin;
    this.#sent.set(key, sinceMs);
    return sinceMs;
  }

  /** The stream sent everything up to here. */
  streamSent(key: string, untilMs: number): void {
    this.#sent.set(key, Math.max(this.#sent.get(key) ?? 0, untilMs));
  }

  streamEnded(key: string): void {
    this.#sent.delete(key);
  }

  /** What a viewer that subscribes now has neither in its history nor will be sent; undefined: nothing, or that is not known. */
  between(context: PluginContext | null, path: string): { readonly fromMs: number; readonly toMs: number } | undefined {
    const key = keyOf(context, path);
    const history = this.#joints.get(key)?.histories.get(userOf(context));
    const toMs = this.#standsAt(key);
    if (!isFresh(history) || toMs === undefined || toMs <= history.untilMs) return undefined;
    return { fromMs: history.untilMs, toMs };
  }

  #standsAt(key: string): number | undefined {
    if (this.#sent.has(key)) return this.#sent.get(key);
    const begin = this.#joints.get(key)?.begin;
    return isFresh(begin) ? begin.untilMs : undefined;
  }
}
