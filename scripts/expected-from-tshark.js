#!/usr/bin/env node
/**
 * Expected results of a capture file, as tshark sees it: `node scripts/expected-from-tshark.js FILE...` prints one JSON
 * object a file. Needs tshark (4.0 was used for the committed files). The keys:
 *
 * - packets, bytes_wire, bytes_captured: packets; sum of original lengths; sum of captured lengths
 * - first_ts, last_ts: earliest and latest time, strings with nine decimals; frames_without_timestamp
 * - frames_with_layer: per protocol of truth.js's list, frames in which it occurs at least once, and their wire bytes
 * - conversations.{ip,ipv6,tcp,udp}: a row per unordered endpoint pair for every IP or transport layer of a frame,
 *   inner and outer, full wire length, both directions apart; headers quoted inside ICMP errors make none
 * - dns: messages by direction, names, question types, response codes; http: requests, responses, methods, hosts,
 *   statuses; tls: ClientHellos and their server names; all after reassembly
 * - ipv4_fragments, ipv6_fragments, vlan_ids (802.1Q tags), malformed_frames
 */
import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { Conversations, countedLayers, sortKeys } from './lib/truth.js';

const fields = [
  'frame.protocols',
  'frame.len',
  'frame.cap_len',
  'frame.time_epoch',
  'ip.src',
  'ip.dst',
  'ipv6.src',
  'ipv6.dst',
  'tcp.srcport',
  'tcp.dstport',
  'udp.srcport',
  'udp.dstport',
  'ip.flags.mf',
  'ip.frag_offset',
  'ipv6.fraghdr.nxt',
  'vlan.id',
  'dns.flags.response',
  'dns.flags.rcode',
  'dns.qry.name',
  'dns.qry.type',
  'http.request.method',
  'http.host',
  'http.response.code',
  'tls.handshake.type',
  'tls.handshake.extensions_server_name',
  '_ws.malformed',
  'frame.cb_pen',
];

/** Stands between several values of one field; no name or address holds it. */
const separator = '\x1f';

/** @returns {string | undefined} tshark's version, undefined when it is not installed */
export function tsharkVersion() {
  try {
    return /TShark \(Wireshark\) ([\d.]+)/.exec(
      execFileSync('tshark', ['--version'], { stdio: 'pipe' }).toString(),
    )?.[1];
  } catch {
    return undefined;
  }
}

/** @param {Record<string, number>} counts @param {string} key */
const add = (counts, key) => {
  counts[key] = (counts[key] ?? 0) + 1;
};

/**
 * @param {string} path
 * @returns {ReturnType<import('./lib/truth.js').Truth['result']>}
 */
