/**
 * Arrow files as Grafana's data package reads them, with its refusals: only the types it knows, any timestamp as
 * nanoseconds, metadata of the right shape. What it would take wrongly fails here.
 */
import { DataType, TimeUnit, tableFromIPC } from 'apache-arrow';
import type { Field, Vector } from 'apache-arrow';

export interface DecodedField {
  readonly name: string;
  readonly type: 'time' | 'number' | 'string' | 'boolean';
  readonly nullable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly config: Readonly<Record<string, unknown>>;
  /** time: nanoseconds as bigint */
  readonly values: readonly (bigint | number | string | boolean | null)[];
}

export interface DecodedMeta {
  readonly type?: string;
  readonly typeVersion?: readonly number[];
  readonly notices?: readonly { readonly severity: string; readonly text: string }[];
  readonly custom?: Readonly<Record<string, unknown>>;
  readonly channel?: string;
  readonly executedQueryString?: string;
  readonly preferredVisualisationType?: string;
}

export interface DecodedFrame {
  readonly name: string;
  readonly refId: string;
  readonly meta: DecodedMeta;
  readonly fields: readonly DecodedField[];
}

const magic = 'ARROW1';

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`Grafana would refuse the frame: ${what}`);
}

function typeOf({ name, type }: Field): DecodedField['type'] {
  if (DataType.isTimestamp(type)) {
    check(
      type.unit === TimeUnit.NANOSECOND,
      `${name}: a time that is not in nanoseconds would be wrong by a power of ten`,
    );
    check(!type.timezone, `${name}: a time with a zone`);
    return 'time';
  }
  if (DataType.isFloat(type)) return 'number';
  if (DataType.isUtf8(type)) return 'string';
  if (DataType.isBool(type)) return 'boolean';
  throw new Error(`Grafana would refuse the frame: ${name} has the type ${String(type)}`);
}

const json = (text: string | undefined, what: string): Record<string, unknown> => {
  if (text === undefined || text === '') return {};
  const value: unknown = JSON.parse(text);
  check(typeof value === 'object' && value !== null && !Array.isArray(value), `${what} is no JSON object`);
  return value as Record<string, unknown>;
};

/** FrameMeta of Grafana's Go package: a wrong type is a frame that is lost. */
const metaTypes: Readonly<Record<string, (value: unknown) => boolean>> = {
  type: (value) => typeof value === 'string',
  typeVersion: (value) =>
    Array.isArray(value) && value.length === 2 && value.every((each) => Number.isInteger(each) && each >= 0),
  path: (value) => typeof value === 'string',
  custom: () => true,
  stats: Array.isArray,
  notices: (value) =>
    Array.isArray(value) &&
    (value as Record<string, unknown>[]).every(
      ({ severity, text, link, inspect, ...more }) =>
        ['info', 'warning', 'error'].includes(String(severity)) &&
        typeof text === 'string' &&
        (link === undefined || typeof link === 'string') &&
        (inspect === undefined || Number.isInteger(inspect)) &&
        Object.keys(more).length === 0,
    ),
  channel: (value) => typeof value === 'string',
  preferredVisualisationType: (value) =>
    ['graph', 'table', 'logs', 'trace', 'nodeGraph', 'flamegraph'].includes(String(value)),
  executedQueryString: (value) => typeof value === 'string',
};

function metaOf(text: string | undefined): DecodedMeta {
  const meta = json(text, 'meta');
  for (const [key, value] of Object.entries(meta)) {
    const is = metaTypes[key];
    check(is !== undefined, `meta.${key} is unknown`);
    check(is(value), `meta.${key} is ${JSON.stringify(value)}`);
  }
  return meta;
}

const configTypes: Readonly<Record<string, string>> = {
  displayName: 'string',
  displayNameFromDS: 'string',
  description: 'string',
  unit: 'string',
  interval: 'number',
  custom: 'object',
};

