/** Graphs: every edge is what the rows say, levels add up to the total, and Grafana finds the fields it looks for. */
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queryResponseSchema } from '../schemas/index.js';
import { frameRows } from '../testing.js';
import type { TestApi, TestResult } from '../testing.js';
import { grouped, makeWorld, seconds, seenBy, start } from './reference-testing.js';

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const world = makeWorld(seed);
const room = world.rooms['flows']!;
const isAnswer = new Ajv({ strict: false }).compile(queryResponseSchema);
let testApi: TestApi;
beforeAll(async () => {
  testApi = await world.open();
});
afterAll(async () => testApi?.close());

const ask = async (query: object): Promise<TestResult> => {
  const results = await testApi.query({
    from: start * 1000,
    to: (start + seconds) * 1000,
    queries: [{ refId: 'A', type: 'graph', measures: ['bytes'], groupBy: ['src_ip', 'dst_ip'], ...query }],
  });
  expect(isAnswer({ results }), JSON.stringify(isAnswer.errors)).toBe(true);
  return results['A']!;
};

interface Edge {
  source: string;
  target: string;
  mainstat: number;
  secondarystat?: number;
}
interface Node {
  id: string;
  title: string;
  subtitle: string;
  mainstat: number;
  detail__dimension: string;
}
const read = (result: TestResult): { nodes: Map<string, Node>; edges: Edge[] } => {
  expect(result.error, result.error).toBeUndefined();
  const [nodes, edges] = result.frames;
  expect([nodes?.schema.name, edges?.schema.name]).toEqual(['nodes', 'edges']);
  const rows = frameRows(nodes) as unknown as Node[];
  return { nodes: new Map(rows.map((row) => [row.id, row])), edges: frameRows(edges) as unknown as Edge[] };
};
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe(`graph (seed ${seed})`, () => {
  test('edges of random levels', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(room.dimensions, { minLength: 2, maxLength: 4 }),
        fc.nat(room.filters.length - 1),
        fc.integer({ min: 1, max: 40 }),
        async (levels, filterAt, limit) => {
          // new_flows keeps the query from the counters, which hold other rows here.
          const filter = room.filters[filterAt]!;
          const measures = ['new_flows', 'bytes'];
          const { nodes, edges } = read(await ask({ measures, groupBy: levels, filter: filter.text, limit }));
          const seen = seenBy(room, { measures, groupBy: levels }, filter, 'both');
          const total = sum(seen.map((row) => row.counters['bytes'] ?? 0));
          for (const edge of edges) {
            expect(nodes.has(edge.source) && nodes.has(edge.target)).toBe(true);
          }
          const levelOf = (id: string): number => Number(id.split(':')[0]);
          for (let level = 0; level + 1 < levels.length; level += 1) {
            const between = edges.filter((edge) => levelOf(edge.source) === level);
            expect(between.every((edge) => levelOf(edge.target) === level + 1)).toBe(true);
            expect(sum(between.map((edge) => edge.secondarystat ?? 0))).toBe(total);
          }
          for (let level = 0; level < levels.length; level += 1) {
            const here = [...nodes.values()].filter((node) => levelOf(node.id) === level);
            expect(here.every((node) => node.detail__dimension === levels[level])).toBe(true);
          }
          if (grouped(seen, levels).size > limit) return;
          // Everything is shown: each edge of two levels against its rows.
          const wanted = grouped(seen, levels.slice(0, 2));
          const first = edges.filter((edge) => levelOf(edge.source) === 0);
          expect(first).toHaveLength(wanted.size);
          expect(first.map((edge) => edge.secondarystat).sort()).toEqual(
            [...wanted.values()].map((rows) => sum(rows.map((row) => row.counters['bytes'] ?? 0))).sort(),
          );
        },
      ),
      { seed, numRuns: 40, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false },
    );
  });

  test('without "other" only the leading paths are there, and the answer says so', async () => {
    const result = await ask({ limit: 2, other: false });
    const { nodes, edges } = read(result);
    expect(edges).toHaveLength(2);
    expect([...nodes.values()].map((node) => node.title)).not.toContain('other');
    expect(result.meta.truncated).toBe(true);
  });

  test('a host is one node where nodes are merged, and two where not', async () => {
    const titles = async (mergeNodes: boolean): Promise<string[]> => {
      const { nodes } = read(await ask({ limit: 1000, mergeNodes }));
      return [...nodes.values()].map((node) => node.title).filter((title) => title === '10.0.0.1');
    };
    expect(await titles(false)).toHaveLength(2);
    expect(await titles(true)).toHaveLength(1);
  });

  test('a merged node has the bytes of its host once, also of what it sent to itself', async () => {
    const { nodes } = read(await ask({ limit: 1000, mergeNodes: true }));
    const seen = seenBy(room, { measures: ['bytes'], groupBy: ['src_ip', 'dst_ip'] }, room.filters[0]!, 'both');
    const of = (host: string): number =>
      sum(
        seen
          .filter(({ dimensions }) => dimensions['src_ip'] === host || dimensions['dst_ip'] === host)
          .map(({ counters }) => counters['bytes'] ?? 0),
      );
    expect(nodes.size).toBeGreaterThan(1);
    for (const { title, mainstat } of nodes.values()) expect(mainstat, title).toBe(of(title));
  });

  test('panels find nodes and edges by their names', async () => {
    const { frames } = await ask({ measures: ['bits_per_second'] });
    expect(frames.map((frame) => frame.schema.fields.map((field) => field.name))).toEqual([
      ['id', 'title', 'subtitle', 'mainstat', 'detail__dimension'],
      ['id', 'source', 'target', 'mainstat', 'thickness'],
    ]);
    for (const { schema } of frames) expect(schema.meta).toMatchObject({ preferredVisualisationType: 'nodeGraph' });
    expect(frames[0]!.schema.fields[3]!.config).toMatchObject({ displayName: 'Bits/s', unit: 'bps' });
  });

  test.each([
    [{ groupBy: ['src_ip'] }, '#/queries/0/groupBy'],
    [{ groupBy: room.dimensions.slice(0, 11) }, '#/queries/0/groupBy'],
    [{ measures: ['rtt_avg'] }, '#/queries/0/measures/0'],
    [{ measures: ['bytes', 'packets', 'new_flows'] }, '#/queries/0/measures/2'],
    [{ measures: [] }, '#/queries/0/measures'],
    [{ compareTo: { offset: '1h' } }, '#/queries/0/compareTo'],
    [{ type: 'table', mergeNodes: true }, '#/queries/0/mergeNodes'],
    [{ type: 'table', groupBy: ['src_ip/40/40'] }, '#/queries/0/groupBy/0'],
    [{ type: 'table', groupBy: ['src_ipp/24'] }, '#/queries/0/groupBy/0'],
    [{ type: 'table', compareTo: { offset: 'yesterday' } }, '#/queries/0/compareTo/offset'],
    [{ type: 'table', compareTo: { offset: '520w' } }, undefined],
    [{ type: 'table', compareTo: { from: 0, to: 1000 } }, '#/queries/0/compareTo'],
    [
      { type: 'table', compareTo: { from: (start + 1) * 1000, to: (start + seconds + 1) * 1000 } },
      '#/queries/0/compareTo/from',
    ],
    [{ type: 'flows', groupBy: [], measures: ['bytes_share'] }, '#/queries/0/measures/0'],
    [{ type: 'flows', groupBy: [], measures: ['bits_per_second_p95'] }, '#/queries/0/measures/0'],
    [{ type: 'flows', groupBy: [], direction: 'in' }, '#/queries/0/direction'],
  ])('%j is refused at %s', async (query, pointer) => {
    const result = await ask(query);
    if (pointer === undefined) return expect(result.error).toBeUndefined();
    expect(result.status).toBe(400);
    expect(result.errors?.map((error) => error.pointer)).toEqual([pointer]);
  });
});
