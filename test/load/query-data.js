/**
 * Rows for the query benchmark, as INSERT statements that the database answers itself: deterministic functions of the row
 * number. A day of a network of 20,000 hosts: Zipf-like clients and servers (84,000 and 260,000 addresses, a fifth of the
 * flows IPv6), mostly TLS, DNS and HTTP, some ports of everything else, two flow records a flow.
 */

const start = Date.UTC(2026, 8, 1) / 1000;
const flowWindowSeconds = 10;

/** The range that the rows fill, RFC 3339. @param {number} rows */
export function rangeOf(rows) {
  const windows = Math.ceil(rows / perWindow(rows));
  return {
    from: new Date(start * 1000).toISOString(),
    to: new Date((start + windows * flowWindowSeconds) * 1000).toISOString(),
  };
}

const perWindow = (rows) => Math.ceil(rows / (86_400 / flowWindowSeconds));

/** Columns of the rows' addresses and ports; `u(i)` is a number from 0 to 1 that depends on `key` and i. */
const address = (side) =>
  side === 'client'
    ? `if(u(1) < 0.2, toIPv6(concat('2001:db8:', hex(toUInt16(pow(u(2), 3) * 4000)), '::', hex(toUInt16(u(20) * 16)))),
         toIPv6(concat('::ffff:', IPv4NumToString(toUInt32(167772160 + floor(pow(u(2), 3) * 20000))))))`
    : `if(u(1) < 0.2, toIPv6(concat('2a00:', hex(toUInt16(pow(u(3), 4) * 60000)), '::1')),
         toIPv6(concat('::ffff:', IPv4NumToString(toUInt32(cityHash64(floor(pow(u(3), 4) * 200000)) % 4294967296)))))`;

const serverPort = 'multiIf(u(5) < 0.55, 443, u(5) < 0.7, 53, u(5) < 0.8, 80, u(5) < 0.85, 22, toUInt16(u(6) * 65535))';

/** Expressions that occur in every table of transactions and flows. */
const common = {
  probe: `if(u(12) < 0.7, 'edge-1', 'edge-2')`,
  epoch: '1',
  partition: 'number % 2',
  first_seq: '2 * intDiv(number, 100000)',
  last_seq: '2 * intDiv(number, 100000) + 1',
  flow_id: 'cityHash64(key)',
  client_ip: address('client'),
  server_ip: address('server'),
  client_port: '32768 + toUInt16(u(4) * 28000)',
  server_port: serverPort,
  vlan: 'if(u(7) < 0.5, 0, toUInt16(u(7) * 20))',
  client_country: `if(u(1) < 0.2, 'NL', '')`,
  client_asn: 'if(u(1) < 0.2, 64500, 0)',
  client_as_name: `if(u(1) < 0.2, 'Example Access', '')`,
  client_network: `if(u(1) < 0.2, '', concat('floor-', toString(toUInt32(pow(u(2), 3) * 20))))`,
  client_local: 'u(1) >= 0.2',
  server_country: `arrayElement(['US', 'DE', 'NL', 'FR', 'GB', 'JP', 'BR', 'IN', 'CA', 'SE'], 1 + toUInt8(pow(u(3), 4) * 10))`,
  server_asn: '1000 + toUInt32(pow(u(3), 4) * 3000)',
  server_as_name: `concat('Network ', toString(toUInt32(pow(u(3), 4) * 3000)))`,
};

const time = (rows) => `toDateTime(${start}, 'UTC') + intDiv(number, ${perWindow(rows)}) * ${flowWindowSeconds}`;
const moment = (rows, count) =>
  `fromUnixTimestamp64Nano(toInt64(${start}) * 1000000000 + toInt64(number) * ${Math.floor((86_400 * 1e9) / count)})`;

/** @param {string} tableName @param {Record<string, string>} columns @param {number} count @param {number} perKey */
const insert = (tableName, columns, count, perKey) =>
  `INSERT INTO ${tableName} (${Object.keys(columns).join(', ')})
   WITH intDiv(number, ${perKey}) AS key, i -> (cityHash64(key, i) % 1000000007) / 1000000007 AS u
   SELECT ${Object.values(columns).join(', ')} FROM numbers(${count})
   SETTINGS max_insert_block_size = 500000, insert_deduplicate = 0`;

