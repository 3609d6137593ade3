/**
 * 001: the tables the engine writes. Frozen: a change to them is a new migration (the checksum of this one is recorded
 * in every store).
 *
 * `stored_at` is not part of a row block: it is when the row was stored, and retention counts from it. Counting from the
 * event would throw an old capture file away as soon as it was read.
 */
import { createRowTable } from '../schema.js';
import type { TableDdl } from '../schema.js';
import type { Migration } from './types.js';

const rowTables: readonly TableDdl[] = [
  {
    name: 'flows',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      window_start DateTime CODEC(Delta(4), ZSTD(1))
      window_seconds UInt32 CODEC(T64, ZSTD(1))
      flow_id UInt64 CODEC(ZSTD(1))
      client_ip IPv6 CODEC(ZSTD(1))
      server_ip IPv6 CODEC(ZSTD(1))
      client_port UInt16 CODEC(T64, ZSTD(1))
      server_port UInt16 CODEC(T64, ZSTD(1))
      protocol UInt8 CODEC(ZSTD(1))
      vlan UInt16 CODEC(T64, ZSTD(1))
      inner_vlan UInt16 CODEC(T64, ZSTD(1))
      tunnel_type LowCardinality(String) CODEC(ZSTD(1))
      tunnel_id UInt32 CODEC(T64, ZSTD(1))
      application LowCardinality(String) CODEC(ZSTD(1))
      client_packets UInt64 CODEC(T64, ZSTD(1))
      client_bytes UInt64 CODEC(T64, ZSTD(1))
      server_packets UInt64 CODEC(T64, ZSTD(1))
      server_bytes UInt64 CODEC(T64, ZSTD(1))
      first DateTime64(9) CODEC(Delta(8), ZSTD(1))
      last DateTime64(9) CODEC(Delta(8), ZSTD(1))
      client_tcp_flags UInt16 CODEC(T64, ZSTD(1))
      server_tcp_flags UInt16 CODEC(T64, ZSTD(1))
      rtt_ns UInt64 CODEC(T64, ZSTD(1))
      client_retransmissions UInt32 CODEC(T64, ZSTD(1))
      server_retransmissions UInt32 CODEC(T64, ZSTD(1))
      client_out_of_order UInt32 CODEC(T64, ZSTD(1))
      server_out_of_order UInt32 CODEC(T64, ZSTD(1))
      client_zero_windows UInt32 CODEC(T64, ZSTD(1))
      server_zero_windows UInt32 CODEC(T64, ZSTD(1))
      client_traffic_class UInt8 CODEC(ZSTD(1))
      icmp_type UInt8 CODEC(ZSTD(1))
      icmp_code UInt8 CODEC(ZSTD(1))
      new_flow UInt8 CODEC(ZSTD(1))
      end_reason UInt8 CODEC(ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'window_start',
    orderBy: 'window_start, server_port, protocol, server_ip, client_ip',
  },
  {
    name: 'traffic',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      window_start DateTime CODEC(Delta(4), ZSTD(1))
      window_seconds UInt32 CODEC(T64, ZSTD(1))
      vlan UInt16 CODEC(T64, ZSTD(1))
      ether_type UInt16 CODEC(T64, ZSTD(1))
      ip_version UInt8 CODEC(ZSTD(1))
      protocol UInt8 CODEC(ZSTD(1))
      application LowCardinality(String) CODEC(ZSTD(1))
      packets UInt64 CODEC(T64, ZSTD(1))
      bytes UInt64 CODEC(T64, ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'window_start',
    orderBy: 'window_start, vlan, ether_type, protocol, application',
  },
  {
    name: 'tcp_health',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      window_start DateTime CODEC(Delta(4), ZSTD(1))
      window_seconds UInt32 CODEC(T64, ZSTD(1))
      vlan UInt16 CODEC(T64, ZSTD(1))
      tcp_packets UInt64 CODEC(T64, ZSTD(1))
      tcp_bytes UInt64 CODEC(T64, ZSTD(1))
      syn UInt64 CODEC(T64, ZSTD(1))
      syn_ack UInt64 CODEC(T64, ZSTD(1))
      fin UInt64 CODEC(T64, ZSTD(1))
      rst UInt64 CODEC(T64, ZSTD(1))
      retransmissions UInt64 CODEC(T64, ZSTD(1))
      out_of_order UInt64 CODEC(T64, ZSTD(1))
      zero_windows UInt64 CODEC(T64, ZSTD(1))
      rtt_count UInt64 CODEC(T64, ZSTD(1))
      rtt_sum_ns UInt64 CODEC(T64, ZSTD(1))
      rtt_histogram Array(UInt32) CODEC(ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'window_start',
    orderBy: 'window_start, vlan',
  },
  {
    name: 'sketches',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      window_start DateTime CODEC(Delta(4), ZSTD(1))
      window_seconds UInt32 CODEC(T64, ZSTD(1))
      sketch LowCardinality(String) CODEC(ZSTD(1))
      subject LowCardinality(String) CODEC(ZSTD(1))
      measure LowCardinality(String) CODEC(ZSTD(1))
      key String CODEC(ZSTD(1))
      log2_width UInt8 CODEC(ZSTD(1))
      depth UInt8 CODEC(ZSTD(1))
      total UInt64 CODEC(T64, ZSTD(1))
      registers Array(UInt8) CODEC(ZSTD(1))
      cells Array(UInt64) CODEC(ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'window_start',
    orderBy: 'sketch, subject, measure, window_start, key',
  },
  {
    name: 'top_keys',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      window_start DateTime CODEC(Delta(4), ZSTD(1))
      window_seconds UInt32 CODEC(T64, ZSTD(1))
      subject LowCardinality(String) CODEC(ZSTD(1))
      key String CODEC(ZSTD(1))
      packets UInt64 CODEC(T64, ZSTD(1))
      packets_error UInt64 CODEC(T64, ZSTD(1))
      bytes UInt64 CODEC(T64, ZSTD(1))
      bytes_error UInt64 CODEC(T64, ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'window_start',
    orderBy: 'subject, window_start, key',
  },
  {
    name: 'dns',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))
      flow_id UInt64 CODEC(ZSTD(1))
      client_ip IPv6 CODEC(ZSTD(1))
      server_ip IPv6 CODEC(ZSTD(1))
      client_port UInt16 CODEC(T64, ZSTD(1))
      server_port UInt16 CODEC(T64, ZSTD(1))
      vlan UInt16 CODEC(T64, ZSTD(1))
      transport LowCardinality(String) CODEC(ZSTD(1))
      service LowCardinality(String) CODEC(ZSTD(1))
      queries UInt32 CODEC(T64, ZSTD(1))
      responses UInt32 CODEC(T64, ZSTD(1))
      name String CODEC(ZSTD(1))
      type LowCardinality(String) CODEC(ZSTD(1))
      rcode LowCardinality(String) CODEC(ZSTD(1))
      answer_count UInt16 CODEC(T64, ZSTD(1))
      answers Array(String) CODEC(ZSTD(1))
      latency_ns UInt64 CODEC(T64, ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'timestamp',
    orderBy: 'timestamp, name',
  },
  {
    name: 'http',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))
      flow_id UInt64 CODEC(ZSTD(1))
      client_ip IPv6 CODEC(ZSTD(1))
      server_ip IPv6 CODEC(ZSTD(1))
      client_port UInt16 CODEC(T64, ZSTD(1))
      server_port UInt16 CODEC(T64, ZSTD(1))
      vlan UInt16 CODEC(T64, ZSTD(1))
      requests UInt32 CODEC(T64, ZSTD(1))
      responses UInt32 CODEC(T64, ZSTD(1))
      method LowCardinality(String) CODEC(ZSTD(1))
      host String CODEC(ZSTD(1))
      path String CODEC(ZSTD(1))
      status UInt16 CODEC(T64, ZSTD(1))
      user_agent String CODEC(ZSTD(1))
      content_type LowCardinality(String) CODEC(ZSTD(1))
      request_bytes UInt64 CODEC(T64, ZSTD(1))
      response_bytes UInt64 CODEC(T64, ZSTD(1))
      latency_ns UInt64 CODEC(T64, ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'timestamp',
    orderBy: 'timestamp, host',
  },
  {
    name: 'tls',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))
      flow_id UInt64 CODEC(ZSTD(1))
      client_ip IPv6 CODEC(ZSTD(1))
      server_ip IPv6 CODEC(ZSTD(1))
      client_port UInt16 CODEC(T64, ZSTD(1))
      server_port UInt16 CODEC(T64, ZSTD(1))
      vlan UInt16 CODEC(T64, ZSTD(1))
      server_name String CODEC(ZSTD(1))
      alpn Array(String) CODEC(ZSTD(1))
      version LowCardinality(String) CODEC(ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'timestamp',
    orderBy: 'timestamp, server_name',
  },
  {
    name: 'probe_stats',
    columns: `
      probe LowCardinality(String) CODEC(ZSTD(1))
      epoch UInt64 CODEC(ZSTD(1))
      partition UInt16 CODEC(T64, ZSTD(1))
      first_seq UInt64 CODEC(Delta(8), ZSTD(1))
      last_seq UInt64 CODEC(Delta(8), ZSTD(1))
      timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))
      source String CODEC(ZSTD(1))
      partitions UInt16 CODEC(T64, ZSTD(1))
      position UInt64 CODEC(T64, ZSTD(1))
      complete UInt8 CODEC(ZSTD(1))
      first_packet DateTime64(9) CODEC(Delta(8), ZSTD(1))
      last_packet DateTime64(9) CODEC(Delta(8), ZSTD(1))
      packets UInt64 CODEC(T64, ZSTD(1))
      bytes UInt64 CODEC(T64, ZSTD(1))
      captured_bytes UInt64 CODEC(T64, ZSTD(1))
      decoded UInt64 CODEC(T64, ZSTD(1))
      undecodable UInt64 CODEC(T64, ZSTD(1))
      filtered UInt64 CODEC(T64, ZSTD(1))
      kernel_dropped UInt64 CODEC(T64, ZSTD(1))
      late_packets UInt64 CODEC(T64, ZSTD(1))
      flows_folded UInt64 CODEC(T64, ZSTD(1))
      flows_live UInt64 CODEC(T64, ZSTD(1))
      reasons Map(String, UInt64) CODEC(ZSTD(1))
      stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))`,
    time: 'timestamp',
    orderBy: 'probe, epoch, partition, last_seq',
  },
];

export const tables001: Migration = {
  version: 1,
  name: 'tables',
  // Everything of a capture's partition is on one shard.
  statements: (ddl) => rowTables.flatMap((table) => createRowTable({ ...table, shardBy: 'partition' }, ddl)),
};
