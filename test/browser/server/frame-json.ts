/** A frame as Grafana's server writes it for the browser: the schema, then the columns; times in milliseconds. */
import type { DecodedFrame, QueryAnswer } from '../../kit/plugin-host/index.js';

type DecodedField = DecodedFrame['fields'][number];

const filled = (value: object): boolean => Object.keys(value).length > 0;

const fieldSchema = ({ name, type, nullable, labels, config }: DecodedField): object => ({
  name,
  type,
  typeInfo: { frame: type === 'time' ? 'time.Time' : type === 'number' ? 'float64' : type, nullable },
  ...(filled(labels) ? { labels } : {}),
  ...(filled(config) ? { config } : {}),
});

const millis = (value: DecodedField['values'][number]): unknown =>
  typeof value === 'bigint' ? Number(value / 1_000_000n) : value;

const frameJson = ({ name, refId, meta, fields }: DecodedFrame): object => ({
  schema: { ...(name === '' ? {} : { name }), refId, meta, fields: fields.map(fieldSchema) },
  data: { values: fields.map(({ values }) => values.map(millis)) },
});

/** One entry of `results` in the answer to /api/ds/query. */
export function resultJson({ error, errorSource, status, frames }: QueryAnswer): object {
  if (error !== '') return { error, errorSource, status, frames: [] };
  return { status, frames: frames.map(frameJson) };
}