/** Statements in order. @param {number} rows flow rows */
export function fillStatements(rows) {
  const transactions = Math.ceil(rows / 5);
  const flows = {
    ...common,
    window_start: time(rows),
    window_seconds: String(flowWindowSeconds),
    protocol: 'if(u(5) >= 0.55 AND u(5) < 0.7, 17, if(u(5) > 0.99, 1, 6))',
    inner_vlan: 'if(u(8) < 0.95, 0, toUInt16(u(8) * 10))',
    tunnel_type: `if(u(9) < 0.9, '', 'vxlan')`,
    tunnel_id: 'if(u(9) < 0.9, 0, toUInt32(u(9) * 1000))',
    application: `multiIf(u(5) < 0.55, 'tls', u(5) < 0.7, 'dns', u(5) < 0.8, 'http', u(5) < 0.85, 'ssh', '')`,
    client_packets: '1 + toUInt64(pow(u(21), 6) * 1000)',
    client_bytes: '80 + toUInt64(pow(u(22), 8) * 1000000) + number % 7',
    server_packets: 'toUInt64(pow(u(23), 6) * 1000)',
    server_bytes: 'if(toUInt64(pow(u(23), 6) * 1000) = 0, 0, 80 + toUInt64(pow(u(24), 8) * 4000000) + number % 5)',
    first: `fromUnixTimestamp64Nano((toInt64(toUnixTimestamp(${time(rows)})) * 1000000000) + toInt64(u(25) * 5000000000))`,
    last: `fromUnixTimestamp64Nano((toInt64(toUnixTimestamp(${time(rows)})) * 1000000000) + toInt64(5000000000 + u(26) * 4900000000))`,
    client_tcp_flags: 'if(u(5) >= 0.55 AND u(5) < 0.7, 0, 2 + 16 + number % 2)',
    server_tcp_flags: 'if(u(5) >= 0.55 AND u(5) < 0.7, 0, 18)',
    rtt_ns: 'if(u(27) < 0.5, 0, toUInt64(pow(u(27), 5) * 200000000))',
    client_retransmissions: 'toUInt32(pow(u(28), 20) * 20)',
    server_retransmissions: 'toUInt32(pow(u(29), 20) * 20)',
    client_traffic_class: 'if(u(30) < 0.8, 0, 184)',
    icmp_type: 'if(u(5) > 0.99, 8, 0)',
    new_flow: 'number % 2 = 0',
    end_reason: 'if(number % 2 = 0, 2, 3)',
  };
  const traffic = {
    probe: common.probe,
    epoch: '1',
    partition: '0',
    first_seq: '0',
    last_seq: '1',
    window_start: `toDateTime(${start}, 'UTC') + intDiv(number, 12)`,
    window_seconds: '1',
    vlan: common.vlan,
    ether_type: 'if(u(1) < 0.2, 34525, 2048)',
    ip_version: 'if(u(1) < 0.2, 6, 4)',
    protocol: flows.protocol,
    application: flows.application,
    packets: '1 + toUInt64(u(21) * 1000)',
    bytes: '80 + toUInt64(u(22) * 1000000)',
  };
  const dns = {
    ...common,
    timestamp: moment(rows, transactions),
    transport: `if(u(13) < 0.95, 'udp', 'tcp')`,
    service: `if(u(14) < 0.98, 'dns', 'mdns')`,
    queries: '1',
    responses: 'u(15) < 0.97',
    name: `concat('host', toString(toUInt32(pow(u(16), 5) * 100000)), '.example.', if(u(17) < 0.6, 'com', 'org'))`,
    type: `multiIf(u(18) < 0.6, 'A', u(18) < 0.9, 'AAAA', 'PTR')`,
    rcode: `multiIf(u(15) >= 0.97, '', u(19) < 0.9, 'NOERROR', u(19) < 0.98, 'NXDOMAIN', 'SERVFAIL')`,
    latency_ns: 'toUInt64(pow(u(31), 4) * 100000000)',
  };
  const http = {
    ...common,
    timestamp: moment(rows, transactions),
    requests: '1',
    responses: '1',
    method: `multiIf(u(13) < 0.8, 'GET', u(13) < 0.95, 'POST', 'PUT')`,
    host: `concat('www', toString(toUInt32(pow(u(14), 5) * 20000)), '.example.com')`,
    path: `concat('/p/', toString(toUInt32(pow(u(15), 3) * 200000)))`,
    status: 'multiIf(u(16) < 0.9, 200, u(16) < 0.96, 404, 500)',
    user_agent: `concat('agent/', toString(toUInt32(pow(u(17), 3) * 5000)))`,
    content_type: `if(u(18) < 0.5, 'text/html', 'application/json')`,
    latency_ns: 'toUInt64(pow(u(31), 4) * 1000000000)',
  };
  const tls = {
    ...common,
    timestamp: moment(rows, transactions),
    server_name: `concat('s', toString(toUInt32(pow(u(14), 5) * 50000)), '.example.net')`,
    alpn: `if(u(15) < 0.7, ['h2', 'http/1.1'], ['http/1.1'])`,
    version: `if(u(16) < 0.8, 'TLS 1.3', 'TLS 1.2')`,
  };
  return [
    { name: `flows (${rows})`, sql: insert('flows', flows, rows, 2) },
    { name: 'traffic', sql: insert('traffic', traffic, 12 * 86_400, 1) },
    { name: `dns (${transactions})`, sql: insert('dns', dns, transactions, 1) },
    { name: `http (${transactions})`, sql: insert('http', http, transactions, 1) },
    { name: `tls (${transactions})`, sql: insert('tls', tls, transactions, 1) },
  ];
}
