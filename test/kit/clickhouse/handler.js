// @ts-check
/**
 * ClickHouse's HTTP interface (docs: https://clickhouse.com/docs/interfaces/http; ClickHouse 25, src/Server/HTTPHandler.cpp)
 * over chDB, as far as clients of ours can notice.
 *
 * It does: GET and POST with the statement in `query`, in the body, or begun in one and ended in the other; GET is
 * readonly; `param_*`; every other name is a setting (unknown ones are 404); `database`, `default_format`, `query_id`
 * (a running one is refused, or replaced with replace_running_query), sessions with timeout, check and lock; users by
 * header, basic authentication, URL or client certificate; gzip, deflate and br both ways; the X-ClickHouse-* headers;
 * statuses by exception; an exception after the first megabyte of output comes inside the body, in the frame of
 * ClickHouse 25.11, and breaks it off, unless `wait_end_of_query` held it back; a readonly query whose client leaves is
 * killed when `cancel_http_readonly_queries_on_client_close` is set, any other goes on. Limits (max_execution_time,
 * max_result_rows, max_memory_usage ...) are the engine's own.
 *
 * It does not: stream (a result is made whole, then sent), tell of progress, compress natively (compress=1, decompress=1),
 * take multipart bodies or external tables, know roles, quotas or rights; `query_id` of a request is known to KILL QUERY, but
 * in system.processes stands chDB's own; settings of the URL stay with a session; `SETTINGS` before `FORMAT` of an INSERT goes
 * through a text.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, deflate, gunzip, gzip, inflate } from 'node:zlib';
import { authenticate } from './access.js';
import { ClickHouseException, exceptionOf } from './exceptions.js';
import { formatOf, hasSeveral, isInsert, masked } from './statement.js';

/** @typedef {import('node:http').IncomingMessage} Request */
/** @typedef {import('node:http').ServerResponse} Response */

/** Names that are not settings. */
const reserved = new Set(
  'query database default_format compress decompress user password quota_key query_id stacktrace role buffer_size wait_end_of_query session_id session_timeout session_check client_protocol_version close_session'.split(
    ' ',
  ),
);
/** Output up to here is held back, so that an exception still can be the answer; ClickHouse's smallest buffer. */
const heldBytes = 1024 * 1024;

const encoders = { br: promisify(brotliCompress), gzip: promisify(gzip), deflate: promisify(deflate) };
const decoders = { br: promisify(brotliDecompress), gzip: promisify(gunzip), deflate: promisify(inflate) };

/** @param {string} format */
function contentType(format) {
  if (/^JSON\w*EachRow/.test(format)) return 'application/x-ndjson; charset=UTF-8';
  if (format.startsWith('JSON')) return 'application/json; charset=UTF-8';
  if (format.startsWith('CSV')) return 'text/csv; charset=UTF-8';
  return /^(TabSeparated|TSV)/.test(format) ? 'text/tab-separated-values; charset=UTF-8' : 'text/plain; charset=UTF-8';
}

/**
 * @param {Request} request
 * @returns {Promise<Buffer>}
 */
async function bodyOf(request) {
  if (
    request.method === 'POST' &&
    request.headers['content-length'] === undefined &&
    request.headers['transfer-encoding'] === undefined
  ) {
    throw new ClickHouseException(
      381,
      'HTTP_LENGTH_REQUIRED',
      'The Transfer-Encoding is not chunked and there is no Content-Length header for POST request',
    );
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(/** @type {Buffer} */ (chunk));
  const body = Buffer.concat(chunks);
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || body.length === 0) return body;
  const decode = decoders[/** @type {keyof typeof decoders} */ (encoding)];
  if (!decode)
    throw new ClickHouseException(89, 'UNKNOWN_COMPRESSION_METHOD', `Unknown compression method ${encoding}`);
  return decode(body);
}

export class Handler {
  /**
   * @param {import('./engine.js').Engine} engine
   * @param {import('./sessions.js').Sessions} sessions
   * @param {import('./faults.js').Faults} faults
   * @param {{ users: ReadonlyArray<import('./access.js').User>, version: string, timezone: string }} server
   */
  constructor(engine, sessions, faults, server) {
    this.engine = engine;
    this.sessions = sessions;
    this.faults = faults;
    this.server = server;
    /** @type {Map<string, Promise<unknown>>} running statements by query id */
    this.running = new Map();
  }

