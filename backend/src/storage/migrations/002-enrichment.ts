/**
 * 002: what is known about a row's two addresses: country, autonomous system, configured network. Frozen, as every
 * migration is. Rows stored before have the defaults, which mean "unknown"; they stay as they are, because a row says what was
 * known when it was written.
 */
import { addColumns } from '../schema.js';
import type { Migration } from './types.js';

const columns = `
  client_country LowCardinality(String) CODEC(ZSTD(1))
  client_asn UInt32 CODEC(ZSTD(1))
  client_as_name LowCardinality(String) CODEC(ZSTD(1))
  client_network LowCardinality(String) CODEC(ZSTD(1))
  client_local UInt8 CODEC(ZSTD(1))
  server_country LowCardinality(String) CODEC(ZSTD(1))
  server_asn UInt32 CODEC(ZSTD(1))
  server_as_name LowCardinality(String) CODEC(ZSTD(1))
  server_network LowCardinality(String) CODEC(ZSTD(1))
  server_local UInt8 CODEC(ZSTD(1))`;

/** Tables, each with the column after which these stand. */
const tables: readonly (readonly [string, string])[] = [
  ['flows', 'end_reason'],
  ['dns', 'latency_ns'],
  ['http', 'latency_ns'],
  ['tls', 'version'],
];

export const enrichment002: Migration = {
  version: 2,
  name: 'enrichment',
  statements: (ddl) => tables.flatMap(([name, after]) => addColumns(name, columns, after, ddl)),
};
