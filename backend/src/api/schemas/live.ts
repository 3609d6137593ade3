/** GET /live. */
import { Type } from '@sinclair/typebox';
import { filterText } from './common.js';

export const liveQuerystring = Type.Object({ filter: Type.Optional(filterText) }, { additionalProperties: false });

const nullableNumber = Type.Union([Type.Number(), Type.Null()]);
const rates = { bits_per_second: nullableNumber, packets_per_second: nullableNumber };
const time = {
  from: Type.Number({ description: 'ms since 1970, included' }),
  to: Type.Number({ description: 'not included' }),
};
const ranking = (dimension: string, description: string) =>
  Type.Optional(
    Type.Object(
      {
        ...time,
        rows: Type.Array(Type.Object({ [dimension]: Type.Union([Type.String(), Type.Null()]), ...rates })),
      },
      { description },
    ),
  );

/** `data` of an event of type `traffic`. */
export const liveEventSchema = Type.Object(
  {
    time: Type.Number({ description: 'clock time of the event, ms since 1970' }),
    watermark: Type.Union([Type.Number(), Type.Null()], {
      description: 'event time up to which all is stored; null when nothing is, and then the rest is absent',
    }),
    rates: Type.Optional(Type.Object({ ...time, ...rates }, { description: 'of all that the filter keeps' })),
    protocols: ranking('protocol', 'the ten with most bytes'),
    applications: ranking('application', 'the ten with most bytes'),
    talkers: ranking('src_ip', 'the ten that sent most bytes'),
  },
  { description: 'what happened in the newest whole window (counters: 1 s, talkers: 10 s unless configured)' },
);
