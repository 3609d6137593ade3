CREATE TABLE IF NOT EXISTS flows (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  window_start DateTime CODEC(Delta(4), ZSTD(1)),
  window_seconds UInt32 CODEC(T64, ZSTD(1)),
  flow_id UInt64 CODEC(ZSTD(1)),
  client_ip IPv6 CODEC(ZSTD(1)),
  server_ip IPv6 CODEC(ZSTD(1)),
  client_port UInt16 CODEC(T64, ZSTD(1)),
  server_port UInt16 CODEC(T64, ZSTD(1)),
  protocol UInt8 CODEC(ZSTD(1)),
  vlan UInt16 CODEC(T64, ZSTD(1)),
  inner_vlan UInt16 CODEC(T64, ZSTD(1)),
  tunnel_type LowCardinality(String) CODEC(ZSTD(1)),
  tunnel_id UInt32 CODEC(T64, ZSTD(1)),
  application LowCardinality(String) CODEC(ZSTD(1)),
  client_packets UInt64 CODEC(T64, ZSTD(1)),
  client_bytes UInt64 CODEC(T64, ZSTD(1)),
  server_packets UInt64 CODEC(T64, ZSTD(1)),
  server_bytes UInt64 CODEC(T64, ZSTD(1)),
  first DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  last DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  client_tcp_flags UInt16 CODEC(T64, ZSTD(1)),
  server_tcp_flags UInt16 CODEC(T64, ZSTD(1)),
  rtt_ns UInt64 CODEC(T64, ZSTD(1)),
  client_retransmissions UInt32 CODEC(T64, ZSTD(1)),
  server_retransmissions UInt32 CODEC(T64, ZSTD(1)),
  client_out_of_order UInt32 CODEC(T64, ZSTD(1)),
  server_out_of_order UInt32 CODEC(T64, ZSTD(1)),
  client_zero_windows UInt32 CODEC(T64, ZSTD(1)),
  server_zero_windows UInt32 CODEC(T64, ZSTD(1)),
  client_traffic_class UInt8 CODEC(ZSTD(1)),
  icmp_type UInt8 CODEC(ZSTD(1)),
  icmp_code UInt8 CODEC(ZSTD(1)),
  new_flow UInt8 CODEC(ZSTD(1)),
  end_reason UInt8 CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(window_start, 'UTC')
ORDER BY (window_start, server_port, protocol, server_ip, client_ip)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS traffic (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  window_start DateTime CODEC(Delta(4), ZSTD(1)),
  window_seconds UInt32 CODEC(T64, ZSTD(1)),
  vlan UInt16 CODEC(T64, ZSTD(1)),
  ether_type UInt16 CODEC(T64, ZSTD(1)),
  ip_version UInt8 CODEC(ZSTD(1)),
  protocol UInt8 CODEC(ZSTD(1)),
  application LowCardinality(String) CODEC(ZSTD(1)),
  packets UInt64 CODEC(T64, ZSTD(1)),
  bytes UInt64 CODEC(T64, ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(window_start, 'UTC')
ORDER BY (window_start, vlan, ether_type, protocol, application)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS tcp_health (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  window_start DateTime CODEC(Delta(4), ZSTD(1)),
  window_seconds UInt32 CODEC(T64, ZSTD(1)),
  vlan UInt16 CODEC(T64, ZSTD(1)),
  tcp_packets UInt64 CODEC(T64, ZSTD(1)),
  tcp_bytes UInt64 CODEC(T64, ZSTD(1)),
  syn UInt64 CODEC(T64, ZSTD(1)),
  syn_ack UInt64 CODEC(T64, ZSTD(1)),
  fin UInt64 CODEC(T64, ZSTD(1)),
  rst UInt64 CODEC(T64, ZSTD(1)),
  retransmissions UInt64 CODEC(T64, ZSTD(1)),
  out_of_order UInt64 CODEC(T64, ZSTD(1)),
  zero_windows UInt64 CODEC(T64, ZSTD(1)),
  rtt_count UInt64 CODEC(T64, ZSTD(1)),
  rtt_sum_ns UInt64 CODEC(T64, ZSTD(1)),
  rtt_histogram Array(UInt32) CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(window_start, 'UTC')
ORDER BY (window_start, vlan)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS sketches (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  window_start DateTime CODEC(Delta(4), ZSTD(1)),
  window_seconds UInt32 CODEC(T64, ZSTD(1)),
  sketch LowCardinality(String) CODEC(ZSTD(1)),
  subject LowCardinality(String) CODEC(ZSTD(1)),
  measure LowCardinality(String) CODEC(ZSTD(1)),
  key String CODEC(ZSTD(1)),
  log2_width UInt8 CODEC(ZSTD(1)),
  depth UInt8 CODEC(ZSTD(1)),
  total UInt64 CODEC(T64, ZSTD(1)),
  registers Array(UInt8) CODEC(ZSTD(1)),
  cells Array(UInt64) CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(window_start, 'UTC')
ORDER BY (sketch, subject, measure, window_start, key)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS top_keys (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  window_start DateTime CODEC(Delta(4), ZSTD(1)),
  window_seconds UInt32 CODEC(T64, ZSTD(1)),
  subject LowCardinality(String) CODEC(ZSTD(1)),
  key String CODEC(ZSTD(1)),
  packets UInt64 CODEC(T64, ZSTD(1)),
  packets_error UInt64 CODEC(T64, ZSTD(1)),
  bytes UInt64 CODEC(T64, ZSTD(1)),
  bytes_error UInt64 CODEC(T64, ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(window_start, 'UTC')
ORDER BY (subject, window_start, key)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS dns (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  flow_id UInt64 CODEC(ZSTD(1)),
  client_ip IPv6 CODEC(ZSTD(1)),
  server_ip IPv6 CODEC(ZSTD(1)),
  client_port UInt16 CODEC(T64, ZSTD(1)),
  server_port UInt16 CODEC(T64, ZSTD(1)),
  vlan UInt16 CODEC(T64, ZSTD(1)),
  transport LowCardinality(String) CODEC(ZSTD(1)),
  service LowCardinality(String) CODEC(ZSTD(1)),
  queries UInt32 CODEC(T64, ZSTD(1)),
  responses UInt32 CODEC(T64, ZSTD(1)),
  name String CODEC(ZSTD(1)),
  type LowCardinality(String) CODEC(ZSTD(1)),
  rcode LowCardinality(String) CODEC(ZSTD(1)),
  answer_count UInt16 CODEC(T64, ZSTD(1)),
  answers Array(String) CODEC(ZSTD(1)),
  latency_ns UInt64 CODEC(T64, ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(timestamp, 'UTC')
ORDER BY (timestamp, name)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS http (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  flow_id UInt64 CODEC(ZSTD(1)),
  client_ip IPv6 CODEC(ZSTD(1)),
  server_ip IPv6 CODEC(ZSTD(1)),
  client_port UInt16 CODEC(T64, ZSTD(1)),
  server_port UInt16 CODEC(T64, ZSTD(1)),
  vlan UInt16 CODEC(T64, ZSTD(1)),
  requests UInt32 CODEC(T64, ZSTD(1)),
  responses UInt32 CODEC(T64, ZSTD(1)),
  method LowCardinality(String) CODEC(ZSTD(1)),
  host String CODEC(ZSTD(1)),
  path String CODEC(ZSTD(1)),
  status UInt16 CODEC(T64, ZSTD(1)),
  user_agent String CODEC(ZSTD(1)),
  content_type LowCardinality(String) CODEC(ZSTD(1)),
  request_bytes UInt64 CODEC(T64, ZSTD(1)),
  response_bytes UInt64 CODEC(T64, ZSTD(1)),
  latency_ns UInt64 CODEC(T64, ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(timestamp, 'UTC')
ORDER BY (timestamp, host)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS tls (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  flow_id UInt64 CODEC(ZSTD(1)),
  client_ip IPv6 CODEC(ZSTD(1)),
  server_ip IPv6 CODEC(ZSTD(1)),
  client_port UInt16 CODEC(T64, ZSTD(1)),
  server_port UInt16 CODEC(T64, ZSTD(1)),
  vlan UInt16 CODEC(T64, ZSTD(1)),
  server_name String CODEC(ZSTD(1)),
  alpn Array(String) CODEC(ZSTD(1)),
  version LowCardinality(String) CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(timestamp, 'UTC')
ORDER BY (timestamp, server_name)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS probe_stats (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  epoch UInt64 CODEC(ZSTD(1)),
  partition UInt16 CODEC(T64, ZSTD(1)),
  first_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  last_seq UInt64 CODEC(Delta(8), ZSTD(1)),
  timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  source String CODEC(ZSTD(1)),
  partitions UInt16 CODEC(T64, ZSTD(1)),
  position UInt64 CODEC(T64, ZSTD(1)),
  complete UInt8 CODEC(ZSTD(1)),
  first_packet DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  last_packet DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  packets UInt64 CODEC(T64, ZSTD(1)),
  bytes UInt64 CODEC(T64, ZSTD(1)),
  captured_bytes UInt64 CODEC(T64, ZSTD(1)),
  decoded UInt64 CODEC(T64, ZSTD(1)),
  undecodable UInt64 CODEC(T64, ZSTD(1)),
  filtered UInt64 CODEC(T64, ZSTD(1)),
  kernel_dropped UInt64 CODEC(T64, ZSTD(1)),
  late_packets UInt64 CODEC(T64, ZSTD(1)),
  flows_folded UInt64 CODEC(T64, ZSTD(1)),
  flows_live UInt64 CODEC(T64, ZSTD(1)),
  reasons Map(String, UInt64) CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree()
PARTITION BY toYYYYMMDD(timestamp, 'UTC')
ORDER BY (probe, epoch, partition, last_seq)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

ALTER TABLE flows
  ADD COLUMN IF NOT EXISTS client_country LowCardinality(String) CODEC(ZSTD(1)) AFTER end_reason,
  ADD COLUMN IF NOT EXISTS client_asn UInt32 CODEC(ZSTD(1)) AFTER client_country,
  ADD COLUMN IF NOT EXISTS client_as_name LowCardinality(String) CODEC(ZSTD(1)) AFTER client_asn,
  ADD COLUMN IF NOT EXISTS client_network LowCardinality(String) CODEC(ZSTD(1)) AFTER client_as_name,
  ADD COLUMN IF NOT EXISTS client_local UInt8 CODEC(ZSTD(1)) AFTER client_network,
  ADD COLUMN IF NOT EXISTS server_country LowCardinality(String) CODEC(ZSTD(1)) AFTER client_local,
  ADD COLUMN IF NOT EXISTS server_asn UInt32 CODEC(ZSTD(1)) AFTER server_country,
  ADD COLUMN IF NOT EXISTS server_as_name LowCardinality(String) CODEC(ZSTD(1)) AFTER server_asn,
  ADD COLUMN IF NOT EXISTS server_network LowCardinality(String) CODEC(ZSTD(1)) AFTER server_as_name,
  ADD COLUMN IF NOT EXISTS server_local UInt8 CODEC(ZSTD(1)) AFTER server_network;

ALTER TABLE dns
  ADD COLUMN IF NOT EXISTS client_country LowCardinality(String) CODEC(ZSTD(1)) AFTER latency_ns,
  ADD COLUMN IF NOT EXISTS client_asn UInt32 CODEC(ZSTD(1)) AFTER client_country,
  ADD COLUMN IF NOT EXISTS client_as_name LowCardinality(String) CODEC(ZSTD(1)) AFTER client_asn,
  ADD COLUMN IF NOT EXISTS client_network LowCardinality(String) CODEC(ZSTD(1)) AFTER client_as_name,
  ADD COLUMN IF NOT EXISTS client_local UInt8 CODEC(ZSTD(1)) AFTER client_network,
  ADD COLUMN IF NOT EXISTS server_country LowCardinality(String) CODEC(ZSTD(1)) AFTER client_local,
  ADD COLUMN IF NOT EXISTS server_asn UInt32 CODEC(ZSTD(1)) AFTER server_country,
  ADD COLUMN IF NOT EXISTS server_as_name LowCardinality(String) CODEC(ZSTD(1)) AFTER server_asn,
  ADD COLUMN IF NOT EXISTS server_network LowCardinality(String) CODEC(ZSTD(1)) AFTER server_as_name,
  ADD COLUMN IF NOT EXISTS server_local UInt8 CODEC(ZSTD(1)) AFTER server_network;

ALTER TABLE http
  ADD COLUMN IF NOT EXISTS client_country LowCardinality(String) CODEC(ZSTD(1)) AFTER latency_ns,
  ADD COLUMN IF NOT EXISTS client_asn UInt32 CODEC(ZSTD(1)) AFTER client_country,
  ADD COLUMN IF NOT EXISTS client_as_name LowCardinality(String) CODEC(ZSTD(1)) AFTER client_asn,
  ADD COLUMN IF NOT EXISTS client_network LowCardinality(String) CODEC(ZSTD(1)) AFTER client_as_name,
  ADD COLUMN IF NOT EXISTS client_local UInt8 CODEC(ZSTD(1)) AFTER client_network,
  ADD COLUMN IF NOT EXISTS server_country LowCardinality(String) CODEC(ZSTD(1)) AFTER client_local,
  ADD COLUMN IF NOT EXISTS server_asn UInt32 CODEC(ZSTD(1)) AFTER server_country,
  ADD COLUMN IF NOT EXISTS server_as_name LowCardinality(String) CODEC(ZSTD(1)) AFTER server_asn,
  ADD COLUMN IF NOT EXISTS server_network LowCardinality(String) CODEC(ZSTD(1)) AFTER server_as_name,
  ADD COLUMN IF NOT EXISTS server_local UInt8 CODEC(ZSTD(1)) AFTER server_network;

ALTER TABLE tls
  ADD COLUMN IF NOT EXISTS client_country LowCardinality(String) CODEC(ZSTD(1)) AFTER version,
  ADD COLUMN IF NOT EXISTS client_asn UInt32 CODEC(ZSTD(1)) AFTER client_country,
  ADD COLUMN IF NOT EXISTS client_as_name LowCardinality(String) CODEC(ZSTD(1)) AFTER client_asn,
  ADD COLUMN IF NOT EXISTS client_network LowCardinality(String) CODEC(ZSTD(1)) AFTER client_as_name,
  ADD COLUMN IF NOT EXISTS client_local UInt8 CODEC(ZSTD(1)) AFTER client_network,
  ADD COLUMN IF NOT EXISTS server_country LowCardinality(String) CODEC(ZSTD(1)) AFTER client_local,
  ADD COLUMN IF NOT EXISTS server_asn UInt32 CODEC(ZSTD(1)) AFTER server_country,
  ADD COLUMN IF NOT EXISTS server_as_name LowCardinality(String) CODEC(ZSTD(1)) AFTER server_asn,
  ADD COLUMN IF NOT EXISTS server_network LowCardinality(String) CODEC(ZSTD(1)) AFTER server_as_name,
  ADD COLUMN IF NOT EXISTS server_local UInt8 CODEC(ZSTD(1)) AFTER server_network;

CREATE TABLE IF NOT EXISTS rules (
  id String,
  version UInt32,
  change String,
  deleted UInt8,
  name String,
  body String CODEC(ZSTD(3)),
  created_at DateTime64(3, 'UTC'),
  changed_at DateTime64(3, 'UTC'),
  actor_kind LowCardinality(String),
  actor_id String,
  actor_name String,
  actor_role LowCardinality(String),
  on_behalf_of String,
  address String,
  request_id String,
  action LowCardinality(String),
  stored_at DateTime64(6, 'UTC') DEFAULT now64(6)
) ENGINE = MergeTree()
ORDER BY (id, version)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS capture_rules (
  id String,
  version UInt32,
  change String,
  deleted UInt8,
  name String,
  body String CODEC(ZSTD(3)),
  created_at DateTime64(3, 'UTC'),
  changed_at DateTime64(3, 'UTC'),
  actor_kind LowCardinality(String),
  actor_id String,
  actor_name String,
  actor_role LowCardinality(String),
  on_behalf_of String,
  address String,
  request_id String,
  action LowCardinality(String),
  stored_at DateTime64(6, 'UTC') DEFAULT now64(6)
) ENGINE = MergeTree()
ORDER BY (id, version)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS tokens (
  id String,
  version UInt32,
  change String,
  deleted UInt8,
  name String,
  body String CODEC(ZSTD(3)),
  created_at DateTime64(3, 'UTC'),
  changed_at DateTime64(3, 'UTC'),
  actor_kind LowCardinality(String),
  actor_id String,
  actor_name String,
  actor_role LowCardinality(String),
  on_behalf_of String,
  address String,
  request_id String,
  action LowCardinality(String),
  stored_at DateTime64(6, 'UTC') DEFAULT now64(6)
) ENGINE = MergeTree()
ORDER BY (id, version)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS token_uses (
  token_id String,
  used_at DateTime64(3, 'UTC'),
  address String
) ENGINE = ReplacingMergeTree(used_at)
ORDER BY token_id;

CREATE TABLE IF NOT EXISTS audit (
  time DateTime64(3, 'UTC'),
  id String,
  actor_kind LowCardinality(String),
  actor_id String,
  actor_name String,
  actor_role LowCardinality(String),
  on_behalf_of String,
  address String,
  request_id String,
  action LowCardinality(String),
  object_id String,
  result LowCardinality(String),
  detail String,
  stored_at DateTime DEFAULT now()
) ENGINE = MergeTree()
PARTITION BY toYYYYMM(time, 'UTC')
ORDER BY (time, id)
TTL stored_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS events (
  id String,
  version UInt32,
  kind LowCardinality(String),
  source String,
  name String,
  severity LowCardinality(String),
  state LowCardinality(String),
  labels Map(LowCardinality(String), String),
  value Float64,
  threshold Float64,
  started_at DateTime64(3, 'UTC'),
  ended_at DateTime64(3, 'UTC'),
  changed_at DateTime64(3, 'UTC'),
  summary String CODEC(ZSTD(1)),
  details String CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at, 'UTC')
ORDER BY (started_at, id)
TTL stored_at + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

ALTER TABLE flows
  MODIFY COLUMN flow_id UInt64 CODEC(LZ4),
  MODIFY COLUMN client_ip IPv6 CODEC(LZ4),
  MODIFY COLUMN server_ip IPv6 CODEC(LZ4),
  MODIFY COLUMN client_packets UInt64 CODEC(T64, LZ4),
  MODIFY COLUMN client_bytes UInt64 CODEC(T64, LZ4),
  MODIFY COLUMN server_packets UInt64 CODEC(T64, LZ4),
  MODIFY COLUMN server_bytes UInt64 CODEC(T64, LZ4);

CREATE TABLE IF NOT EXISTS flows_1m (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  window_start DateTime CODEC(Delta(4), ZSTD(1)),
  window_seconds UInt32 CODEC(T64, ZSTD(1)),
  other UInt8 CODEC(ZSTD(1)),
  client_ip IPv6 CODEC(LZ4),
  server_ip IPv6 CODEC(LZ4),
  server_port UInt16 CODEC(T64, ZSTD(1)),
  protocol UInt8 CODEC(ZSTD(1)),
  vlan UInt16 CODEC(T64, ZSTD(1)),
  application LowCardinality(String) CODEC(ZSTD(1)),
  client_packets UInt64 CODEC(T64, ZSTD(1)),
  client_bytes UInt64 CODEC(T64, ZSTD(1)),
  server_packets UInt64 CODEC(T64, ZSTD(1)),
  server_bytes UInt64 CODEC(T64, ZSTD(1)),
  client_retransmissions UInt64 CODEC(T64, ZSTD(1)),
  server_retransmissions UInt64 CODEC(T64, ZSTD(1)),
  client_out_of_order UInt64 CODEC(T64, ZSTD(1)),
  server_out_of_order UInt64 CODEC(T64, ZSTD(1)),
  client_zero_windows UInt64 CODEC(T64, ZSTD(1)),
  server_zero_windows UInt64 CODEC(T64, ZSTD(1)),
  new_flow UInt64 CODEC(T64, ZSTD(1)),
  rtt_sum_ns UInt64 CODEC(T64, ZSTD(1)),
  rtt_count UInt64 CODEC(T64, ZSTD(1)),
  client_country LowCardinality(String) CODEC(ZSTD(1)),
  client_asn UInt32 CODEC(ZSTD(1)),
  client_as_name LowCardinality(String) CODEC(ZSTD(1)),
  client_network LowCardinality(String) CODEC(ZSTD(1)),
  client_local UInt8 CODEC(ZSTD(1)),
  server_country LowCardinality(String) CODEC(ZSTD(1)),
  server_asn UInt32 CODEC(ZSTD(1)),
  server_as_name LowCardinality(String) CODEC(ZSTD(1)),
  server_network LowCardinality(String) CODEC(ZSTD(1)),
  server_local UInt8 CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = SummingMergeTree((client_packets, client_bytes, server_packets, server_bytes, client_retransmissions, server_retransmissions, client_out_of_order, server_out_of_order, client_zero_windows, server_zero_windows, new_flow, rtt_sum_ns, rtt_count))
PARTITION BY toYYYYMMDD(window_start, 'UTC')
ORDER BY (window_start, server_port, protocol, server_ip, client_ip, other, probe, vlan, application, client_country, client_network, client_local, server_country, server_network, server_local, client_asn, client_as_name, server_asn, server_as_name)
PRIMARY KEY (window_start, server_port, protocol, server_ip, client_ip)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS flows_1m_view TO flows_1m AS
SELECT
  k_start AS window_start, 60 AS window_seconds, k_other AS other,
  k_probe AS probe, k_vlan AS vlan, k_protocol AS protocol, k_application AS application, k_client_country AS client_country, k_client_network AS client_network, k_client_local AS client_local, k_server_country AS server_country, k_server_network AS server_network, k_server_local AS server_local, if(k_other, toIPv6('::'), k_client_ip) AS client_ip, if(k_other, toIPv6('::'), k_server_ip) AS server_ip, if(k_other, if(k_server_port < 1024, k_server_port, 0), k_server_port) AS server_port, if(k_other, 0, k_client_asn) AS client_asn, if(k_other, '', k_client_as_name) AS client_as_name, if(k_other, 0, k_server_asn) AS server_asn, if(k_other, '', k_server_as_name) AS server_as_name,
  sum(s_client_packets) AS client_packets, sum(s_client_bytes) AS client_bytes, sum(s_server_packets) AS server_packets, sum(s_server_bytes) AS server_bytes, sum(s_client_retransmissions) AS client_retransmissions, sum(s_server_retransmissions) AS server_retransmissions, sum(s_client_out_of_order) AS client_out_of_order, sum(s_server_out_of_order) AS server_out_of_order, sum(s_client_zero_windows) AS client_zero_windows, sum(s_server_zero_windows) AS server_zero_windows, sum(s_new_flow) AS new_flow, sum(s_rtt_sum_ns) AS rtt_sum_ns, sum(s_rtt_count) AS rtt_count
FROM (
  SELECT
    toDateTime(intDiv(toUnixTimestamp(window_start), 60) * 60) AS k_start,
    probe AS k_probe, vlan AS k_vlan, protocol AS k_protocol, application AS k_application, client_country AS k_client_country, client_network AS k_client_network, client_local AS k_client_local, server_country AS k_server_country, server_network AS k_server_network, server_local AS k_server_local, client_ip AS k_client_ip, server_ip AS k_server_ip, server_port AS k_server_port, client_asn AS k_client_asn, client_as_name AS k_client_as_name, server_asn AS k_server_asn, server_as_name AS k_server_as_name,
    sum(toUInt64(client_packets)) AS s_client_packets, sum(toUInt64(client_bytes)) AS s_client_bytes, sum(toUInt64(server_packets)) AS s_server_packets, sum(toUInt64(server_bytes)) AS s_server_bytes, sum(toUInt64(client_retransmissions)) AS s_client_retransmissions, sum(toUInt64(server_retransmissions)) AS s_server_retransmissions, sum(toUInt64(client_out_of_order)) AS s_client_out_of_order, sum(toUInt64(server_out_of_order)) AS s_server_out_of_order, sum(toUInt64(client_zero_windows)) AS s_client_zero_windows, sum(toUInt64(server_zero_windows)) AS s_server_zero_windows, sum(toUInt64(new_flow)) AS s_new_flow, sum(toUInt64(rtt_ns)) AS s_rtt_sum_ns, sum(toUInt64(rtt_ns > 0)) AS s_rtt_count,
    toUInt8(0) AS k_blank,
    k_blank OR row_number() OVER (
      PARTITION BY k_start, k_blank
      ORDER BY s_client_bytes + s_server_bytes DESC, k_client_ip, k_server_ip, k_server_port, k_protocol
    ) > 1000 AS k_other
  FROM flows
  GROUP BY k_start, k_blank, k_probe, k_vlan, k_protocol, k_application, k_client_country, k_client_network, k_client_local, k_server_country, k_server_network, k_server_local, k_client_ip, k_server_ip, k_server_port, k_client_asn, k_client_as_name, k_server_asn, k_server_as_name
)
GROUP BY window_start, other, probe, vlan, protocol, application, client_country, client_network, client_local, server_country, server_network, server_local, client_ip, server_ip, server_port, client_asn, client_as_name, server_asn, server_as_name;

CREATE TABLE IF NOT EXISTS flows_1h (
  probe LowCardinality(String) CODEC(ZSTD(1)),
  window_start DateTime CODEC(Delta(4), ZSTD(1)),
  window_seconds UInt32 CODEC(T64, ZSTD(1)),
  other UInt8 CODEC(ZSTD(1)),
  client_ip IPv6 CODEC(LZ4),
  server_ip IPv6 CODEC(LZ4),
  server_port UInt16 CODEC(T64, ZSTD(1)),
  protocol UInt8 CODEC(ZSTD(1)),
  vlan UInt16 CODEC(T64, ZSTD(1)),
  application LowCardinality(String) CODEC(ZSTD(1)),
  client_packets UInt64 CODEC(T64, ZSTD(1)),
  client_bytes UInt64 CODEC(T64, ZSTD(1)),
  server_packets UInt64 CODEC(T64, ZSTD(1)),
  server_bytes UInt64 CODEC(T64, ZSTD(1)),
  client_retransmissions UInt64 CODEC(T64, ZSTD(1)),
  server_retransmissions UInt64 CODEC(T64, ZSTD(1)),
  client_out_of_order UInt64 CODEC(T64, ZSTD(1)),
  server_out_of_order UInt64 CODEC(T64, ZSTD(1)),
  client_zero_windows UInt64 CODEC(T64, ZSTD(1)),
  server_zero_windows UInt64 CODEC(T64, ZSTD(1)),
  new_flow UInt64 CODEC(T64, ZSTD(1)),
  rtt_sum_ns UInt64 CODEC(T64, ZSTD(1)),
  rtt_count UInt64 CODEC(T64, ZSTD(1)),
  client_country LowCardinality(String) CODEC(ZSTD(1)),
  client_asn UInt32 CODEC(ZSTD(1)),
  client_as_name LowCardinality(String) CODEC(ZSTD(1)),
  client_network LowCardinality(String) CODEC(ZSTD(1)),
  client_local UInt8 CODEC(ZSTD(1)),
  server_country LowCardinality(String) CODEC(ZSTD(1)),
  server_asn UInt32 CODEC(ZSTD(1)),
  server_as_name LowCardinality(String) CODEC(ZSTD(1)),
  server_network LowCardinality(String) CODEC(ZSTD(1)),
  server_local UInt8 CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = SummingMergeTree((client_packets, client_bytes, server_packets, server_bytes, client_retransmissions, server_retransmissions, client_out_of_order, server_out_of_order, client_zero_windows, server_zero_windows, new_flow, rtt_sum_ns, rtt_count))
PARTITION BY toYYYYMMDD(window_start, 'UTC')
ORDER BY (window_start, server_port, protocol, server_ip, client_ip, other, probe, vlan, application, client_country, client_network, client_local, server_country, server_network, server_local, client_asn, client_as_name, server_asn, server_as_name)
PRIMARY KEY (window_start, server_port, protocol, server_ip, client_ip)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS flows_1h_view TO flows_1h AS
SELECT
  k_start AS window_start, 3600 AS window_seconds, k_other AS other,
  k_probe AS probe, k_vlan AS vlan, k_protocol AS protocol, k_application AS application, k_client_country AS client_country, k_client_network AS client_network, k_client_local AS client_local, k_server_country AS server_country, k_server_network AS server_network, k_server_local AS server_local, if(k_other, toIPv6('::'), k_client_ip) AS client_ip, if(k_other, toIPv6('::'), k_server_ip) AS server_ip, if(k_other, if(k_server_port < 1024, k_server_port, 0), k_server_port) AS server_port, if(k_other, 0, k_client_asn) AS client_asn, if(k_other, '', k_client_as_name) AS client_as_name, if(k_other, 0, k_server_asn) AS server_asn, if(k_other, '', k_server_as_name) AS server_as_name,
  sum(s_client_packets) AS client_packets, sum(s_client_bytes) AS client_bytes, sum(s_server_packets) AS server_packets, sum(s_server_bytes) AS server_bytes, sum(s_client_retransmissions) AS client_retransmissions, sum(s_server_retransmissions) AS server_retransmissions, sum(s_client_out_of_order) AS client_out_of_order, sum(s_server_out_of_order) AS server_out_of_order, sum(s_client_zero_windows) AS client_zero_windows, sum(s_server_zero_windows) AS server_zero_windows, sum(s_new_flow) AS new_flow, sum(s_rtt_sum_ns) AS rtt_sum_ns, sum(s_rtt_count) AS rtt_count
FROM (
  SELECT
    toDateTime(intDiv(toUnixTimestamp(window_start), 3600) * 3600) AS k_start,
    probe AS k_probe, vlan AS k_vlan, protocol AS k_protocol, application AS k_application, client_country AS k_client_country, client_network AS k_client_network, client_local AS k_client_local, server_country AS k_server_country, server_network AS k_server_network, server_local AS k_server_local, client_ip AS k_client_ip, server_ip AS k_server_ip, server_port AS k_server_port, client_asn AS k_client_asn, client_as_name AS k_client_as_name, server_asn AS k_server_asn, server_as_name AS k_server_as_name,
    sum(toUInt64(client_packets)) AS s_client_packets, sum(toUInt64(client_bytes)) AS s_client_bytes, sum(toUInt64(server_packets)) AS s_server_packets, sum(toUInt64(server_bytes)) AS s_server_bytes, sum(toUInt64(client_retransmissions)) AS s_client_retransmissions, sum(toUInt64(server_retransmissions)) AS s_server_retransmissions, sum(toUInt64(client_out_of_order)) AS s_client_out_of_order, sum(toUInt64(server_out_of_order)) AS s_server_out_of_order, sum(toUInt64(client_zero_windows)) AS s_client_zero_windows, sum(toUInt64(server_zero_windows)) AS s_server_zero_windows, sum(toUInt64(new_flow)) AS s_new_flow, sum(toUInt64(rtt_sum_ns)) AS s_rtt_sum_ns, sum(toUInt64(rtt_count)) AS s_rtt_count,
    toUInt8(other) AS k_blank,
    k_blank OR row_number() OVER (
      PARTITION BY k_start, k_blank
      ORDER BY s_client_bytes + s_server_bytes DESC, k_client_ip, k_server_ip, k_server_port, k_protocol
    ) > 500 AS k_other
  FROM flows_1m
  GROUP BY k_start, k_blank, k_probe, k_vlan, k_protocol, k_application, k_client_country, k_client_network, k_client_local, k_server_country, k_server_network, k_server_local, k_client_ip, k_server_ip, k_server_port, k_client_asn, k_client_as_name, k_server_asn, k_server_as_name
)
GROUP BY window_start, other, probe, vlan, protocol, application, client_country, client_network, client_local, server_country, server_network, server_local, client_ip, server_ip, server_port, client_asn, client_as_name, server_asn, server_as_name;

ALTER TABLE probe_stats
  ADD COLUMN IF NOT EXISTS sampling_rate UInt32 DEFAULT 1 CODEC(T64, ZSTD(1)) AFTER reasons;

ALTER TABLE flows MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE traffic MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE tcp_health MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE sketches MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE top_keys MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE dns MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE http MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE tls MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE probe_stats MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE flows_1m MODIFY SETTING non_replicated_deduplication_window = 50000;

ALTER TABLE flows_1h MODIFY SETTING non_replicated_deduplication_window = 50000;

CREATE VIEW IF NOT EXISTS stored_parts AS
SELECT table AS name, rows, min_time, max_time
FROM system.parts
WHERE active AND database = currentDatabase();

ALTER TABLE flows
  ADD COLUMN IF NOT EXISTS client_duplicate_packets UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)) AFTER end_reason,
  ADD COLUMN IF NOT EXISTS client_duplicate_bytes UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)) AFTER client_duplicate_packets,
  ADD COLUMN IF NOT EXISTS server_duplicate_packets UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)) AFTER client_duplicate_bytes,
  ADD COLUMN IF NOT EXISTS server_duplicate_bytes UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)) AFTER server_duplicate_packets;

ALTER TABLE probe_stats
  ADD COLUMN IF NOT EXISTS duplicate_packets UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)) AFTER sampling_rate,
  ADD COLUMN IF NOT EXISTS duplicate_bytes UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)) AFTER duplicate_packets;
