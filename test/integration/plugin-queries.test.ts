/**
 * The datasource's executable, driven as Grafana drives it, before a running API with the sample capture: what comes out as
 * Arrow frames is what the API answered, value for value.
 */
import type { QueryResult, QuerySuccess } from '@netspectra/query';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { PluginProcess, checkForAlerting } from '../kit/plugin-host/index.js';
import type { DecodedFrame, QueryAnswer } from '../kit/plugin-host/index.js';
import { sampleCapture, temporaryFolder, until } from './process.js';

const from = Date.UTC(2026, 0, 1);
const to = from + 60_000;
const folder = temporaryFolder();
let api: Serving;
let plugin: PluginProcess;

beforeAll(async () => {
  [api, plugin] = await Promise.all([
    startServing(['up', '--read', sampleCapture, '--data', folder.path]),
    PluginProcess.start(),
  ]);
  await until('the capture is read', () => api.stderr().includes('"capture read"'));
});

afterAll(async () => {
  const stopped = await plugin?.stop();
  await endServings();
  folder.remove();
  expect(plugin?.logMistakes).toEqual([]);
  expect(plugin?.strayOutput).toEqual([]);
  expect(stopped?.graceful).toBe(true);
});

interface Answers {
  readonly results: Readonly<Record<string, QueryResult>>;
}

const request = (query: object) => ({ from, to, queries: [{ refId: 'A', ...query }] });
const datasource = () => ({ url: api.url });

async function direct(query: object): Promise<QuerySuccess> {
  const { results } = (await (await api.query(request(query))).json()) as Answers;
  const result = results['A'] as QuerySuccess;
  expect(result).not.toHaveProperty('error');
  return result;
}

async function asked(query: object, more: { maxDataPoints?: number } = {}): Promise<QueryAnswer> {
  const answers = await plugin.client.query(datasource(), [{ from, to, query: { version: 1, ...query }, ...more }]);
  const answer = answers['A']!;
  expect(answer).toMatchObject({ error: '', status: 200 });
  return answer;
}

/** A column's values as the API has them: times in milliseconds. */
const plain = ({ fields }: DecodedFrame): unknown[][] =>
  fields.map(({ values }) => values.map((value) => (typeof value === 'bigint' ? Number(value) / 1e6 : value)));

