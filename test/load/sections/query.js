/**
 * Top 10 by every dimension over 10,000,000 flow rows in the embedded database, through `POST /api/v1/query`, without a
 * filter and with filters of several kinds. Limit: 300 ms at the 95th percentile, of each dimension and filter for itself.
 *
 * The rows are made by the database from hashes of the row number: the same rows every time. They stand in the system's
 * temporary folder under `netspectra-bench` (about 300 MB) until their maker or the schema changes.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { dimensions, queryTables } from '@netspectra/query';
import { createApi } from '../../../backend/dist/api/index.js';
import { openStore } from '../../../backend/dist/storage/index.js';
import { fillStatements, rangeOf } from '../query-data.js';
import { spread, table } from '../measure.js';

const folder = join(tmpdir(), 'netspectra-bench');
const maker = fileURLToPath(new URL('../query-data.js', import.meta.url));
const migrations = fileURLToPath(new URL('../../../backend/dist/storage/migrations/', import.meta.url));

const p95MillisMax = 300;

/** Filters by what they ask of the rows. Those a dimension's table does not have are left out for it. */
const filters = {
  none: '',
  // one value a flow, a part of the rows
  flow: 'protocol = tcp and server_port in (80, 443)',
  // a value for each direction
  directed: 'src_ip in 10.0.0.0/18 and dst_port = 443',
  // a needle
  host: 'host = 10.0.0.7',
};

/** @param {readonly number[]} values the 95th percentile, nearest rank */
const p95 = (values) => [...values].sort((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1];

/** The open store, filled. @param {number} rows */
async function filledStore(rows) {
  const hash = createHash('sha256').update(readFileSync(maker));
  for (const name of readdirSync(migrations).sort()) {
    if (name.endsWith('.js')) hash.update(readFileSync(join(migrations, name)));
  }
  const path = join(folder, `query-${hash.digest('hex').slice(0, 8)}-${rows}`);
  const done = join(path, 'filled');
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (name.startsWith('query-') && join(folder, name) !== path) rmSync(join(folder, name), { recursive: true });
  }
  if (!existsSync(done)) rmSync(path, { recursive: true, force: true });
  const store = await openStore({ dataDir: path });
  if (!existsSync(done)) {
    for (const { name, sql } of fillStatements(rows)) {
      const begin = performance.now();
      await store.command(sql);
      console.log(`filled ${name} in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
    }
    writeFileSync(done, '');
  }
  // What was just written is merged in the background for a while.
  const merging = async () => (await store.query('SELECT count() AS merges FROM system.merges')).columns[0].values[0];
  for (let waited = 0; waited < 60 && (await merging()) > 0; waited += 1) await delay(1_000);
  return store;
}

/** @param {{ turns: number, rows: number, only?: string }} options */
export async function run({ turns, rows, only }) {
  const store = await filledStore(rows);
  const api = createApi(
    { store, metrics: new Registry(), status: () => ({ dependencies: [], watermarkMs: null }) },
    { listen: '127.0.0.1:0', limits: { queryMillisMax: 60_000 } },
  );
  try {
    await api.app.ready();
    const { from, to } = rangeOf(rows);
    /** @param {object} query */
    const ask = async (query) => {
      const begin = performance.now();
      const cpu = process.cpuUsage();
      const answer = await api.app.inject({
        method: 'POST',
        url: '/api/v1/query',
        payload: { from, to, queries: [{ refId: 'A', type: 'table', ...query }] },
      });
      const millis = performance.now() - begin;
      const { user, system } = process.cpuUsage(cpu);
      const result = answer.json().results?.A ?? answer.json();
      return { millis, cpuMillis: (user + system) / 1000, result };
    };
    /** A measure that the dimension's cheapest table has. @param {(typeof dimensions)[number]} dimension */
    const measureOf = (dimension) => {
      if ('flows' in dimension.sources || 'traffic' in dimension.sources) return 'bytes';
      const measures = { dns: 'dns_queries', http: 'http_requests', tls: 'tls_client_hellos' };
      const found = Object.keys(measures).find((name) => name in dimension.sources);
      if (!found) throw new Error(`${dimension.id} is in none of the bench's tables`);
      return measures[found];
    };

    const wanted = dimensions.filter(({ id }) => only === undefined || only.split(',').includes(id));
    // Code and caches of the first question of all are nobody's.
    await ask({ measures: ['bytes'], groupBy: ['src_ip'], limit: 10 });
    const lines = [];
    const figures = {};
    let missed = 0;
    for (const dimension of wanted) {
      const measure = measureOf(dimension);
      for (const [name, filter] of Object.entries(filters)) {
        const query = { measures: [measure], groupBy: [dimension.id], filter, limit: 10 };
        const first = await ask(query);
        // A dimension of another table than the filter's fields: there is no such question.
        if (first.result.error !== undefined && first.result.status === 400 && name !== 'none') continue;
        if (first.result.error !== undefined) throw new Error(`${dimension.id}, ${name}: ${first.result.error}`);
        const asked = [];
        for (let turn = 0; turn < turns; turn += 1) asked.push(await ask(query));
        const millis = asked.map((each) => each.millis);
        const cpu = spread(asked.map((each) => each.cpuMillis)).median;
        const { median, high } = spread(millis);
        const at95 = p95(millis);
        const ok = at95 <= p95MillisMax;
        if (!ok) missed += 1;
        const { meta } = first.result;
        figures[`${dimension.id}/${name}`] = {
          median,
          p95: at95,
          max: high,
          first: first.millis,
          table: meta.tables[0],
        };
        lines.push([
          dimension.id,
          name,
          meta.tables[0],
          median.toFixed(0),
          at95.toFixed(0),
          cpu.toFixed(0),
          first.millis.toFixed(0),
          ok ? 'pass' : 'MISS',
        ]);
      }
    }
    console.log(
      table([
        ['dimension', 'filter', 'table', 'median ms', 'p95 ms', 'cpu ms', 'first ms', `${p95MillisMax} ms`],
        ...lines,
      ]),
    );
    const all = Object.values(figures).map((figure) => figure.p95);
    console.log(`worst p95 ${Math.max(...all).toFixed(0)} ms; ${missed} of ${all.length} missed`);
    return { missed, rows, turns, figures, tables: Object.keys(queryTables) };
  } finally {
    await api.stop();
    await store.close();
  }
}
