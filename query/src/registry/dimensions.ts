/**
 * Dimensions: what queries group by, and what filters test. The id is the word used in the API, the filter language
 * and the answers. Adding one is adding an entry here.
 */
import { withRollups } from './rollups.js';
import { column, columnWhen, derived, directed } from './source.js';
import type { Source, Sources } from './source.js';
import type { QueryTable } from './tables.js';

/** How values look and compare; `enum` is a number with names (protocol). */
export type DimensionType = 'ip' | 'port' | 'number' | 'text' | 'enum';

/** Which names a number dimension goes by. */
export type NameTable =
  | 'protocol'
  | 'service'
  | 'ether_type'
  | 'end_reason'
  | 'asn'
  | 'traffic_direction'
  | 'icmp_type'
  | 'dscp'
  | 'tcp_flags';

export interface Dimension {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly type: DimensionType;
  /**
   * 'directed': a flow row has a value for each direction, so grouping by it (or filtering on it) makes the query one over
   * directed rows; see source.ts. 'flow': one value in a row.
   */
  readonly scope: 'flow' | 'directed';
  /** where it stands, by table; a query can be answered from a table that has all its dimensions */
  readonly sources: Sources;
  /** biggest value, for number, port and enum */
  readonly maximum?: number;
  /** names that stand for numbers */
  readonly names?: NameTable;
  /** other words for it in filters */
  readonly aliases?: readonly string[];
  /** may have so many values that listing them all makes no sense */
  readonly highCardinality?: true;
}

/** Protocols whose ports the decoder reads: TCP, UDP, SCTP. In rows of others the port columns are 0 and mean nothing. */
const hasPorts = 'protocol IN (6, 17, 132)';
const isIcmp = 'protocol IN (1, 58)';
const isTcp = 'protocol = 6';
const mappedFirst = "toIPv6('::ffff:0.0.0.0')";
const mappedLast = "toIPv6('::ffff:255.255.255.255')";

/** The same column in several tables. */
const everywhere = (name: string, ...tables: QueryTable[]): Sources =>
  Object.fromEntries(tables.map((table) => [table, column(name)]));

const transactions = ['dns', 'http', 'tls'] as const;
const portColumn = (name: string): Source => columnWhen(name, hasPorts, ['protocol']);

type Side = 'src' | 'dst' | 'client' | 'server';
type Sided<Name extends string, S extends Side> = Dimension & { readonly id: `${S}_${Name}` };
type Place = 'country' | 'asn' | 'as_name' | 'network';

/**
 * What is known about an address, for all four sides: columns client_NAME and server_NAME, written by the engine's
 * enrichment (docs/enrichment.md).
 */
function sided<Name extends Place>(
  name: Name,
  label: string,
  what: string,
  unknown: string,
  rest: Pick<Dimension, 'type' | 'maximum' | 'names' | 'highCardinality'>,
  aliases: readonly string[] = [],
): [Sided<Name, 'src'>, Sided<Name, 'dst'>, Sided<Name, 'client'>, Sided<Name, 'server'>] {
  const client = `client_${name}`;
  const server = `server_${name}`;
  const entry = <S extends Side>(side: S, word: string, who: string, sources: Sources): Sided<Name, S> => ({
    id: `${side}_${name}`,
    label: `${word} ${label}`,
    description: `${what} of the address that ${who}; ${unknown}.`,
    scope: side === 'src' || side === 'dst' ? 'directed' : 'flow',
    sources,
    aliases: aliases.map((alias) => `${side}_${alias}`),
    ...rest,
  });
  return [
    entry('src', 'Source', 'sent the bytes', {
      flows: directed(client, server),
      ...everywhere(client, ...transactions),
    }),
    entry('dst', 'Destination', 'received the bytes', {
      flows: directed(server, client),
      ...everywhere(server, ...transactions),
    }),
    entry('client', 'Client', 'began the flow', everywhere(client, 'flows', ...transactions)),
    entry('server', 'Server', 'answered', everywhere(server, 'flows', ...transactions)),
  ];
}

/** Code of traffic_direction: 2 when the sender is local, and 1 when the receiver is (names.ts has the names). */
const localSides = (from: string, to: string): string => `(${from} * 2 + ${to})`;

