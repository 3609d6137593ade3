/** GET /live. */
import { Type } from '@sinclair/typebox';
import { filterText } from './common.js';

export const liveQuerystring = Type.Object(
  {
    filter: Type.Optional(filterText),
    since: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 8_640_000_000_000_000,
        description:
          'packet time up to which the client has the past, ms since 1970: the first event is of the window that begins there, ' +
          'at most 120 windows back. `Last-Event-ID` counts before it. Absent: the latest window',
      }),
    ),
  },
  { additionalProperties: false },
);

const nullableNumber = Type.Union([Type.Number(), Type.Null()]);
const rates = { bits_per_second: nullableNumber, packets_per_second: nullableNumber };
const time = {
  from: Type.Number({ description: 'ms since 1970, included' }),
  to: Type.Number({ description: 'not included' }),
};
const ranking = (dimension: string, description: string) =>
  Type.Object(
    {
      ...time,
      rows: Type.Array(Type.Object({ [dimension]: Type.Union([Type.String(), Type.Null()]), ...rates })),
    },
    { description },
  );

/** `data` of an event of type `traffic`. */
export const liveEventSchema = Type.Object(
  {
    time: Type.Number({ description: 'clock time of the event, ms since 1970' }),
    watermark: Type.Number({ description: 'packet time up to which all was stored then, ms since 1970' }),
    rates: Type.Object({ ...time, ...rates }, { description: 'of all that the filter keeps' }),
    protocols: ranking('protocol', 'the ten with most bytes'),
    applications: ranking('application', 'the ten with most bytes'),
    talkers: ranking('src_ip', 'the ten that sent most bytes'),
  },
  {
    description: 'what happened in one window (counters: 1 s; talkers: the last whole one of 10 s; unless configured)',
  },
);
