/** What the server side says of alerts, as Grafana draws annotations. */
import type { DataFrame, Field } from '@grafana/data';

/** Fields that Grafana takes for HTML, cleaned of what could run. */
const markedUp = ['title', 'text'];

const plain = (text: unknown): string =>
  String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/**
 * One annotation for each event: a region while it lasted (open ones until `nowMs`), text and tags. Texts are data of the
 * network and stay text: `<` and `&` are written so that they show.
 */
export function annotationFrame(frame: DataFrame, nowMs: number): DataFrame {
  const drawn = (field: Field): Field => {
    if (field.name === 'timeEnd') return { ...field, values: field.values.map((end: number | null) => end ?? nowMs) };
    return markedUp.includes(field.name) ? { ...field, values: field.values.map(plain) } : field;
  };
  return { ...frame, fields: frame.fields.map(drawn) };
}
