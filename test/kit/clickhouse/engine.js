// @ts-check
/**
 * Statements on chDB, each on a connection of its own, so that settings, parameters and the chosen database of one
 * request never reach another (chDB keeps what SET sets on the connection). Opening a connection takes about a
 * millisecond. Statements run side by side as far as the process has threads (UV_THREADPOOL_SIZE).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { exceptionOf } from './exceptions.js';
import { literal, rawInsertOf } from './statement.js';

/**
 * What is used of chdb.
 * @typedef {{ bytes(): Uint8Array, text(): string, rowsRead: number, bytesRead: number, elapsed: number }} ChdbResult
 * @typedef {{ queryAsync(sql: string, options: { format: string }): Promise<ChdbResult>,
 *   insert(options: object): Promise<{ rowsWritten: number, bytesWritten: number, elapsed: number }>,
 *   close(): void }} ChdbSession
 */

/**
 * One request's statement.
 * @typedef {object} Work
 * @property {string} statement
 * @property {Uint8Array | null} rows data of an INSERT, apart from the statement
 * @property {string} database
 * @property {ReadonlyArray<readonly [name: string, value: string]>} settings
 * @property {ReadonlyArray<readonly [name: string, value: string]>} params query parameters, escaped as they came
 * @property {number} readonly 0, 1 or 2 as in ClickHouse
 * @property {string} format where the statement names none
 * @property {string} queryId
 */

/**
 * @typedef {object} Outcome
 * @property {Uint8Array} bytes the output; when the statement failed, what it had put out until then
 * @property {import('./exceptions.js').ClickHouseException | null} exception
 * @property {number} readRows
 * @property {number} readBytes
 * @property {number} writtenRows
 * @property {number} writtenBytes
 */

const chdb =
  /** @type {{ Session: new (path: string, options?: { connectionArgs: string[] }) => ChdbSession, drainPending(): Promise<void> }} */ (
    createRequire(import.meta.url)('chdb')
  );

/** A String setting that changes nothing here: it carries the query id, which chDB does not take from outside. */
const idSetting = 'query_cache_tag';

export class Engine {
  /**
   * @param {string} path data folder
   * @param {string} [cluster] name of a cluster of which this is the only server
   */
  constructor(path, cluster) {
    this.path = path;
    this.cluster = cluster;
    const options =
      cluster === undefined ? undefined : { connectionArgs: [`--config-file=${clusterFile(path, cluster)}`] };
    this.keeper = new chdb.Session(path, options); // holds the folder open between requests
    /** @type {Set<ChdbSession>} */
    this.open = new Set();
  }

  connect() {
    const session = new chdb.Session(this.path);
    this.open.add(session);
    return session;
  }

  /** @param {ChdbSession} session */
  release(session) {
    this.open.delete(session);
    session.close();
  }

  /** @param {string} sql one value */
  async value(sql) {
    return (await this.keeper.queryAsync(sql, { format: 'TabSeparatedRaw' })).text().trim();
  }

  /**
   * Run a statement; failures are part of the outcome.
   * @param {ChdbSession} session
   * @param {Work} work
   * @returns {Promise<Outcome>}
   */
  async run(session, work) {
    const none = { readRows: 0, readBytes: 0, writtenRows: 0, writtenBytes: 0 };
    const empty = new Uint8Array(0);
    try {
      await session.queryAsync(this.preamble(work), { format: 'TabSeparated' });
      const raw = work.rows && rawInsertOf(work.statement);
      if (raw && work.rows) {
        const { rowsWritten, bytesWritten } = await session.insert({ ...raw, values: work.rows });
        return { ...none, bytes: empty, exception: null, writtenRows: rowsWritten, writtenBytes: bytesWritten };
      }
      const text = work.rows ? `${work.statement}\n${Buffer.from(work.rows).toString()}` : work.statement;
      const result = await session.queryAsync(rewritten(this.onThisServer(text)), { format: work.format });
      return {
        ...none,
        bytes: result.bytes(),
        exception: null,
        readRows: result.rowsRead,
        readBytes: result.bytesRead,
      };
    } catch (error) {
      return { ...none, bytes: await leftover(session), exception: exceptionOf(error) };
    }
  }

  /** @param {Work} work */
  preamble(work) {
    const name = (/** @type {string} */ text) => {
      if (!/^[A-Za-z_]\w*$/.test(text))
        throw new Error(
          `Code: 115. DB::Exception: Setting ${text} is neither a builtin setting nor started with a prefix. (UNKNOWN_SETTING)`,
        );
      return text;
    };
    const sets = [
      'implicit_select = 0', // 1 in chDB only
      ...work.settings.map(([key, value]) => `${name(key)} = ${literal(value)}`),
      ...work.params.map(([key, value]) => `${name(`param_${key}`)} = ${literal(value)}`),
      `${idSetting} = ${literal(work.queryId)}`,
    ];
    const last = work.readonly > 0 ? `; SET readonly = ${work.readonly}` : '';
    return `USE \`${work.database.replace(/[\\`]/g, (c) => `\\${c}`)}\`; SET ${sets.join(', ')}${last}`;
  }

  /**
   * The engine has no queue of statements for all servers (ON CLUSTER); with one server, running them here is the same. And its
   * replicated tables cannot be written (only a server starts their threads): plain ones take their place.
   * @param {string} statement
   */
  onThisServer(statement) {
    if (this.cluster === undefined) return statement;
    return statement
      .replace(` ON CLUSTER ${literal(this.cluster)}`, '')
      .replace(/\bReplicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?/, '$1(')
      .replace(
        /\breplicated_deduplication_window = (\d+), replicated_deduplication_window_seconds = \d+/,
        'non_replicated_deduplication_window = $1',
      );
  }

  /**
   * End a running statement; what has not begun yet is not met.
   * @param {string} queryId
   */
  async kill(queryId) {
    const session = this.connect();
    try {
      await session.queryAsync(`KILL QUERY WHERE Settings['${idSetting}'] = ${literal(queryId)} ASYNC`, {
        format: 'TabSeparated',
      });
    } finally {
      this.release(session);
    }
  }

  async close() {
    for (const session of this.open) session.close();
    this.keeper.close();
    await chdb.drainPending();
  }
}

/**
 * Configuration of a cluster of one shard and one replica, this process. The port is only how the engine knows itself in the cluster; nothing listens.
 * @param {string} path data folder
 * @param {string} cluster
 * @returns {string} the file
 */
function clusterFile(path, cluster) {
  const file = `${path}-cluster.xml`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    file,
    `<clickhouse>
  <tcp_port>9000</tcp_port>
  <remote_servers><${cluster}><shard>
    <internal_replication>true</internal_replication>
    <replica><host>127.0.0.1</host><port>9000</port></replica>
  </shard></${cluster}></remote_servers>
</clickhouse>
`,
  );
  return file;
}

/**
 * chDB's own query ids are not the ones of the requests, and KILL ... SYNC waits for a statement of an idle connection
 * to leave the list, which it never does.
 * @param {string} statement
 */
function rewritten(statement) {
  if (!/^\s*KILL\s+QUERY\b/i.test(statement)) return statement;
  return `${statement.replace(/\bquery_id\b/g, `Settings['${idSetting}']`).replace(/\b(A?SYNC|TEST)\b[\s;]*$/i, '')} ASYNC`;
}

/**
 * What a failed statement had put out: it stands before the next answer of its connection.
 * @param {ChdbSession} session
 */
async function leftover(session) {
  try {
    return (await session.queryAsync('SELECT 1 WHERE 0', { format: 'TabSeparated' })).bytes();
  } catch {
    return new Uint8Array(0);
  }
}
