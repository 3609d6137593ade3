/**
 * A ClickHouse server or cluster over HTTP(S).
 *
 * What it rests on, read in ClickHouse's HTTP handler (src/Server/HTTPHandler.cpp, ClickHouse 25): a query whose client
 * leaves is cancelled only when the request is readonly, and only GET is by itself; a client certificate and a password
 * exclude each other; settings in the URL hold for their statement alone.
 */
import { Agent } from 'node:https';
import { Readable } from 'node:stream';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { UserError } from '../errors.js';
import { clientCertificates } from './client-certificates.js';
import type { CertificateFiles } from './client-certificates.js';
import { engineErrorType } from './client-store.js';
import type { ClientBackend } from './client-store.js';
import { singleServer, statementSettings } from './layout.js';
import type { StoreLayout } from './layout.js';
import { ddlFor } from './schema.js';

export interface ServerOptions {
  /** http://host:8123 or https://host:8443 */
  readonly url: string;
  readonly user?: string | undefined;
  /** with a client certificate and no password, the certificate is the proof (CREATE USER ... IDENTIFIED WITH ssl_certificate) */
  readonly password?: string | undefined;
  readonly database?: string | undefined;
  /** the cluster that the server is one of; absent: it stands alone */
  readonly cluster?:
    | {
        /** as in the server's `remote_servers` */
        readonly name: string;
        /** rows are spread over its shards; false: each server has them all */
        readonly sharded: boolean;
        /** where in Keeper a table's replicas find each other, with macros */
        readonly replicaPath: string;
        /** replicas that must have a block before its insert counts as done; below 2: one */
        readonly insertQuorum: number;
      }
    | undefined;
  readonly tls?: CertificateFiles | undefined;
}

const databaseDefault = 'netspectra';
const connectionsMax = 16;
/** Connections that queries leave to inserts and statements. */
const connectionsKept = 4;
/** A request that is silent for so long is given up; queries say nothing until they are done. */
const requestMsMin = 120_000;
const requestMsSpare = 30_000;
/** ClickHouse closes idle connections after 10 s (3 s before 23.11): ours go first. */
const idleMsMax = 2_500;

/**
 * The TLS side of a connection. An agent of our own, because the client's `tls` option always claims that the certificate
 * stands for the password, which the server refuses when there is one.
 */
function tlsOptions({ url, user, password, tls }: ServerOptions) {
  if (!url.startsWith('https:')) return {};
  const pems = clientCertificates(tls ?? {}, 'storage.clickhouse.tls');
  if (!pems.ca && !pems.cert) return {};
  const agent = new Agent({ keepAlive: true, maxSockets: connectionsMax, ...pems });
  const byCertificate = pems.cert !== undefined && (password ?? '') === '';
  return {
    http_agent: agent,
    ...(byCertificate && {
      set_basic_auth_header: false,
      http_headers: { 'X-ClickHouse-SSL-Certificate-Auth': 'on', 'X-ClickHouse-User': user ?? 'default' },
    }),
  };
}

/** Where the tables of these options lie. */
export function layoutOf({ cluster, database = databaseDefault }: ServerOptions): StoreLayout {
  if (!cluster) return singleServer;
  const { name, sharded, replicaPath, insertQuorum } = cluster;
  return { kind: sharded ? 'sharded' : 'replicated', cluster: name, database, replicaPath, insertQuorum };
}

