/** Events of the API's live view as Grafana frames in JSON; columns as in live-frames.ts. */
import type { FrameValue } from '@netspectra/query';
import type { LiveView } from '../contract/query.js';
import { labelsText, liveMeasures, viewDimensions } from './live-frames.js';

type Row = Readonly<Record<string, FrameValue>>;

interface Part {
  readonly from?: number;
  readonly rows?: readonly Row[];
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
    field('bits_per_second', 'number', 'float64', true, { unit: 'bps' }),
    field('packets_per_second', 'number', 'float64', true, { unit: 'pps' }),
  ],
});

/** Makes the packets of one stream: the first has the schema, later ones only data. */
export class PacketMaker {
  readonly #view: LiveView;
  #lastFrom: number | undefined;
  #begun = false;

  constructor(view: LiveView) {
    this.#view = view;
  }

  /** The packet of an event, or undefined when it tells nothing new. */
  traffic(event: LiveEvent): object | undefined {
    const part = (event[this.#view] ?? {}) as Part & Row;
    const { from } = part;
    if (typeof from !== 'number' || from === this.#lastFrom) return undefined;
    this.#lastFrom = from;
    const dimension = viewDimensions[this.#view];
    const rows: readonly Row[] = dimension === undefined ? [part] : (part.rows ?? []);
    const numbers = liveMeasures.map((measure) => rows.map((row) => row[measure] ?? null));
    const labels = dimension === undefined ? [] : [rows.map((row) => labelsText(dimension, row[dimension]))];
    return this.#packet([...labels, rows.map(() => from), ...numbers]);
  }

  /** A packet that says that the API cannot answer now. */
  problem(text: string): object {
    this.#begun = true;
    const schema = { ...schemaOf(this.#view), meta: { notices: [{ severity: 'error', text }] } };
    return { schema, data: { values: schema.fields.map(() => []) } };
  }

  #packet(values: FrameValue[][]): object {
    const packet = this.#begun ? { data: { values } } : { schema: schemaOf(this.#view), data: { values } };
    this.#begun = true;
    return packet;
  }
}
