/**
 * The rows the engine produces and the store keeps: one list of tables and columns, from which the engine writes its
 * row blocks, storage makes its DDL and checks, and the query planner knows what exists.
 *
 * Column names are the words of the API and the filter language. Every row is a delta (additive), stamped with the
 * stretch of the packet stream it comes from: `probe`, `epoch`, `partition`, `first_seq`, `last_seq`. An epoch names one
 * run of a live capture, or the content of one capture file.
 */

export { escapeTsv } from './tsv.js';

export interface TableColumn {
  readonly name: string;
  /** ClickHouse type */
  readonly type: string;
}

export interface Table {
  readonly name: TableName;
  /** as they are stored: the stamp's, then those of the rows */
  readonly columns: readonly TableColumn[];
  /** what a row of a RowBlock holds: all but the stamp's */
  readonly rowColumns: readonly TableColumn[];
}

export type TableName =
  'flows' | 'traffic' | 'tcp_health' | 'sketches' | 'top_keys' | 'dns' | 'http' | 'tls' | 'probe_stats';

const columns = (text: string): TableColumn[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .map((line) => ({ name: line.slice(0, line.indexOf(' ')), type: line.slice(line.indexOf(' ') + 1) }));

/** Stands first in every table, alike in all rows of a flush: writers put it before each, blocks come without. */
const stampColumns = columns(`
  probe LowCardinality(String)
  epoch UInt64
  partition UInt16
  first_seq UInt64
  last_seq UInt64`);

/**
 * What is known about the two addresses (docs/enrichment.md), last in every table that has them: country (ISO 3166-1
 * alpha-2, '' unknown), autonomous system (0 unknown) and its name, configured network ('' none), and whether it is a
 * local one. Last in their tables, the client's before the server's, so that a row ends with two ready pieces of text.
 */
const places = `
  client_country LowCardinality(String)
  client_asn UInt32
  client_as_name LowCardinality(String)
  client_network LowCardinality(String)
  client_local UInt8
  server_country LowCardinality(String)
  server_asn UInt32
  server_as_name LowCardinality(String)
  server_network LowCardinality(String)
  server_local UInt8`;

function table(name: TableName, text: string): Table {
  const rowColumns = columns(text);
  return { name, columns: [...stampColumns, ...rowColumns], rowColumns };
}

/**
 * One row per flow per window (and per flush): what this flow did in it. Sum the counters, keep min(first), max(last). Packets
 * that another probe has brought already have rows of their own, in which all counters but client_ and server_duplicate_* are 0.
 */
const flows = table(
  'flows',
  `
  window_start DateTime
  window_seconds UInt32
  flow_id UInt64
  client_ip IPv6
  server_ip IPv6
  client_port UInt16
  server_port UInt16
  protocol UInt8
  vlan UInt16
  inner_vlan UInt16
  tunnel_type LowCardinality(String)
  tunnel_id UInt32
  application LowCardinality(String)
  client_packets UInt64
  client_bytes UInt64
  server_packets UInt64
  server_bytes UInt64
  first DateTime64(9)
  last DateTime64(9)
  client_tcp_flags UInt16
  server_tcp_flags UInt16
  rtt_ns UInt64
  client_retransmissions UInt32
  server_retransmissions UInt32
  client_out_of_order UInt32
  server_out_of_order UInt32
  client_zero_windows UInt32
  server_zero_windows UInt32
  client_traffic_class UInt8
  icmp_type UInt8
  icmp_code UInt8
  new_flow UInt8
  end_reason UInt8
  client_duplicate_packets UInt64
  client_duplicate_bytes UInt64
  server_duplicate_packets UInt64
  server_duplicate_bytes UInt64${places}`,
);

/**
 * One row per conversation and minute (`flows_1m`) or hour (`flows_1h`), summed up from `flows` by the store itself; the
 * engine never writes them. `other` = 1: all smaller conversations together, with blank addresses, systems and ports from
 * 1024 up (see storage's migration 004).
 */
export const rollupColumns: readonly TableColumn[] = columns(`
  probe LowCardinality(String)
  window_start DateTime
  window_seconds UInt32
  other UInt8
  client_ip IPv6
  server_ip IPv6
  server_port UInt16
  protocol UInt8
  vlan UInt16
  application LowCardinality(String)
  client_packets UInt64
  client_bytes UInt64
  server_packets UInt64
  server_bytes UInt64
  client_retransmissions UInt64
  server_retransmissions UInt64
  client_out_of_order UInt64
  server_out_of_order UInt64
  client_zero_windows UInt64
  server_zero_windows UInt64
  new_flow UInt64
  rtt_sum_ns UInt64
  rtt_count UInt64${places}`);

export type RollupName = 'flows_1m' | 'flows_1h';
export const rollupNames: readonly RollupName[] = ['flows_1m', 'flows_1h'];

/** Counters per second. Every captured frame is in here exactly once, IP or not. */
const traffic = table(
  'traffic',
  `
  window_start DateTime
  window_seconds UInt32
  vlan UInt16
  ether_type UInt16
  ip_version UInt8
  protocol UInt8
  application LowCardinality(String)
  packets UInt64
  bytes UInt64`,
);

/** TCP behaviour per second; rtt_histogram[i] counts handshake RTTs in [2^i, 2^(i+1)) microseconds, 32 buckets. */
const tcpHealth = table(
  'tcp_health',
  `
  window_start DateTime
  window_seconds UInt32
  vlan UInt16
  tcp_packets UInt64
  tcp_bytes UInt64
  syn UInt64
  syn_ack UInt64
  fin UInt64
  rst UInt64
  retransmissions UInt64
  out_of_order UInt64
  zero_windows UInt64
  rtt_count UInt64
  rtt_sum_ns UInt64
  rtt_histogram Array(UInt32)`,
);

/**
 * Mergeable sketches. sketch = 'hll' (registers, 2^log2_width of them; merge: maxForEach) or 'count_min' (cells, depth
 * rows of 2^log2_width; merge: sumForEach). subject names what is counted (src_ip, server_port ...), measure what is
 * added per packet ('' for hll, packets, bytes), key the entity of a per-key sketch (super-spreaders), else ''.
 */
const sketches = table(
  'sketches',
  `
  window_start DateTime
  window_seconds UInt32
  sketch LowCardinality(String)
  subject LowCardinality(String)
  measure LowCardinality(String)
  key String
  log2_width UInt8
  depth UInt8
  total UInt64
  registers Array(UInt8)
  cells Array(UInt64)`,
);

/** The heaviest keys of each window with their error: truth is in [bytes - bytes_error, bytes]. */
const topKeys = table(
  'top_keys',
  `
  window_start DateTime
  window_seconds UInt32
  subject LowCardinality(String)
  key String
  packets UInt64
  packets_error UInt64
  bytes UInt64
  bytes_error UInt64`,
);

/** One row per DNS transaction, or per message that found no partner (queries or responses = 0). */
const dns = table(
  'dns',
  `
  timestamp DateTime64(9)
  flow_id UInt64
  client_ip IPv6
  server_ip IPv6
  client_port UInt16
  server_port UInt16
  vlan UInt16
  transport LowCardinality(String)
  service LowCardinality(String)
  queries UInt32
  responses UInt32
  name String
  type LowCardinality(String)
  rcode LowCardinality(String)
  answer_count UInt16
  answers Array(String)
  latency_ns UInt64${places}`,
);

/** One row per HTTP/1.x transaction, or per message that found no partner (requests or responses = 0). */
const http = table(
  'http',
  `
  timestamp DateTime64(9)
  flow_id UInt64
  client_ip IPv6
  server_ip IPv6
  client_port UInt16
  server_port UInt16
  vlan UInt16
  requests UInt32
  responses UInt32
  method LowCardinality(String)
  host String
  path String
  status UInt16
  user_agent String
  content_type LowCardinality(String)
  request_bytes UInt64
  response_bytes UInt64
  latency_ns UInt64${places}`,
);

/** One row per TLS ClientHello. */
const tls = table(
  'tls',
  `
  timestamp DateTime64(9)
  flow_id UInt64
  client_ip IPv6
  server_ip IPv6
  client_port UInt16
  server_port UInt16
  vlan UInt16
  server_name String
  alpn Array(String)
  version LowCardinality(String)${places}`,
);

/**
 * The accounting table, written last in every flush: its max(last_seq) is the commit position, and its sums prove the
 * balance link = kernel_dropped + filtered + decoded + undecodable; of `packets`, duplicate_packets were another probe's
 * before and are in no other table's sums. `position` is where the source goes on after this
 * flush (for a capture file: byte offset of the next record in the uncompressed file).
 */
const probeStats = table(
  'probe_stats',
  `
  timestamp DateTime64(9)
  source String
  partitions UInt16
  position UInt64
  complete UInt8
  first_packet DateTime64(9)
  last_packet DateTime64(9)
  packets UInt64
  bytes UInt64
  captured_bytes UInt64
  decoded UInt64
  undecodable UInt64
  filtered UInt64
  kernel_dropped UInt64
  late_packets UInt64
  flows_folded UInt64
  flows_live UInt64
  reasons Map(String, UInt64)
  sampling_rate UInt32
  duplicate_packets UInt64
  duplicate_bytes UInt64`,
);

export const tables: Readonly<Record<TableName, Table>> = {
  flows,
  traffic,
  tcp_health: tcpHealth,
  sketches,
  top_keys: topKeys,
  dns,
  http,
  tls,
  probe_stats: probeStats,
};

/** Rows of one table, as TabSeparated text (ClickHouse's escapes), columns in the order of `tables[table].rowColumns`. */
export interface RowBlock {
  readonly table: TableName;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/**
 * Everything that one partition's stretch of the stream (firstSeq..lastSeq) added. A writer stores all of it or, when
 * the same flush comes again, changes nothing.
 */
export interface Flush {
  /** names the stream: (probe, epoch); for a capture file the epoch is made from its content */
  readonly probe: string;
  readonly epoch: bigint;
  readonly partition: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** side tables first, the accounting table last */
  readonly blocks: readonly RowBlock[];
}

/** The flush was not written, or not to its end: who wrote it may not write any longer. */
export class WriteForbidden extends Error {
  override readonly name = 'WriteForbidden';
}

/** A storage target. */
export interface Writer {
  /**
   * Returns when the flush is stored; writing the same one again changes nothing. Rejects with the store's reason.
   * @param mayWrite looked at right before each insert; when it says no, the rest is left and the promise rejects with
   *   WriteForbidden. Absent: always.
   */
  write(flush: Flush, mayWrite?: () => boolean): Promise<void>;
  close(): Promise<void>;
}
