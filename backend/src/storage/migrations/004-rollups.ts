/**
 * 004: flow records summed up per minute and per hour (`flows_1m`, `flows_1h`), filled by materialized views as flow
 * records are inserted; and quicker codecs for the columns of `flows` that nearly every query reads. Frozen, as every
 * migration is.
 *
 * A rollup keeps the conversations with the most bytes of each inserted block and bucket, with their addresses. The rest
 * goes into rows with `other = 1`, which keep all that has few values (probe, VLAN, protocol, application, well-known
 * server port, countries, networks) and blank what tells hosts apart (addresses, systems, other ports). So every sum over a
 * rollup is exact; only "by whom" is limited to whom was kept. Client ports are not kept at all.
 *
 * A view sees each inserted block once: the engine's deduplication tokens count for what views insert, too
 * (`deduplicate_blocks_in_dependent_materialized_views`), also when a failure came between the two.
 */
import { createRowTable } from '../schema.js';
import type { DdlContext } from '../schema.js';
import type { Migration } from './types.js';

interface Rollup {
  readonly name: string;
  /** where its rows come from: hours from minutes, since those are few by then (one view over flow records costs 1.3 µs a row) */
  readonly source: string;
  readonly seconds: number;
  /** conversations kept of each block and bucket */
  readonly kept: number;
}

const rollups: readonly Rollup[] = [
  { name: 'flows_1m', source: 'flows', seconds: 60, kept: 1_000 },
  { name: 'flows_1h', source: 'flows_1m', seconds: 3_600, kept: 500 },
];

/** Have few values: kept in every row. */
const exact = [
  'probe',
  'vlan',
  'protocol',
  'application',
  'client_country',
  'client_network',
  'client_local',
  'server_country',
  'server_network',
  'server_local',
];
/** Tell hosts apart: kept for the largest conversations, with what stands for them in the other rows. */
const blanked: Readonly<Record<string, string>> = {
  client_ip: "toIPv6('::')",
  server_ip: "toIPv6('::')",
  server_port: 'if(k_server_port < 1024, k_server_port, 0)',
  client_asn: '0',
  client_as_name: "''",
  server_asn: '0',
  server_as_name: "''",
};
const counters = [
  'client_packets',
  'client_bytes',
  'server_packets',
  'server_bytes',
  'client_retransmissions',
  'server_retransmissions',
  'client_out_of_order',
  'server_out_of_order',
  'client_zero_windows',
  'server_zero_windows',
  'new_flow',
  'rtt_sum_ns',
  'rtt_count',
];
/** What flow records have in place of a rollup's columns. */
const flowSql: Readonly<Record<string, string>> = { rtt_sum_ns: 'rtt_ns', rtt_count: 'rtt_ns > 0', other: '0' };

const columns = `
      probe LowCardinality(String) CODEC(ZSTD(1))
      window_start DateTime CODEC(Delta(4), ZSTD(1))
      window_seconds UInt32 CODEC(T64, ZSTD(1))
      other UInt8 CODEC(ZSTD(1))
      client_ip IPv6 CODEC(LZ4)
      server_ip IPv6 CODEC(LZ4)
      server_port UInt16 CODEC(T64, ZSTD(1))
      protocol UInt8 CODEC(ZSTD(1))
      vlan UInt16 CODEC(T64, ZSTD(1))
      application LowCardinality(String) CODEC(ZSTD(1))
${counters.map((name) => `      ${name} UInt64 CODEC(T64, ZSTD(1))`).join('\n')}
      client_country LowCardinality(String) CODEC(ZSTD(1))
      client_asn UInt32 CODEC(ZSTD(1))
      client_as_name LowCardinality(String) CODEC(ZSTD(1))
      client_network LowCardinality(String) CODEC(ZSTD(1))
      client_local UInt8 CODEC(ZSTD(1))
      server_country LowCardinality(String) CODEC(ZSTD(1))
      server_asn UInt32 CODEC(ZSTD(1))
      server_as_name LowCardinality(String) CODEC(ZSTD(1))
      server_network LowCardinality(String) CODEC(ZSTD(1))
      server_local UInt8 CODEC(ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`;

function createRollup({ name }: Rollup, ddl: DdlContext): string[] {
  const primaryKey = ['window_start', 'server_port', 'protocol', 'server_ip', 'client_ip'];
  const rest = [...exact, ...Object.keys(blanked)].filter((column) => !primaryKey.includes(column));
  return createRowTable(
    {
      name,
      columns,
      time: 'window_start',
      primaryKey: primaryKey.join(', '),
      orderBy: [...primaryKey, 'other', ...rest].join(', '),
      summed: counters,
    },
    ddl,
  );
}

/** The session's time zone must not matter: buckets are counted from the epoch. */
function createView({ name, source, seconds, kept }: Rollup, ddl: DdlContext): string {
  const read = (column: string): string => (source === 'flows' ? flowSql[column] : undefined) ?? column;
  const keys = [...exact, ...Object.keys(blanked)];
  const blank = Object.entries(blanked).map(([key, sql]) => `if(k_other, ${sql}, k_${key}) AS ${key}`);
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${name}_view${ddl.onCluster} TO ${ddl.rowsOf(name)} AS
SELECT
  k_start AS window_start, ${seconds} AS window_seconds, k_other AS other,
  ${[...exact.map((key) => `k_${key} AS ${key}`), ...blank].join(', ')},
  ${counters.map((counter) => `sum(s_${counter}) AS ${counter}`).join(', ')}
FROM (
  SELECT
    toDateTime(intDiv(toUnixTimestamp(window_start), ${seconds}) * ${seconds}) AS k_start,
    ${keys.map((key) => `${key} AS k_${key}`).join(', ')},
    ${counters.map((counter) => `sum(toUInt64(${read(counter)})) AS s_${counter}`).join(', ')},
    toUInt8(${read('other')}) AS k_blank,
    k_blank OR row_number() OVER (
      PARTITION BY k_start, k_blank
      ORDER BY s_client_bytes + s_server_bytes DESC, k_client_ip, k_server_ip, k_server_port, k_protocol
    ) > ${kept} AS k_other
  FROM ${ddl.rowsOf(source)}
  GROUP BY k_start, k_blank, ${keys.map((key) => `k_${key}`).join(', ')}
)
GROUP BY window_start, other, ${keys.join(', ')}`;
}

/** Half as many bytes again for these columns, a sixth to a quarter less time for queries (docs/storage.md). */
const quickCodecs = [
  'flow_id UInt64 CODEC(LZ4)',
  'client_ip IPv6 CODEC(LZ4)',
  'server_ip IPv6 CODEC(LZ4)',
  ...['client_packets', 'client_bytes', 'server_packets', 'server_bytes'].map(
    (name) => `${name} UInt64 CODEC(T64, LZ4)`,
  ),
];

export const rollups004: Migration = {
  version: 4,
  name: 'rollups',
  statements: (ddl) => [
    `ALTER TABLE ${ddl.rowsOf('flows')}${ddl.onCluster}\n${quickCodecs.map((column) => `  MODIFY COLUMN ${column}`).join(',\n')}`,
    ...rollups.flatMap((rollup) => [...createRollup(rollup, ddl), createView(rollup, ddl)]),
  ],
};