export function expectedFromTshark(path) {
  const output = execFileSync(
    'tshark',
    ['-n', '-r', path, '-T', 'fields', '-E', `aggregator=${separator}`, '-E', 'occurrence=a'].concat(
      fields.flatMap((field) => ['-e', field]),
    ),
    { maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'pipe'] },
  ).toString();
  const result = {
    packets: 0,
    bytes_wire: 0,
    bytes_captured: 0,
    first_ts: /** @type {string | null} */ (null),
    last_ts: /** @type {string | null} */ (null),
    frames_without_timestamp: 0,
    frames_with_layer: /** @type {Record<string, { frames: number, bytes: number }>} */ ({}),
    ipv4_fragments: 0,
    ipv6_fragments: 0,
    vlan_ids: /** @type {Record<string, number>} */ ({}),
    malformed_frames: 0,
    conversations: /** @type {any} */ ({}),
    dns: {
      queries: 0,
      responses: 0,
      names: /** @type {any[]} */ ([]),
      qtypes: /** @type {Record<string, number>} */ ({}),
      response_rcodes: /** @type {Record<string, number>} */ ({}),
    },
    http: {
      requests: 0,
      responses: 0,
      methods: /** @type {Record<string, number>} */ ({}),
      hosts: /** @type {Record<string, number>} */ ({}),
      status: /** @type {Record<string, number>} */ ({}),
    },
    tls: { client_hellos: 0, server_names: /** @type {Record<string, number>} */ ({}) },
  };
  const conversations = {
    ip: new Conversations(),
    ipv6: new Conversations(),
    tcp: new Conversations(),
    udp: new Conversations(),
  };
  const names = new Map();
  for (const line of output.split('\n')) {
    if (line === '') continue;
    const values = line.split('\t').map((text) => (text === '' ? [] : text.split(separator)));
    /** @param {string} field @returns {string[]} */
    const get = (field) => values[fields.indexOf(field)] ?? [];
    if (get('frame.cb_pen').length > 0) continue; // tshark lists pcapng Custom Blocks among the packets
    const layers = wholeStack((get('frame.protocols')[0] ?? '').split(':'));
    const length = Number(get('frame.len')[0]);
    result.packets += 1;
    result.bytes_wire += length;
    result.bytes_captured += Number(get('frame.cap_len')[0]);
    const time = get('frame.time_epoch')[0];
    if (time === undefined) result.frames_without_timestamp += 1;
    else {
      if (result.first_ts === null || time < result.first_ts) result.first_ts = time;
      if (result.last_ts === null || time > result.last_ts) result.last_ts = time;
    }
    if (get('_ws.malformed').length > 0) result.malformed_frames += 1;
    for (const layer of new Set(layers)) {
      if (!countedLayers.has(layer)) continue;
      const row = (result.frames_with_layer[layer] ??= { frames: 0, bytes: 0 });
      row.frames += 1;
      row.bytes += length;
    }
    if (get('ip.flags.mf').some((mf) => mf === '1' || mf === 'True') || get('ip.frag_offset').some((at) => at !== '0'))
      result.ipv4_fragments += 1;
    if (get('ipv6.fraghdr.nxt').length > 0) result.ipv6_fragments += 1;
    for (const id of get('vlan.id')) add(result.vlan_ids, id);
    addConversations(conversations, layers, get, length);
    if (layers.includes('dns') || layers.includes('mdns')) {
      const proto = layers.includes('dns') ? 'dns' : 'mdns';
      const responses = get('dns.flags.response').filter((flag) => flag === '1' || flag === 'True').length;
      result.dns.responses += responses;
      result.dns.queries += get('dns.flags.response').length - responses;
      if (responses > 0) for (const rcode of get('dns.flags.rcode')) add(result.dns.response_rcodes, rcode);
      for (const type of get('dns.qry.type')) add(result.dns.qtypes, type);
      for (const qname of get('dns.qry.name')) {
        const kind = responses > 0 ? 'response' : 'query';
        const key = `${proto} ${kind} ${qname}`;
        const row = names.get(key) ?? { proto, kind, qname, count: 0 };
        row.count += 1;
        names.set(key, row);
      }
    }
    result.tls.client_hellos += get('tls.handshake.type').filter((type) => type === '1').length;
    for (const name of get('tls.handshake.extensions_server_name')) add(result.tls.server_names, name);
    if (!layers.includes('http')) continue; // SSDP has http fields too
    for (const method of get('http.request.method')) {
      result.http.requests += 1;
      add(result.http.methods, method);
    }
    for (const host of get('http.host')) add(result.http.hosts, host);
    for (const status of get('http.response.code')) {
      result.http.responses += 1;
      add(result.http.status, status);
    }
  }
  result.frames_with_layer = sortKeys(result.frames_with_layer);
  result.vlan_ids = sortKeys(result.vlan_ids);
  result.conversations = {
    ip: conversations.ip.sorted(),
    ipv6: conversations.ipv6.sorted(),
    tcp: conversations.tcp.sorted(),
    udp: conversations.udp.sorted(),
  };
  result.dns.names = [...names.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  result.dns.qtypes = sortKeys(result.dns.qtypes);
  result.dns.response_rcodes = sortKeys(result.dns.response_rcodes);
  result.http.methods = sortKeys(result.http.methods);
  result.http.hosts = sortKeys(result.http.hosts);
  result.http.status = sortKeys(result.http.status);
  result.tls.server_names = sortKeys(result.tls.server_names);
  return result;
}

/**
 * The frame's own protocols: what follows ICMP is the packet that an ICMP error quotes.
 * @param {string[]} layers
 */
function wholeStack(layers) {
  const icmp = layers.findIndex((layer) => layer === 'icmp' || layer === 'icmpv6');
  return icmp < 0 ? layers : layers.slice(0, icmp + 1);
}

/**
 * Walks the frame's protocols from the outside; the n-th "ip" owns the n-th ip.src, and a transport belongs to the IP
 * header before it.
 * @param {Record<'ip' | 'ipv6' | 'tcp' | 'udp', Conversations>} conversations
 * @param {string[]} layers
 * @param {(field: string) => string[]} get
 * @param {number} length
 */
function addConversations(conversations, layers, get, length) {
  const seen = { ip: 0, ipv6: 0, tcp: 0, udp: 0 };
  let source = '';
  let destination = '';
  for (const layer of layers) {
    if (layer === 'ip' || layer === 'ipv6') {
      const index = seen[layer]++;
      source = get(`${layer}.src`)[index];
      destination = get(`${layer}.dst`)[index];
      conversations[layer].add(source, destination, length);
    } else if (layer === 'tcp' || layer === 'udp') {
      const index = seen[layer]++;
      const sourcePort = Number(get(`${layer}.srcport`)[index]);
      const destinationPort = Number(get(`${layer}.dstport`)[index]);
      conversations[layer].add(source, destination, length, sourcePort, destinationPort);
    }
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const paths = process.argv.slice(2);
  if (paths.length === 0 || tsharkVersion() === undefined) {
    console.error(paths.length === 0 ? 'usage: expected-from-tshark.js FILE...' : 'tshark is not installed');
    process.exit(2);
  }
  for (const path of paths) console.log(JSON.stringify(expectedFromTshark(path), null, 1));
}
