/**
 * What `netspectra up` shows on a terminal: progress, rates, top talkers and protocols. Its numbers come through the
 * query API, the same way users ask for them. Drawn on stderr, in place, only when that is a terminal.
 */
import type { FastifyInstance } from 'fastify';
import type logUpdate from 'log-update';
import { createLogUpdate } from 'log-update';
import { columns, grouped, scaled } from './text.js';

/** What the source of packets shows. */
export interface SourceView {
  /** @param elapsed seconds since the view began */
  heading(elapsed: number): string;
  /** what the lists are about; null: nothing is stored yet */
  readonly range: { readonly fromMs: number; readonly toMs: number; readonly text: string } | null;
}

export interface ViewState extends SourceView {
  readonly address: string;
  /** headers that let the view ask the API */
  readonly headers: Readonly<Record<string, string>>;
}

interface Answer {
  results: Record<string, { frames?: { data: { values: (string | number | null)[][] } }[] }>;
}

const listed = 5;

export class LiveView {
  readonly active: boolean;
  private readonly update: typeof logUpdate | null;
  private readonly started = Date.now();
  private drawing = false;

  constructor(active: boolean) {
    this.active = active;
    this.update = active ? (createLogUpdate(process.stderr) as typeof logUpdate) : null;
  }

  /** Draw once; a call while one is under way is dropped. Failures of a query leave its part out. */
  async draw(app: FastifyInstance, state: ViewState): Promise<void> {
    if (!this.update || this.drawing) return;
    this.drawing = true;
    try {
      this.update(await viewText(app, state, (Date.now() - this.started) / 1000));
    } finally {
      this.drawing = false;
    }
  }

  /** Leave what was drawn last on the screen. */
  close(): void {
    this.update?.done();
  }
}

/** The text of the view. */
export async function viewText(app: FastifyInstance, state: ViewState, seconds: number): Promise<string> {
  const { range } = state;
  const parts: string[] = [];
  parts.push(state.heading(seconds));
  if (range) {
    const { fromMs: from, toMs: to } = range;
    const span = Math.max(1, (to - from) / 1000);
    parts.push(range.text);
    const query = (refId: string, dimension: string) => ({
      refId,
      type: 'table',
      measures: ['bytes', 'packets'],
      groupBy: [dimension],
      limit: listed,
    });
    const response = await app.inject({
      method: 'POST',
      url: '/api/v1/query',
      headers: state.headers,
      payload: {
        from,
        to,
        queries: [query('talkers', 'src_ip'), query('protocols', 'protocol'), query('applications', 'application')],
      },
    });
    if (response.statusCode === 200) {
      const { results } = response.json<Answer>();
      for (const [title, refId] of [
        ['top talkers', 'talkers'],
        ['protocols', 'protocols'],
        ['applications', 'applications'],
      ] as const) {
        const values = results[refId]?.frames?.[0]?.data.values;
        if (!values || values[0]!.length === 0) continue;
        const rows = values[0]!.map((name, i) => [
          String(name === '' || name === null ? '-' : name),
          grouped(Number(values[2]![i])),
          scaled(Number(values[1]![i]), 'B'),
          `${scaled((Number(values[1]![i]) * 8) / span, 'bit/s')}`,
        ]);
        parts.push(columns([[title, 'packets', 'bytes', 'rate'], ...rows], [1, 2, 3]).replace(/^/gm, '  '));
      }
    }
  }
  parts.push(`API ${state.address}  reference ${state.address}/docs  Ctrl-C ends`);
  return parts.join('\n\n');
}