function valuesOf(field: Field, vector: Vector, type: DecodedField['type']): DecodedField['values'] {
  const values: (bigint | number | string | boolean | null)[] = [];
  for (let i = 0; i < vector.length; i += 1) {
    const valid = vector.isValid(i);
    check(
      valid || field.nullable,
      `${field.name}: a null in a field that is not nullable would be shown as a zero value`,
    );
    if (!valid) values.push(null);
    else if (type === 'time') values.push(timeAt(vector, i));
    else values.push(vector.get(i) as number | string | boolean);
  }
  return values;
}

/** The stored 64 bits; Vector.get makes milliseconds of them. */
function timeAt(vector: Vector, index: number): bigint {
  let at = index;
  for (const data of vector.data) {
    if (at < data.length) return (data.values as BigInt64Array)[at]!;
    at -= data.length;
  }
  throw new Error('beyond the vector');
}

/** One frame as Grafana takes it, or an error that says why it would not. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  check(buffer.subarray(0, 6).toString('latin1') === magic, 'it does not begin as an Arrow file');
  check(buffer.subarray(-6).toString('latin1') === magic, 'it does not end as an Arrow file');
  const table = tableFromIPC(bytes);
  check(table.batches.length <= 1, 'more than one record batch');
  const fields = table.schema.fields.map((field, i): DecodedField => {
    const type = typeOf(field);
    check(field.metadata.get('tstype') === type, `${field.name}: tstype is ${field.metadata.get('tstype')}`);
    const labels = json(field.metadata.get('labels'), 'labels') as Record<string, string>;
    check(
      Object.values(labels).every((label) => typeof label === 'string'),
      `${field.name}: labels that are no text`,
    );
    const config = json(field.metadata.get('config'), 'config');
    for (const [key, value] of Object.entries(config))
      check(typeof value === configTypes[key], `${field.name}: config.${key}`);
    return {
      name: field.name,
      type,
      nullable: field.nullable,
      labels,
      config,
      values: valuesOf(field, table.getChildAt(i)!, type),
    };
  });
  const { metadata } = table.schema;
  return {
    name: metadata.get('name') ?? '',
    refId: metadata.get('refId') ?? '',
    meta: metaOf(metadata.get('meta')),
    fields,
  };
}

/**
 * Throw where an alert rule would fail on an answer: time series must be in the shape their type says, ascending, and each
 * with labels of its own; numbers must be known by their labels.
 */
export function checkForAlerting(frames: readonly DecodedFrame[]): void {
  check(frames.length > 0, 'no frame at all: not even one that says "no data"');
  const [first] = frames;
  if (first!.fields.length === 0) return check(frames.length === 1, 'an empty frame beside others');
  const known = new Set<string>();
  const add = (labels: object): void => {
    const key = JSON.stringify(Object.entries(labels).sort());
    check(!known.has(key), `duplicate labels ${key}`);
    known.add(key);
  };
  for (const { meta, fields } of frames) {
    check(meta.typeVersion?.join('.') === '0.1', 'typeVersion is not 0.1');
    if (meta.type === 'timeseries-multi') {
      const [time, value, ...more] = fields;
      check(time?.type === 'time' && !time.nullable && value?.type === 'number' && more.length === 0, 'not one series');
      const times = time.values as readonly bigint[];
      check(
        times.every((at, i) => i === 0 || at > times[i - 1]!),
        'times do not ascend',
      );
      add(value.labels);
    } else {
      check(meta.type === 'numeric-long', `an alert rule cannot use ${meta.type}`);
      const numbers = fields.filter(({ type }) => type === 'number');
      check(numbers.length === 1 && fields.every(({ type }) => type !== 'time'), 'not one number for a row');
      numbers[0]!.values.forEach((_, row) => {
        add(
          Object.fromEntries(
            fields.filter(({ type }) => type === 'string').map(({ name, values }) => [name, values[row]]),
          ),
        );
      });
    }
  }
}
