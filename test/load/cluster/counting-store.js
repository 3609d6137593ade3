/**
 * A store that costs next to nothing, to measure engines by themselves: it counts what inserts bring and drops it. Rows
 * of the accounting table, which engines ask for when they take a partition, and all other statements go to a real one. `node counting-store.js URL`; `GET /counted` tells and forgets the counts.
 */
import { createServer, request as send } from 'node:http';

const behind = new URL(process.argv[2] ?? '');
const newline = 10;
const kept = new Set(['probe_stats', 'schema_migrations']);
/** @type {Record<string, { inserts: number, rows: number, bytes: number }>} */
let counted = {};

/** @param {string} table @param {Buffer} chunk */
function count(table, chunk) {
  const of = (counted[table] ??= { inserts: 0, rows: 0, bytes: 0 });
  of.bytes += chunk.length;
  for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) of.rows += 1;
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', behind);
  if (url.pathname === '/counted') {
    response.end(JSON.stringify(counted));
    counted = {};
    return;
  }
  const table = /^\s*INSERT INTO \S*?`?(\w+)`?[\s(]/i.exec(url.searchParams.get('query') ?? '')?.[1];
  if (table !== undefined) {
    request.on('data', (chunk) => count(table, chunk));
    request.on('end', () => {
      const of = counted[table];
      if (of) of.inserts += 1;
      if (kept.has(table)) return;
      response.setHeader('X-ClickHouse-Summary', '{}');
      response.end();
    });
    if (!kept.has(table)) return;
  }
  const { host: _, ...headers } = request.headers;
  const onward = send(
    { host: behind.hostname, port: behind.port, path: request.url, method: request.method, headers },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on('error', () => response.destroy());
  request.pipe(onward);
});
server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`);
});
