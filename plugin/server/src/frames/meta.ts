/** What an answer says of itself, for Grafana: notices on the panel, the statements in the inspector, the trust data. */
import type { AnswerMeta } from '@netspectra/query';
import type { Notice } from './model.js';

/** The API's meta: AnswerMeta, and the statements that ran. */
export interface ApiMeta extends AnswerMeta {
  readonly sql?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly further?: readonly { readonly sql: string; readonly params?: Readonly<Record<string, unknown>> }[];
}

const plural = (count: number, one: string, many: string): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;

/** What people must know before they believe a number. */
export function trustNotices(meta: ApiMeta): Notice[] {
  const { kernelDropped, undecodable, flowsFolded } = meta.drops;
  const notices: Notice[] = [];
  const warn = (text: string): void => void notices.push({ severity: 'warning', text });
  if (kernelDropped > 0) {
    warn(`${plural(kernelDropped, 'packet was', 'packets were')} lost before the capture: the true numbers are higher`);
  }
  if (undecodable > 0) warn(`${plural(undecodable, 'packet', 'packets')} could not be decoded`);
  if (flowsFolded > 0) warn(`a flow table was full: ${plural(flowsFolded, 'flow is', 'flows are')} counted as "other"`);
  if (meta.samplingRate > 1) {
    notices.push({
      severity: 'info',
      text: `one of up to ${meta.samplingRate} packets was captured; counts are estimates`,
    });
  }
  return notices;
}

/**
 * `meta.custom` of an answer's first frame. Equal queries give equal answers (Grafana may cache them), so what differs
 * from run to run, as the time it took, is left out.
 */
export function trustOf(meta: ApiMeta): Record<string, unknown> {
  const { sql: _sql, params: _params, further: _further, elapsedMs: _elapsed, ...trust } = meta;
  return { netspectra: trust };
}

const statement = ({ sql, params }: { readonly sql: string; readonly params?: object }): string =>
  params && Object.keys(params).length > 0 ? `${sql}\n-- with ${JSON.stringify(params)}` : sql;

/** The plan and the statements that ran, for the query inspector. */
export function executed(meta: ApiMeta): string {
  const all = meta.sql === undefined ? [] : [{ sql: meta.sql, params: meta.params ?? {} }, ...(meta.further ?? [])];
  return [`-- ${meta.plan.replace(/\s+/g, ' ')}`, ...all.map(statement)].join('\n\n');
}
