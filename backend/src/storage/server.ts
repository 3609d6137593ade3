/** A ClickHouse server or cluster over HTTP(S). */
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { UserError } from '../errors.js';
import { engineErrorType } from './client-store.js';
import type { ClientBackend } from './client-store.js';

export interface ServerOptions {
  /** http://host:8123 or https://host:8443 */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly database?: string | undefined;
  /** PEM files: authority to trust, and a client certificate with its key */
  readonly tls?:
    | {
        readonly caFile?: string | undefined;
        readonly certFile?: string | undefined;
        readonly keyFile?: string | undefined;
      }
    | undefined;
}

function pem(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(
      'NS_CONFIG_NOT_FOUND',
      `cannot read ${what} ${path}: ${(error as Error).message}; check storage.clickhouse.tls`,
      { cause: error },
    );
  }
}

function tlsOptions(tls: ServerOptions['tls']) {
  if (!tls?.caFile) return undefined;
  const ca = pem(tls.caFile, 'the authority file');
  if (!tls.certFile || !tls.keyFile) return { ca_cert: ca };
  return { ca_cert: ca, cert: pem(tls.certFile, 'the certificate'), key: pem(tls.keyFile, 'the key') };
}

/**
 * Connect to a server; the database is made when it is missing (and the user may).
 * @throws UserError NS_STORE_UNAVAILABLE, NS_CONFIG_NOT_FOUND
 */
export async function openServer(options: ServerOptions): Promise<ClientBackend> {
  const database = options.database ?? 'netspectra';
  const location = new URL(options.url).origin;
  const tls = tlsOptions(options.tls);
  const connect = (name: string) =>
    createClient({
      url: options.url,
      username: options.user ?? 'default',
      password: options.password ?? '',
      database: name,
      application: 'netspectra',
      request_timeout: 120_000,
      max_open_connections: 16,
      // Errors reach the caller; the client's own lines (with stacks) must not reach the terminal.
      log: { level: ClickHouseLogLevel.OFF },
      ...(tls ? { tls } : {}),
    });
  const admin = connect('default');
  try {
    await admin.command({ query: `CREATE DATABASE IF NOT EXISTS ${quoteName(database)}` });
  } catch (error) {
    if (engineErrorType(error) !== 'ACCESS_DENIED') {
      throw new UserError(
        'NS_STORE_UNAVAILABLE',
        `no answer from the ClickHouse server ${location}: ${(error as Error).message}; check storage.clickhouse`,
        { cause: error },
      );
    }
  } finally {
    await admin.close();
  }
  const client = connect(database);
  return {
    kind: 'server',
    location,
    database,
    reader: client,
    writer: client,
    readersMax: 12,
    // An error late in a result must not look like a complete one; a client that left needs no answer.
    transportSettings: { wait_end_of_query: 1, cancel_http_readonly_queries_on_client_close: 1 },
    insert: async (block, settings) => {
      await client.insert({
        table: quoteName(block.table),
        columns: block.columns as [string, ...string[]],
        values: Readable.from([Buffer.from(block.bytes.buffer, block.bytes.byteOffset, block.bytes.byteLength)], {
          objectMode: false,
        }),
        format: 'TabSeparated',
        clickhouse_settings: settings,
      });
    },
    close: () => client.close(),
  };
}

function quoteName(name: string): string {
  return `\`${name.replace(/[\\`]/g, (c) => `\\${c}`)}\``;
}
