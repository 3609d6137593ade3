/** Alert events as the frame that Grafana makes annotations of: it picks fields by these names. */
import type { DataFrame } from '@grafana/data';
import { createDataFrame, FieldType } from '@grafana/data';
import type { AlertEvent } from '../resources/alerts.js';

/**
 * One annotation for each event: a region while it lasted (open ones until `nowMs`), text and tags. Texts are data of the
 * network and stay text: Grafana cleans annotation text of markup, and here `<` and `&` are written so that they show.
 */
export function annotationFrame(refId: string, alerts: readonly AlertEvent[], nowMs: number): DataFrame {
  const field = (name: string, type: FieldType, values: unknown[]) => ({ name, type, values, config: {} });
  return createDataFrame({
    refId,
    fields: [
      field(
        'time',
        FieldType.time,
        alerts.map(({ startedAtMs }) => startedAtMs),
      ),
      field(
        'timeEnd',
        FieldType.time,
        alerts.map(({ endedAtMs }) => endedAtMs ?? nowMs),
      ),
      field(
        'title',
        FieldType.string,
        alerts.map(({ name, severity }) => plain(`${name} (${severity})`)),
      ),
      field(
        'text',
        FieldType.string,
        alerts.map(({ summary }) => plain(summary)),
      ),
      field('tags', FieldType.other, alerts.map(tagsOf)),
      field(
        'id',
        FieldType.string,
        alerts.map(({ id }) => id),
      ),
    ],
  });
}

const plain = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function tagsOf({ kind, severity, state, labels }: AlertEvent): string[] {
  return [kind, severity, state, ...Object.entries(labels).map(([name, value]) => `${name}:${value}`)];
}