const listed = [
  {
    id: 'src_ip',
    label: 'Source address',
    description: 'Address that sent the bytes. On DNS, HTTP and TLS rows: who asked.',
    type: 'ip',
    scope: 'directed',
    sources: { flows: directed('client_ip', 'server_ip'), ...everywhere('client_ip', ...transactions) },
    aliases: ['src', 'source', 'src_host', 'source_ip', 'ip.src'],
    highCardinality: true,
  },
  {
    id: 'dst_ip',
    label: 'Destination address',
    description: 'Address that received the bytes. On DNS, HTTP and TLS rows: who was asked.',
    type: 'ip',
    scope: 'directed',
    sources: { flows: directed('server_ip', 'client_ip'), ...everywhere('server_ip', ...transactions) },
    aliases: ['dst', 'destination', 'dst_host', 'destination_ip', 'ip.dst'],
    highCardinality: true,
  },
  {
    id: 'src_port',
    label: 'Source port',
    description: 'Port of the sender (TCP, UDP, SCTP). Other protocols have none.',
    type: 'port',
    scope: 'directed',
    sources: {
      flows: directed('client_port', 'server_port', hasPorts, ['protocol']),
      ...everywhere('client_port', ...transactions),
    },
    maximum: 65535,
    names: 'service',
    aliases: ['source_port'],
  },
  {
    id: 'dst_port',
    label: 'Destination port',
    description: 'Port of the receiver (TCP, UDP, SCTP). Other protocols have none.',
    type: 'port',
    scope: 'directed',
    sources: {
      flows: directed('server_port', 'client_port', hasPorts, ['protocol']),
      ...everywhere('server_port', ...transactions),
    },
    maximum: 65535,
    names: 'service',
    aliases: ['destination_port'],
  },
  {
    id: 'client_ip',
    label: 'Client address',
    description: 'Address of the side that began the flow.',
    type: 'ip',
    scope: 'flow',
    sources: everywhere('client_ip', 'flows', ...transactions),
    aliases: ['client'],
    highCardinality: true,
  },
  {
    id: 'server_ip',
    label: 'Server address',
    description: 'Address of the side that answered.',
    type: 'ip',
    scope: 'flow',
    sources: everywhere('server_ip', 'flows', ...transactions),
    aliases: ['server'],
    highCardinality: true,
  },
  {
    id: 'client_port',
    label: 'Client port',
    description: 'Port of the side that began the flow (TCP, UDP, SCTP).',
    type: 'port',
    scope: 'flow',
    sources: { flows: portColumn('client_port'), ...everywhere('client_port', ...transactions) },
    maximum: 65535,
    names: 'service',
  },
  {
    id: 'server_port',
    label: 'Server port',
    description: 'Port of the side that answered (TCP, UDP, SCTP).',
    type: 'port',
    scope: 'flow',
    sources: { flows: portColumn('server_port'), ...everywhere('server_port', ...transactions) },
    maximum: 65535,
    names: 'service',
  },
  ...sided('country', 'country', 'Country (ISO 3166-1 alpha-2)', 'empty when unknown', { type: 'text' }),
  ...sided(
    'asn',
    'AS number',
    'Autonomous system number',
    '0 when unknown',
    { type: 'number', maximum: 4294967295, names: 'asn', highCardinality: true },
    ['as'],
  ),
  ...sided('as_name', 'AS name', 'Name of the autonomous system', 'empty when unknown', {
    type: 'text',
    highCardinality: true,
  }),
  ...sided('network', 'network', 'Configured network', 'empty when it is in none', { type: 'text' }, ['net_name']),
  {
    id: 'traffic_direction',
    label: 'Traffic direction',
    description: 'Seen from the local networks: in, out, internal (local to local) or external (neither end is local).',
    type: 'enum',
    scope: 'directed',
    sources: {
      flows: {
        scope: 'directed',
        client: localSides('client_local', 'server_local'),
        server: localSides('server_local', 'client_local'),
        columns: ['client_local', 'server_local'],
      },
      ...Object.fromEntries(
        transactions.map((table) => [
          table,
          derived(localSides('client_local', 'server_local'), ['client_local', 'server_local']),
        ]),
      ),
    },
    maximum: 3,
    names: 'traffic_direction',
  },
  {
    id: 'protocol',
    label: 'Protocol',
    description: 'IANA protocol number of the innermost IP header; frames without IP have none.',
    type: 'enum',
    scope: 'flow',
    sources: {
      ...everywhere('protocol', 'flows'),
      traffic: columnWhen('protocol', 'ip_version > 0', ['ip_version']),
    },
    maximum: 255,
    names: 'protocol',
    aliases: ['proto', 'ip_protocol', 'ip.proto'],
  },
  {
    id: 'ip_version',
    label: 'IP version',
    description: '4 or 6; in the frame counters 0 for frames without IP.',
    type: 'number',
    scope: 'flow',
    sources: {
      flows: derived(`if(client_ip >= ${mappedFirst} AND client_ip <= ${mappedLast}, 4, 6)`, ['client_ip']),
      traffic: column('ip_version'),
    },
    maximum: 15,
    aliases: ['ip.version'],
  },
  {
    id: 'ether_type',
    label: 'EtherType',
    description: 'EtherType of the network layer under VLAN tags; 0 when the frame has none.',
    type: 'enum',
    scope: 'flow',
    sources: everywhere('ether_type', 'traffic'),
    maximum: 65535,
    names: 'ether_type',
    aliases: ['eth.type', 'ethertype'],
  },
  {
    id: 'vlan',
    label: 'VLAN',
    description: 'Outermost 802.1Q VLAN id; 0 is untagged.',
    type: 'number',
    scope: 'flow',
    sources: everywhere('vlan', 'flows', 'traffic', 'tcp_health', ...transactions),
    maximum: 4095,
    aliases: ['vlan_id', 'vlan.id'],
  },
  {
    id: 'inner_vlan',
    label: 'Inner VLAN',
    description: 'Second VLAN id of a doubly tagged frame (QinQ); 0 when there is none.',
    type: 'number',
    scope: 'flow',
    sources: everywhere('inner_vlan', 'flows'),
    maximum: 4095,
  },
  {
    id: 'application',
    label: 'Application',
    description: 'Application protocol that was recognised; empty when unknown.',
    type: 'text',
    scope: 'flow',
    sources: everywhere('application', 'flows', 'traffic'),
    aliases: ['app'],
  },
  {
    id: 'tunnel_type',
    label: 'Tunnel',
    description: 'Tunnel the flow was carried in: gre, vxlan, geneve, ipip, gtpu, teredo; empty for none.',
    type: 'text',
    scope: 'flow',
    sources: everywhere('tunnel_type', 'flows'),
    aliases: ['tunnel'],
  },
  {
    id: 'tunnel_id',
    label: 'Tunnel id',
    description: 'VXLAN or GENEVE VNI, GRE key, GTP-U TEID of the innermost tunnel; 0 for none.',
    type: 'number',
    scope: 'flow',
    sources: everywhere('tunnel_id', 'flows'),
    maximum: 4294967295,
    aliases: ['vni', 'teid'],
    highCardinality: true,
  },
  {
    id: 'probe',
    label: 'Probe',
    description: 'Id of the capturing process.',
    type: 'text',
    scope: 'flow',
    sources: everywhere(
      'probe',
      'flows',
      'traffic',
      'tcp_health',
      'sketches',
      'top_keys',
      'probe_stats',
      ...transactions,
    ),
  },
  {
    id: 'flow_id',
    label: 'Flow id',
    description: 'Names one flow across its records; a decimal number written as text.',
    type: 'text',
    scope: 'flow',
    sources: Object.fromEntries(
      (['flows', ...transactions] as const).map((table) => [
        table,
        { ...derived('toString(flow_id)', ['flow_id']), number: 'flow_id' },
      ]),
    ),
    highCardinality: true,
  },
  {
    id: 'client_dscp',
    label: 'Client DSCP',
    description: 'Differentiated services code point of the packets the client sent, 0 to 63.',
    type: 'enum',
    scope: 'flow',
    sources: { flows: derived('bitShiftRight(client_traffic_class, 2)', ['client_traffic_class']) },
    maximum: 63,
    names: 'dscp',
    aliases: ['dscp'],
  },
  {
    id: 'client_tcp_flags',
    label: 'Client TCP flags',
    description:
      'All TCP flags the client sent, or-ed: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE 256.',
    type: 'enum',
    scope: 'flow',
    sources: { flows: columnWhen('client_tcp_flags', isTcp, ['protocol']) },
    maximum: 511,
    names: 'tcp_flags',
  },
  {
    id: 'server_tcp_flags',
    label: 'Server TCP flags',
    description: 'All TCP flags the server sent, or-ed; values as in client_tcp_flags.',
    type: 'enum',
    scope: 'flow',
    sources: { flows: columnWhen('server_tcp_flags', isTcp, ['protocol']) },
    maximum: 511,
    names: 'tcp_flags',
  },
  {
    id: 'icmp_type',
    label: 'ICMP type',
    description: 'ICMP or ICMPv6 type of the flow’s first packet. Other protocols have none.',
    type: 'enum',
    scope: 'flow',
    sources: { flows: columnWhen('icmp_type', isIcmp, ['protocol']) },
    maximum: 255,
    names: 'icmp_type',
    aliases: ['icmp.type'],
  },
  {
    id: 'icmp_code',
    label: 'ICMP code',
    description: 'ICMP or ICMPv6 code of the flow’s first packet. Other protocols have none.',
    type: 'number',
    scope: 'flow',
    sources: { flows: columnWhen('icmp_code', isIcmp, ['protocol']) },
    maximum: 255,
    aliases: ['icmp.code'],
  },
  {
    id: 'end_reason',
    label: 'End reason',
    description: 'Why the flow record ends: idle, active (it goes on), ended (FIN or RST), forced, no-resources.',
    type: 'enum',
    scope: 'flow',
    sources: everywhere('end_reason', 'flows'),
    maximum: 255,
    names: 'end_reason',
    aliases: ['flow_end_reason'],
  },
  {
    id: 'dns_name',
    label: 'DNS name',
    description: 'Name that was asked for.',
    type: 'text',
    scope: 'flow',
    sources: { dns: column('name') },
    aliases: ['dns.name', 'dns.qname', 'dns_query_name'],
    highCardinality: true,
  },
  {
    id: 'dns_type',
    label: 'DNS type',
    description: 'Record type that was asked for: A, AAAA, PTR ...',
    type: 'text',
    scope: 'flow',
    sources: { dns: column('type') },
    aliases: ['dns.type', 'dns.qtype'],
  },
  {
    id: 'dns_rcode',
    label: 'DNS response code',
    description: 'Response code by its IANA name: NOERROR, NXDOMAIN, SERVFAIL ...; empty when no answer was seen.',
    type: 'text',
    scope: 'flow',
    sources: { dns: column('rcode') },
    aliases: ['dns.rcode'],
  },
  {
    id: 'dns_transport',
    label: 'DNS transport',
    description: 'What carried the DNS message: udp or tcp.',
    type: 'text',
    scope: 'flow',
    sources: { dns: column('transport') },
    aliases: ['dns.transport'],
  },
  {
    id: 'dns_service',
    label: 'DNS service',
    description: 'Which kind of name service: dns, mdns ...',
    type: 'text',
    scope: 'flow',
    sources: { dns: column('service') },
    aliases: ['dns.service'],
  },
  {
    id: 'http_method',
    label: 'HTTP method',
    description: 'Request method; empty when only the response was seen.',
    type: 'text',
    scope: 'flow',
    sources: { http: column('method') },
    aliases: ['http.method'],
  },
  {
    id: 'http_host',
    label: 'HTTP host',
    description: 'Host header of the request.',
    type: 'text',
    scope: 'flow',
    sources: { http: column('host') },
    aliases: ['http.host'],
    highCardinality: true,
  },
  {
    id: 'http_path',
    label: 'HTTP path',
    description: 'Path and query of the request.',
    type: 'text',
    scope: 'flow',
    sources: { http: column('path') },
    aliases: ['http.path', 'http.uri', 'url_path'],
    highCardinality: true,
  },
  {
    id: 'http_status',
    label: 'HTTP status',
    description: 'Status code of the response; absent when none was seen.',
    type: 'number',
    scope: 'flow',
    sources: { http: columnWhen('status', 'responses > 0', ['responses']) },
    maximum: 999,
    aliases: ['http.status', 'http.code'],
  },
  {
    id: 'http_user_agent',
    label: 'HTTP user agent',
    description: 'User-Agent header of the request.',
    type: 'text',
    scope: 'flow',
    sources: { http: column('user_agent') },
    aliases: ['http.user_agent'],
    highCardinality: true,
  },
  {
    id: 'http_content_type',
    label: 'HTTP content type',
    description: 'Content-Type of the response.',
    type: 'text',
    scope: 'flow',
    sources: { http: column('content_type') },
    aliases: ['http.content_type'],
  },
  {
    id: 'tls_server_name',
    label: 'TLS server name',
    description: 'Server name (SNI) of the ClientHello; empty when it had none.',
    type: 'text',
    scope: 'flow',
    sources: { tls: column('server_name') },
    aliases: ['tls.server_name', 'tls.sni', 'sni'],
    highCardinality: true,
  },
  {
    id: 'tls_alpn',
    label: 'TLS ALPN',
    description: 'Application protocols the client offered, joined by commas in its order.',
    type: 'text',
    scope: 'flow',
    sources: { tls: derived("arrayStringConcat(alpn, ',')", ['alpn']) },
    aliases: ['tls.alpn'],
  },
  {
    id: 'tls_version',
    label: 'TLS version',
    description: 'Highest TLS version the client offered.',
    type: 'text',
    scope: 'flow',
    sources: { tls: column('version') },
    aliases: ['tls.version'],
  },
] as const satisfies readonly Dimension[];

export type DimensionId = (typeof listed)[number]['id'];

export const dimensions = listed.map((dimension: Dimension): Dimension => ({
  ...dimension,
  sources: withRollups(dimension.sources),
})) as readonly (Dimension & { readonly id: DimensionId })[];

const byId: ReadonlyMap<string, Dimension> = new Map(dimensions.map((dimension) => [dimension.id, dimension]));

/** The dimension of this id, or undefined when there is none. Aliases are words of the filter language only. */
export function findDimension(id: string): Dimension | undefined {
  return byId.get(id);
}

/** True when the text is a dimension id. */
export function isDimensionId(id: string): id is DimensionId {
  return byId.has(id);
}