describe('answers are those of the API', () => {
  test('time series: a frame for each series, with labels and units', async () => {
    const query = {
      type: 'timeseries',
      measures: ['bits_per_second', 'rtt_avg'],
      groupBy: ['application'],
      limit: 5,
      other: true,
    };
    const { frames } = await asked({ ...query, interval: '10s' });
    const {
      frames: [wide],
      meta,
    } = await direct({ ...query, intervalMs: 10_000 });
    const [, ...fields] = wide!.schema.fields;
    expect(frames).toHaveLength(fields.length);
    expect(frames.length).toBeGreaterThan(4);
    frames.forEach((frame, i) => {
      expect(plain(frame)).toEqual([wide!.data.values[0], wide!.data.values[i + 1]]);
      expect(frame.refId).toBe('A');
      expect(frame.meta).toMatchObject({ type: 'timeseries-multi', typeVersion: [0, 1] });
      const { name, labels, config } = fields[i]!;
      expect(frame.fields[0]).toMatchObject({
        name: 'time',
        type: 'time',
        nullable: false,
        config: { interval: 10_000 },
      });
      expect(frame.fields[1]).toMatchObject({ name, type: 'number', nullable: true, config });
      expect(frame.fields[1]!.labels).toEqual({ ...labels, measure: name });
    });
    expect(frames[0]!.meta.custom).toMatchObject({
      netspectra: { tables: meta.tables, intervalMs: 10_000, drops: meta.drops },
    });
    expect(frames[0]!.meta.executedQueryString).toMatch(/^-- .*\n\nSELECT/s);
    expect(frames[1]!.meta).not.toHaveProperty('executedQueryString');
    checkForAlerting(frames);
  });

  test('tables keep their columns, with nulls as nulls', async () => {
    const query = { type: 'table', measures: ['bytes', 'rtt_avg'], groupBy: ['src_ip', 'dst_port'], limit: 50 };
    const {
      frames: [frame],
    } = await asked(query);
    const {
      frames: [table],
    } = await direct(query);
    expect(plain(frame!)).toEqual(table!.data.values);
    expect(frame!.fields.map(({ name, type }) => [name, type])).toEqual(
      table!.schema.fields.map(({ name, type }) => [name, type]),
    );
    expect(frame!.fields.map(({ config }) => config)).toEqual(table!.schema.fields.map(({ config }) => config ?? {}));
    expect(frame!.meta).toMatchObject({ type: 'table' });
    expect(table!.data.values.flat()).toContain(null);
  });

  test('graphs: nodes and edges by their names', async () => {
    const query = { type: 'graph', measures: ['bytes'], groupBy: ['src_ip', 'dst_port', 'dst_ip'], limit: 20 };
    const { frames } = await asked(query);
    const { frames: expected } = await direct(query);
    expect(frames.map(({ name }) => name)).toEqual(['nodes', 'edges']);
    expect(frames.map(plain)).toEqual(expected.map(({ data }) => data.values));
    expect(frames.every(({ meta }) => meta.preferredVisualisationType === 'nodeGraph')).toBe(true);
  });

  test('flow records, to the nanosecond that a number holds', async () => {
    const query = { type: 'flows', measures: [], limit: 100 };
    const {
      frames: [frame],
    } = await asked(query);
    const {
      frames: [flows],
    } = await direct(query);
    const first = frame!.fields.find(({ name }) => name === 'first')!;
    expect(first).toMatchObject({ type: 'time' });
    const millis = flows!.data.values[flows!.schema.fields.findIndex(({ name }) => name === 'first')] as number[];
    expect(first.values).toEqual(
      millis.map((at) => BigInt(Math.floor(at)) * 1_000_000n + BigInt(Math.round((at % 1) * 1e6))),
    );
    expect(plain(frame!).slice(2)).toEqual(flows!.data.values.slice(2));
  });

  test('explain', async () => {
    const query = { type: 'explain', measures: ['bytes'], groupBy: ['application'], explain: { at: from + 30_000 } };
    const {
      frames: [frame],
    } = await asked(query);
    const {
      frames: [expected],
    } = await direct(query);
    expect(plain(frame!)).toEqual(expected!.data.values);
    expect(frame!.meta.custom).toMatchObject(expected!.schema.meta!.custom!);
  });

  test('an earlier period stands beside, with a label', async () => {
    const query = { type: 'timeseries', measures: ['bytes'], groupBy: [], compareTo: { offset: '30s' } };
    const { frames } = await asked({ ...query, interval: '10s' });
    const { frames: expected } = await direct({ ...query, intervalMs: 10_000 });
    expect(frames.map(plain)).toEqual(expected.map(({ data }) => data.values));
    expect(frames[1]!.fields[1]!.labels).toEqual({ period: '30 seconds before' });
    checkForAlerting(frames);
  });

  test('alerts: a table that may be empty', async () => {
    const { frames } = await asked({ queryType: 'alerts', alerts: { severity: 'critical' } });
    expect(frames).toHaveLength(1);
    expect(frames[0]!.fields.map(({ name }) => name).slice(0, 6)).toEqual([
      'time',
      'timeEnd',
      'title',
      'text',
      'tags',
      'id',
    ]);
  });

  test('no data is a frame without fields', async () => {
    const { frames } = await asked({
      type: 'timeseries',
      measures: ['bytes'],
      groupBy: ['src_ip'],
      filter: 'src_ip = 203.0.113.99',
    });
    expect(frames).toMatchObject([{ fields: [], meta: { type: 'timeseries-multi', typeVersion: [0, 1] } }]);
    checkForAlerting(frames);
  });
});

