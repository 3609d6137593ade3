/** Events of the API's live view as Grafana frames in JSON; columns as in live-frames.ts. */
import type { FrameValue } from '@netspectra/query';
import type { LiveView } from '../contract/query.js';
import { labelsText, liveMeasures, liveUnits, viewDimensions } from './live-frames.js';

type Row = Readonly<Record<string, FrameValue>>;

interface Part {
  readonly from?: number;
  readonly to?: number;
  readonly rows?: readonly Row[];
}

/** A data frame in JSON as Grafana Live takes it. */
export interface Packet {
  readonly schema?: object;
  readonly data: { readonly values: readonly (readonly FrameValue[])[] };
}

type LiveEvent = Readonly<Record<string, unknown>>;

const field = (name: string, type: string, frame: string, nullable: boolean, config?: object) => ({
  name,
  type,
  typeInfo: { frame, ...(nullable ? { nullable } : {}) },
  ...(config === undefined ? {} : { config }),
});

const schemaOf = (view: LiveView) => ({
  fields: [
    ...(viewDimensions[view] === undefined ? [] : [field('labels', 'string', 'string', false)]),
    field('time', 'time', 'time.Time', false),
    ...liveMeasures.map((measure) => field(measure, 'number', 'float64', true, { unit: liveUnits[measure] })),
  ],
});

/**
 * Makes the packets of one stream: the first has the schema, later ones only data. A panel keeps the notices that it was told
 * until it is told others: after a problem the schema is sent again, without any.
 */
export class PacketMaker {
  readonly #view: LiveView;
  #lastFrom: number | undefined;
  #untilMs: number | undefined;
  #told: 'nothing' | 'schema' | 'problem' = 'nothing';

  readonly #sinceMs: number;

  /** @param sinceMs the panel has what began before */
  constructor(view: LiveView, sinceMs = 0) {
    this.#view = view;
    this.#sinceMs = sinceMs;
  }

  /** Where the window of the latest packet ends, packet time; undefined before the first. */
  get untilMs(): number | undefined {
    return this.#untilMs;
  }

  /** The packet of an event, or undefined when it tells nothing new. */
  traffic(event: LiveEvent): Packet | undefined {
    const part = (event[this.#view] ?? {}) as Part & Row;
    const { from, to } = part;
    if (typeof from !== 'number' || from === this.#lastFrom || from < this.#sinceMs) return undefined;
    this.#lastFrom = from;
    if (typeof to === 'number') this.#untilMs = to;
    const dimension = viewDimensions[this.#view];
    const rows: readonly Row[] = dimension === undefined ? [part] : (part.rows ?? []);
    const numbers = liveMeasures.map((measure) => rows.map((row) => row[measure] ?? null));
    const labels = dimension === undefined ? [] : [rows.map((row) => labelsText(dimension, row[dimension]))];
    return this.#packet([...labels, rows.map(() => from), ...numbers]);
  }

  /** A packet that says that the API cannot answer now. */
  problem(text: string): object {
    this.#told = 'problem';
    const schema = schemaOf(this.#view);
    return {
      schema: { ...schema, meta: { notices: [{ severity: 'error', text }] } },
      data: { values: schema.fields.map(() => []) },
    };
  }

  #packet(values: FrameValue[][]): Packet {
    const told = this.#told;
    this.#told = 'schema';
    if (told === 'schema') return { data: { values } };
    const meta = told === 'problem' ? { meta: { notices: [] } } : {};
    return { schema: { ...schemaOf(this.#view), ...meta }, data: { values } };
  }
}