  /**
   * @param {Request} request
   * @param {Response} response
   */
  async handle(request, response) {
    const url = new URL(request.url ?? '/', 'http://server');
    response.setHeader('X-ClickHouse-Server-Display-Name', 'netspectra-test');
    response.setHeader('Keep-Alive', 'timeout=10');
    if (url.pathname === '/ping' || url.pathname === '/replicas_status') return void response.end('Ok.\n');
    if (url.pathname.startsWith('/kit/')) return this.control(url.pathname, request, response);
    if (url.pathname !== '/' && url.pathname !== '/query') {
      return void response
        .writeHead(404)
        .end(`There is no handle ${url.pathname}\n\nUse / or /ping for health checks.\n`);
    }
    if (request.method === 'GET' && !url.searchParams.has('query')) return void response.end('Ok.\n');
    try {
      await this.query(request, response, url);
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      const exception = exceptionOf(error);
      await this.send(request, response, url, Buffer.from(exception.text(this.server.version)), {
        status: exception.status,
        headers: { 'X-ClickHouse-Exception-Code': String(exception.code), 'Content-Type': 'text/plain; charset=UTF-8' },
      });
    }
  }

  /**
   * @param {Request} request
   * @param {Response} response
   * @param {URL} url
   */
  async query(request, response, url) {
    const query = url.searchParams;
    const header = (/** @type {string} */ name) => /** @type {string | undefined} */ (request.headers[name]);
    const begun = query.get('query') ?? '';
    // The whole body is read before anything is refused, so that a connection that is kept goes on at the next request.
    const body = await bodyOf(request);
    const rows = isInsert(masked(begun)) ? body : null;
    const statement = rows ? begun : [begun, body.toString()].filter((part) => part !== '').join('\n');
    this.faults.note({
      method: request.method ?? '',
      url: request.url ?? '',
      statement,
      headers: /** @type {Record<string, string>} */ ({ ...request.headers }),
    });
    const user = authenticate(request, query, this.server.users);
    if (query.get('compress') === '1' || query.get('decompress') === '1') {
      throw new ClickHouseException(48, 'NOT_IMPLEMENTED', 'the native compression of the HTTP interface');
    }
    if (query.has('role')) throw new ClickHouseException(511, 'UNKNOWN_ROLE', `There is no role ${query.get('role')}`);
    const text = masked(statement);
    if (hasSeveral(text))
      throw new ClickHouseException(62, 'SYNTAX_ERROR', 'Syntax error (Multi-statements are not allowed)');
    if (user.noDatabases && /^\s*CREATE\s+DATABASE/i.test(text)) {
      throw new ClickHouseException(
        497,
        'ACCESS_DENIED',
        `${user.name}: Not enough privileges. To execute this query, it's necessary to have the grant CREATE DATABASE`,
      );
    }
    const params = new Map();
    const settings = new Map();
    for (const [name, value] of query) {
      if (name.startsWith('param_')) params.set(name.slice('param_'.length), value);
      else if (!reserved.has(name) && name !== '') settings.set(name, value);
    }
    const readonly = readonlyOf(user, request.method ?? '', settings);
    const format = formatOf(text) ?? header('x-clickhouse-format') ?? query.get('default_format') ?? 'TabSeparated';
    const queryId = query.get('query_id') ?? header('x-clickhouse-query-id') ?? randomUUID();

    const fault = this.faults.take(statement);
    if (fault?.drop === 'before') return void request.socket.destroy();
    if (fault?.status !== undefined) return void response.writeHead(fault.status).end(fault.body ?? '');

    await this.admit(queryId, settings.get('replace_running_query') === '1');
    const held = this.sessions.take(query, () => this.engine.connect());
    const session = held?.connection ?? this.engine.connect();
    const begin = process.hrtime.bigint();
    const work = this.engine.run(session, {
      statement: fault?.instead ?? statement,
      rows,
      database: header('x-clickhouse-database') ?? query.get('database') ?? 'default',
      settings: [...settings],
      params: [...params],
      readonly,
      format,
      queryId,
    });
    this.running.set(queryId, work);
    const cancels = readonly > 0 && settings.get('cancel_http_readonly_queries_on_client_close') === '1';
    let gone = false;
    const onClose = () => {
      gone = true;
      if (cancels && this.running.has(queryId)) void this.killUntilGone(queryId);
    };
    response.once('close', onClose);
    const breaking = fault?.drop === 'during' ? setTimeout(() => request.socket.destroy(), 100) : undefined;
    const outcome = await work.finally(() => {
      this.running.delete(queryId);
      response.off('close', onClose);
      if (held) held.release();
      else this.engine.release(session);
    });
    if (gone) return;
    // A statement that was done before its connection broke gets no answer either; the next one has another connection.
    clearTimeout(breaking);
    if (fault?.drop === 'during' || fault?.drop === 'after') return void request.socket.destroy();

    const waits = query.get('wait_end_of_query') === '1' || settings.get('http_wait_end_of_query') === '1';
    const { exception, bytes } = outcome;
    if (exception && (waits || bytes.length <= heldBytes)) throw exception;
    const counts = {
      read_rows: outcome.readRows,
      read_bytes: outcome.readBytes,
      written_rows: outcome.writtenRows,
      written_bytes: outcome.writtenBytes,
      total_rows_to_read: outcome.readRows,
      result_rows: outcome.writtenRows,
      result_bytes: bytes.length,
      elapsed_ns: process.hrtime.bigint() - begin,
    };
    const tag = randomBytes(12)
      .toString('base64url')
      .toLowerCase()
      .replace(/[^a-z]/g, 'x');
    const headers = {
      'Content-Type': contentType(format),
      'X-ClickHouse-Query-Id': queryId,
      'X-ClickHouse-Format': format,
      'X-ClickHouse-Timezone': settings.get('session_timezone') ?? this.server.timezone,
      'X-ClickHouse-Summary': JSON.stringify(
        Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, String(count)])),
      ),
      'X-ClickHouse-Exception-Tag': tag,
    };
    await this.send(request, response, url, Buffer.from(bytes), { status: 200, headers, exception, tag });
  }

  /**
   * @param {string} queryId
   * @param {boolean} replaces
   */
  async admit(queryId, replaces) {
    const other = this.running.get(queryId);
    if (!other) return;
    if (!replaces)
      throw new ClickHouseException(
        216,
        'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
        `Query with id = ${queryId} is already running.`,
      );
    await this.killUntilGone(queryId);
  }

  /** @param {string} queryId */
  async killUntilGone(queryId) {
    // A kill before the engine knows the statement does nothing, so it is repeated.
    for (let work = this.running.get(queryId); work && this.running.get(queryId) === work;) {
      await this.engine.kill(queryId);
      await Promise.race([work, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
  }

  /**
   * @param {Request} request
   * @param {Response} response
   * @param {URL} url
   * @param {Buffer} bytes
   * @param {{ status: number, headers: Record<string, string>, exception?: ClickHouseException | null, tag?: string }} how
   */
  async send(request, response, url, bytes, { status, headers, exception, tag }) {
    const accepted = String(request.headers['accept-encoding'] ?? '');
    const encoding =
      url.searchParams.get('enable_http_compression') === '1' &&
      /** @type {const} */ (['br', 'gzip', 'deflate']).find((name) => accepted.includes(name));
    let out = bytes;
    if (exception) {
      const text = exception.text(this.server.version);
      const frame = `\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`;
      out = Buffer.concat([bytes, Buffer.from(frame)]);
    }
    if (encoding) out = await encoders[encoding](out);
    response.writeHead(status, { ...headers, ...(encoding ? { 'Content-Encoding': encoding } : {}) });
    if (!exception) return void response.end(out);
    // Without the last chunk: the client sees that the answer is not whole.
    response.write(out, () => request.socket.destroy());
  }

  /**
   * The tests' own end: what was asked, and what is to go wrong.
   * @param {string} path
   * @param {Request} request
   * @param {Response} response
   */
  async control(path, request, response) {
    const body = (await bodyOf(request)).toString();
    const json = (/** @type {unknown} */ value) =>
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(value));
    if (path === '/kit/faults') {
      this.faults.queue.push(.../** @type {import('./faults.js').Fault[]} */ (JSON.parse(body)));
      return void json(this.faults.queue.length);
    }
    if (path === '/kit/requests') return void json(this.faults.seen.splice(0));
    if (path === '/kit/running') return void json(this.running.size);
    response.writeHead(404).end();
  }
}

/**
 * The readonly of this request: the user's, the URL's, or that of GET.
 * @param {import('./access.js').User} user
 * @param {string} method
 * @param {Map<string, string>} settings taken out of it
 * @returns {number}
 * @throws ClickHouseException READONLY
 */
function readonlyOf(user, method, settings) {
  const asked = settings.get('readonly');
  settings.delete('readonly');
  const own = user.readonly ?? 0;
  const refuse = (/** @type {string} */ name) =>
    new ClickHouseException(164, 'READONLY', `Cannot modify '${name}' setting in readonly mode.`);
  if (own > 0 && asked !== undefined && Number(asked) !== own) throw refuse('readonly');
  if (own === 1 && settings.size > 0) throw refuse([...settings.keys()][0] ?? '');
  if (own > 0) return own;
  return asked !== undefined ? Number(asked) : method === 'GET' ? 2 : 0;
}