describe('alert rules', () => {
  const alert = async (query: object) => {
    const answers = await plugin.client.alertQuery(datasource(), [
      { from, to, query: { version: 1, ...query }, maxDataPoints: 43_200 },
    ]);
    const answer = answers['A']!;
    expect(answer).toMatchObject({ error: '', status: 200 });
    checkForAlerting(answer.frames);
    return answer.frames;
  };

  test('a table is one number for each set of labels; ports are labels', async () => {
    const query = { type: 'table', measures: ['bytes'], groupBy: ['src_ip', 'dst_port'], limit: 50, other: true };
    const [frame] = await alert(query);
    const {
      frames: [table],
    } = await direct(query);
    expect(frame!.meta).toMatchObject({ type: 'numeric-long', typeVersion: [0, 1] });
    expect(frame!.fields.map(({ name, type }) => [name, type])).toEqual([
      ['src_ip', 'string'],
      ['dst_port', 'string'],
      ['bytes', 'number'],
    ]);
    expect(frame!.fields[2]!.values).toEqual(table!.data.values[2]);
    expect(frame!.fields[1]!.values).toEqual(table!.data.values[1]!.map((port) => String(port ?? '(none)')));
  });

  test('several measures are told apart by a label', async () => {
    const query = { type: 'table', measures: ['bytes', 'packets'], groupBy: ['application'], limit: 3 };
    const [frame] = await alert(query);
    const {
      frames: [table],
    } = await direct(query);
    const [applications, bytes, packets] = table!.data.values;
    expect(frame!.fields.map(({ name }) => name)).toEqual(['application', 'measure', 'value']);
    expect(plain(frame!)).toEqual([
      [...applications!, ...applications!].map((name) => (name === '' ? '(none)' : name)),
      [...bytes!.map(() => 'bytes'), ...packets!.map(() => 'packets')],
      [...bytes!, ...packets!],
    ]);
  });

  test('a rule may look at the bound of an estimate', async () => {
    const query = { type: 'table', measures: ['distinct_src_ip'], groupBy: [] };
    const {
      frames: [table],
    } = await direct(query);
    const column = (name: string) => table!.data.values[table!.schema.fields.findIndex((field) => field.name === name)];
    const [estimate] = await alert(query);
    const [lower] = await alert({ ...query, bound: 'lower' });
    const [upper] = await alert({ ...query, bound: 'upper' });
    expect(estimate!.fields.map(({ name, values }) => [name, values])).toEqual([
      ['distinct_src_ip', column('distinct_src_ip')],
    ]);
    expect(lower!.fields[0]).toMatchObject({ name: 'distinct_src_ip', values: column('distinct_src_ip_lower') });
    expect(upper!.fields[0]).toMatchObject({ name: 'distinct_src_ip', values: column('distinct_src_ip_upper') });
  });

  test('time series, and no data at all', async () => {
    const series = await alert({
      type: 'timeseries',
      measures: ['bits_per_second', 'packets_per_second'],
      groupBy: ['src_ip'],
      limit: 5,
      other: true,
    });
    expect(series.length).toBeGreaterThan(5);
    const none = await alert({
      type: 'table',
      measures: ['bytes'],
      groupBy: ['src_ip'],
      filter: 'src_ip = 203.0.113.99',
    });
    expect(none).toMatchObject([{ fields: [] }]);
  });

  test('a panel asks for numbers by its format, expressions by their header', async () => {
    const query = { type: 'table', measures: ['bytes'], groupBy: ['server_port'] };
    const [wanted] = (await asked({ ...query, format: 'numeric' })).frames;
    expect(wanted!.meta.type).toBe('numeric-long');
    const headers = { 'http_X-Grafana-From-Expr': 'true' };
    const answers = await plugin.client.query(datasource(), [{ from, to, query }], { headers });
    expect(answers['A']!.frames[0]!.meta.type).toBe('numeric-long');
  });
});

describe('many at once', () => {
  test('a bad query fails alone, with the words of the API', async () => {
    const good = { type: 'table', measures: ['bytes'], groupBy: [] };
    const answers = await plugin.client.query(datasource(), [
      { refId: 'A', from, to, query: good },
      { refId: 'B', from, to, query: { ...good, filter: 'srcip = 1' } },
      { refId: 'C', from, to, query: { ...good, measures: ['bits'] } },
      { refId: 'D', from, to, query: { ...good, measures: Array.from({ length: 21 }, () => 'bytes') } },
      { refId: 'E', from, to: to + 1_000, query: good },
    ]);
    expect(answers['A']!.frames[0]!.fields[0]!.values[0]).toBeGreaterThan(0);
    expect(answers['E']!.frames[0]!.fields[0]!.values[0]).toBeGreaterThan(0);
    expect(answers['B']).toMatchObject({
      status: 400,
      errorSource: 'downstream',
      error: expect.stringContaining('src_ip') as string,
    });
    expect(answers['C']).toMatchObject({ status: 400, error: expect.stringContaining('bits') as string });
    expect(answers['D']).toMatchObject({ status: 400, error: expect.stringContaining('measures') as string });
  });

  test('names that packets carried are text, whatever they are', async () => {
    const { frames } = await asked({ type: 'table', measures: ['dns_queries'], groupBy: ['dns_name'], limit: 1_000 });
    const {
      frames: [table],
    } = await direct({ type: 'table', measures: ['dns_queries'], groupBy: ['dns_name'], limit: 1_000 });
    expect(plain(frames[0]!)).toEqual(table!.data.values);
  });

  test('an API that is down is an error of each query, not of the call', async () => {
    const query = { type: 'table', measures: ['bytes'], groupBy: [] };
    const answers = await plugin.client.query({ url: 'http://127.0.0.1:1', uid: 'down' }, [
      { refId: 'A', from, to, query },
      { refId: 'B', from, to: to + 1_000, query },
    ]);
    for (const refId of ['A', 'B']) {
      expect(answers[refId]).toMatchObject({
        status: 502,
        errorSource: 'downstream',
        error: expect.stringContaining('refused') as string,
      });
    }
  });
});