/** What a failure to connect means, and where to mend it. */
function openFailure(error: unknown, { user = 'default', cluster }: ServerOptions, location: string): UserError {
  const message = error instanceof Error ? error.message : String(error);
  const { code } = error as { code?: unknown };
  const unavailable = (text: string): UserError => new UserError('NS_STORE_UNAVAILABLE', text, { cause: error });
  if (engineErrorType(error) === 'AUTHENTICATION_FAILED') {
    return new UserError(
      'NS_STORE_REJECTED',
      `the ClickHouse server ${location} refused the user ${user}: ${message.trim().split('\n', 1)[0]!}; ` +
        'check storage.clickhouse.user and password',
      { cause: error },
    );
  }
  if (engineErrorType(error) === 'CLUSTER_DOESNT_EXIST') {
    return new UserError(
      'NS_CONFIG_INVALID',
      `the ClickHouse server ${location} knows no cluster ${cluster?.name ?? ''}: check storage.clickhouse.cluster, and ` +
        'remote_servers on the server',
      { cause: error },
    );
  }
  if (typeof code === 'string' && /^(CERT_|ERR_TLS_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/.test(code)) {
    return unavailable(
      `the certificate of the ClickHouse server ${location} is not trusted: ${message}; ` +
        'name its authority in storage.clickhouse.tls.ca_file',
    );
  }
  if (typeof code === 'string' && code.startsWith('ERR_SSL_')) {
    return unavailable(
      `no TLS with the ClickHouse server ${location}: ${message}; does it speak https there, and want a client ` +
        'certificate? check storage.clickhouse.url and tls',
    );
  }
  return unavailable(`no answer from the ClickHouse server ${location}: ${message}; check storage.clickhouse`);
}

/**
 * Connect to a server; the database is made when it is missing and the user may.
 * @param queryMsMax longest run of a query, milliseconds: the connection waits longer
 * @throws UserError NS_STORE_UNAVAILABLE, NS_STORE_REJECTED, NS_CONFIG_NOT_FOUND, NS_CONFIG_INVALID
 */
export async function openServer(options: ServerOptions, queryMsMax = 0): Promise<ClientBackend> {
  const database = options.database ?? databaseDefault;
  const location = new URL(options.url).origin;
  const tls = tlsOptions(options);
  const connect = (name: string) =>
    createClient({
      url: options.url,
      username: options.user ?? 'default',
      password: options.password ?? '',
      database: name,
      application: 'netspectra',
      request_timeout: Math.max(requestMsMin, queryMsMax + requestMsSpare),
      max_open_connections: connectionsMax,
      keep_alive: { enabled: true, idle_socket_ttl: idleMsMax, eagerly_destroy_stale_sockets: true },
      // Errors reach the caller; the client's own lines (with stacks) must not reach the terminal.
      log: { level: ClickHouseLogLevel.OFF },
      ...tls,
    });
  await prepareDatabase(connect('default'), database, options, location);
  const client = connect(database);
  return {
    kind: 'server',
    location,
    database,
    reader: client,
    writer: client,
    readersMax: connectionsMax - connectionsKept,
    transportSettings: {
      // Only readonly requests are cancelled when their client leaves. 2: settings may still be set.
      readonly: 2,
      cancel_http_readonly_queries_on_client_close: 1,
      // An error late in a result must not look like a complete one.
      wait_end_of_query: 1,
    },
    insert: async (block, settings) => {
      await client.insert({
        table: quoteName(block.table),
        columns: block.columns as [string, ...string[]],
        values: Readable.from(block.bytes instanceof Uint8Array ? [block.bytes] : block.bytes, { objectMode: false }),
        format: 'TabSeparated',
        clickhouse_settings: settings,
      });
    },
    close: () => client.close(),
  };
}

/** Make the database when it is missing. Closes the client. */
async function prepareDatabase(
  client: ReturnType<typeof createClient>,
  database: string,
  options: ServerOptions,
  location: string,
): Promise<void> {
  try {
    await client.command({
      query: `CREATE DATABASE IF NOT EXISTS ${quoteName(database)}${ddlFor(layoutOf(options)).onCluster}`,
      clickhouse_settings: statementSettings(layoutOf(options)),
    });
  } catch (error) {
    if (!['ACCESS_DENIED', 'READONLY'].includes(engineErrorType(error))) throw openFailure(error, options, location);
    const found = await client.query({
      query: 'SELECT count() AS n FROM system.databases WHERE name = {name:String}',
      query_params: { name: database },
      format: 'JSONEachRow',
    });
    const [row] = await found.json<{ n: number | string }>();
    if (Number(row?.n ?? 0) === 0) {
      throw new UserError(
        'NS_STORE_REJECTED',
        `the ClickHouse server ${location} has no database ${database}, and the user ${options.user ?? 'default'} may not ` +
          'make it: create it, or check storage.clickhouse.database and user',
        { cause: error },
      );
    }
  } finally {
    await client.close();
  }
}

function quoteName(name: string): string {
  return `\`${name.replace(/[\\`]/g, (c) => `\\${c}`)}\``;
}
