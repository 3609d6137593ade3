/**
 * The embedded engine: chDB (ClickHouse in-process) through @clickhouse/client's `connection` hook.
 *
 * Facts the code rests on, measured with chdb 3.4.0 (docs/storage.md): statements of one connection run one after the
 * other, so reads, writes and kills have a connection each; bound parameters are serialised over the whole process; an
 * aborted query goes on in the engine unless it is killed; a failed query's output stands before the next answer; one folder per process, one process per folder.
 */
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import { UserError } from '../errors.js';
import type { ClientBackend } from './client-store.js';
import { lockDataDir } from './lock.js';

type ClientConnection = NonNullable<Parameters<typeof createClient>[0]> extends { connection?: infer C } ? C : unknown;

/** What we use of chdb. It is an optional dependency: its types are not there when it is not, so they are told here. */
interface ChdbConnectionModule {
  createChdbConnection(options: { path: string }): ClientConnection & {
    readonly chdb: {
      rawInsert(params: {
        table: string;
        values: Uint8Array;
        format: 'TabSeparated';
        columns: readonly string[];
        settings: Readonly<Record<string, string | number>>;
      }): Promise<unknown>;
    };
  };
}
interface ChdbModule {
  drainPending(): Promise<void>;
}

/** The engine's files stand in a folder of their own, beside our lock file and whatever else wants to be on disk. */
const engineFolder = 'clickhouse';

function loadChdb(): { connections: ChdbConnectionModule; chdb: ChdbModule } {
  const require = createRequire(import.meta.url);
  try {
    return {
      connections: require('chdb/connection') as ChdbConnectionModule,
      chdb: require('chdb') as ChdbModule,
    };
  } catch (error) {
    throw new UserError(
      'NS_CHDB_MISSING',
      `the embedded database cannot be loaded on ${process.platform}-${process.arch} (Linux with glibc and macOS only): ` +
        'run "npm install chdb", or set storage.clickhouse.url to a ClickHouse server',
      { cause: error },
    );
  }
}

/**
 * Open the engine on a folder.
 * @throws UserError NS_CHDB_MISSING, NS_DATA_DIR_IN_USE, NS_DATA_DIR_UNUSABLE
 */
export async function openChdb(dataDir: string): Promise<ClientBackend> {
  const { connections, chdb } = loadChdb();
  const unlock = lockDataDir(dataDir);
  const path = join(resolve(dataDir), engineFolder);
  const clients: ClickHouseClient[] = [];
  const connect = () => {
    const connection = connections.createChdbConnection({ path });
    const client = createClient({ connection, log: { level: ClickHouseLogLevel.OFF } } as Parameters<
      typeof createClient
    >[0]);
    clients.push(client);
    return { connection, client };
  };
  const closeAll = async (): Promise<void> => {
    for (const client of clients) await client.close();
    // close() returns before the engine has let go of the folder when something still runs.
    await chdb.drainPending();
    unlock();
  };
  try {
    mkdirSync(path, { recursive: true });
    const reader = connect();
    const writer = connect();
    const control = connect();
    return {
      kind: 'embedded',
      location: resolve(dataDir),
      database: 'default',
      reader: reader.client,
      writer: writer.client,
      readersMax: 1,
      transportSettings: {},
      insert: async (block, settings) => {
        await writer.connection.chdb.rawInsert({
          table: block.table,
          values: block.bytes instanceof Uint8Array ? block.bytes : Buffer.concat([...block.bytes]),
          format: 'TabSeparated',
          columns: block.columns,
          settings,
        });
      },
      // By a setting, not by a comment in the text: the engine drops comments from statements with bound parameters.
      kill: async (tag) => {
        await control.client.command({ query: `KILL QUERY WHERE Settings['log_comment'] = '${tag}' ASYNC` });
      },
      // A query that failed leaves what it had already put out in the connection, and the next one's answer begins
      // with it (measured): a throw-away query takes it along.
      recover: async () => {
        await reader.client.command({ query: 'SELECT 1' });
      },
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw openFailure(dataDir, error);
  }
}

function openFailure(dataDir: string, error: unknown): UserError {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('only one active data directory')) {
    return new UserError(
      'NS_DATA_DIR_IN_USE',
      `this process has another data folder open, ${dataDir} cannot be opened beside it: close the other one first`,
      { cause: error },
    );
  }
  return new UserError(
    'NS_DATA_DIR_UNUSABLE',
    `the database in ${dataDir} cannot be opened (${message}): is the folder writable, and not open in another process or container?`,
    { cause: error },
  );
}
