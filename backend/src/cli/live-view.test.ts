/** What the terminal shows, asked of a stand-in for the API. */
import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { viewText } from './live-view.js';
import type { ViewState } from './live-view.js';

interface Asked {
  readonly from: number;
  readonly to: number;
  readonly queries: readonly { readonly refId: string; readonly groupBy: readonly string[] }[];
}

const state = (over: Partial<ViewState> = {}): ViewState => ({
  address: 'http://127.0.0.1:8080',
  headers: { authorization: 'Bearer own' },
  heading: (elapsed) => `capturing eth0: 12 packets/s (${elapsed} s)`,
  range: { fromMs: 60_000, toMs: 120_000, text: 'the last minute' },
  ...over,
});

/** Answers each query with one row. */
function standIn(status = 200) {
  const asked: { readonly body: Asked; readonly authorization: string | undefined }[] = [];
  const app = Fastify();
  app.post('/api/v1/query', (request, reply) => {
    asked.push({ body: request.body as Asked, authorization: request.headers.authorization });
    const frames = [{ data: { values: [['192.0.2.1\u001b[2J'], [6_000_000], [1_234]] } }];
    const results = Object.fromEntries((request.body as Asked).queries.map(({ refId }) => [refId, { frames }]));
    return reply.code(status).send({ results });
  });
  return { app, asked };
}

describe('the view on a terminal', () => {
  it('shows what the source says, and the lists of its range with rates', async () => {
    const { app, asked } = standIn();
    const text = await viewText(app, state(), 7);
    expect(asked).toMatchObject([{ authorization: 'Bearer own', body: { from: 60_000, to: 120_000 } }]);
    expect(asked[0]!.body.queries.map(({ groupBy }) => groupBy)).toEqual([['src_ip'], ['protocol'], ['application']]);
    const lines = text.split('\n');
    expect(lines[0]).toBe('capturing eth0: 12 packets/s (7 s)');
    expect(lines).toContain('the last minute');
    expect(text).toMatch(/top talkers +packets +bytes +rate\n +192\.0\.2\.1\ufffd\[2J +1,234 +6\.00 MB +800 kbit\/s/);
    expect(lines.at(-1)).toBe('API http://127.0.0.1:8080  reference http://127.0.0.1:8080/docs  Ctrl-C ends');
  });

  it('asks nothing while there is nothing to ask about, and leaves out what is not answered', async () => {
    const { app, asked } = standIn(503);
    expect(await viewText(app, state({ range: null }), 0)).not.toContain('the last minute');
    expect(asked).toEqual([]);
    expect(await viewText(app, state(), 0)).not.toContain('top talkers');
    expect(asked).toHaveLength(1);
  });
});
