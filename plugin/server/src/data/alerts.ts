/**
 * Queries for alerts (contract/alerts.ts): what alert rules and detectors noticed in the range, in the field names of Grafana's
 * annotations (time, timeEnd, title, text, tags, id), with the rest beside them for lists.
 */
import type { FrameValue } from '@netspectra/query';
import type { ApiClient } from '../api/client.js';
import { PluginError } from '../errors.js';
import type { Column, ColumnType, DataFrame, Notice } from '../frames/model.js';
import type { Translated } from './translate.js';

type Alert = Readonly<Record<string, unknown>>;

const limitDefault = 100;
/** Of one page of the API. */
const limitMax = 1_000;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);

/** Grafana takes a comma for the end of a tag. */
const tagsOf = ({ kind, severity, state, labels }: Alert): string => {
  const pairs = Object.entries((labels ?? {}) as Record<string, unknown>).map(
    ([name, value]) => `${name}=${String(value)}`,
  );
  return [kind, severity, state, ...pairs].map((tag) => String(tag).replaceAll(',', ' ')).join(',');
};

const columns: readonly (readonly [string, ColumnType, boolean, (alert: Alert) => FrameValue])[] = [
  ['time', 'time', false, ({ startedAtMs }) => number(startedAtMs)],
  ['timeEnd', 'time', true, ({ endedAtMs }) => number(endedAtMs)],
  ['title', 'string', false, ({ name }) => text(name)],
  ['text', 'string', false, ({ summary }) => text(summary)],
  ['tags', 'string', false, tagsOf],
  ['id', 'string', false, ({ id }) => text(id)],
  ['kind', 'string', false, ({ kind }) => text(kind)],
  ['source', 'string', false, ({ source }) => text(source)],
  ['severity', 'string', false, ({ severity }) => text(severity)],
  ['state', 'string', false, ({ state }) => text(state)],
  ['value', 'number', true, ({ value }) => number(value)],
  ['threshold', 'number', true, ({ threshold }) => number(threshold)],
];

/** Ask for the alerts of a query's range, latest first. Rejects with a PluginError. */
export async function alertsFrame(
  client: ApiClient,
  { refId, alerts: selection = {}, ask, fromMs, toMs, notices: before }: Translated,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<DataFrame> {
  const limit = Math.min(Number(ask.limit ?? limitDefault), limitMax);
  const parameters = new URLSearchParams({ from: String(fromMs), to: String(toMs), limit: String(limit) });
  for (const [key, value] of Object.entries(selection)) parameters.set(key, String(value));
  const answer = await client.json({ method: 'GET', path: `/api/v1/alerts?${parameters.toString()}`, headers, signal });
  const { alerts, next } = answer as { alerts?: unknown; next?: unknown };
  if (!Array.isArray(alerts)) throw new PluginError('unreachable', 'the API answered something else than alerts');
  const notices: Notice[] = [...before];
  if (typeof next === 'string') notices.push({ severity: 'info', text: `only the latest ${limit} alerts are shown` });
  return {
    refId,
    meta: { type: 'table', typeVersion: [0, 1], ...(notices.length > 0 ? { notices } : {}) },
    columns: columns.map(([name, type, nullable, of]): Column => {
      const values = (alerts as Alert[]).map(of);
      return { name, type, nullable: nullable || values.includes(null), values };
    }),
  };
}
