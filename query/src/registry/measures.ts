/**
 * Measures: what queries compute. The id is the word used in the API and in answers; the unit stands here. A measure
 * tells from which columns it is computed in each table that can give it; how the SQL is put together is the planner's.
 *
 * Sums read counters by direction: over directed rows (see source.ts) only the sending side's counter counts, over plain
 * rows client and server are added. A counter that belongs to a flow as a whole (new_flows) is on the client's side, so
 * that it is counted once and `new_flows` by `src_ip` says who opened them.
 */
import type { DimensionId } from './dimensions.js';
import { column, derived, directed } from './source.js';
import type { DirectedSource, FlowSource, Source, Sources } from './source.js';
import { rollupTables, withRollups } from './rollups.js';
import { queryTableNames } from './tables.js';
import type { QueryTable } from './tables.js';
import type { Unit } from './units.js';

interface MeasureBase {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly unit: Unit;
}

/** sum of a counter; add DirectedSource sides when rows are not directed */
export interface SumMeasure extends MeasureBase {
  readonly kind: 'sum';
  readonly sources: Sources;
}

/** sum of another measure, times `factor`, per second of the bucket (timeseries) or of the whole range (table) */
export interface RateMeasure extends MeasureBase {
  readonly kind: 'rate';
  readonly of: string;
  readonly factor: number;
}

/**
 * The value that a share `level` of a group's rates do not exceed. The range (timeseries: the bucket) is cut into samples
 * of equal width, empty ones counting as 0, and the rate of each is taken: level 1 is the peak, 0.95 what transit is billed
 * by (the highest 5 % of samples are left out). How wide a sample is, the planner says (docs/query-language.md).
 */
export interface RateQuantileMeasure extends MeasureBase {
  readonly kind: 'rate_quantile';
  readonly of: string;
  readonly factor: number;
  /** 0..1, a whole number of percent */
  readonly level: number;
}

/** a group's part of the sum over all groups of the query (timeseries: of the bucket), 0..1 */
export interface ShareMeasure extends MeasureBase {
  readonly kind: 'share';
  readonly of: string;
}

/** sum by sum; null where the denominator is 0 */
export interface RatioMeasure extends MeasureBase {
  readonly kind: 'ratio';
  readonly numerator: string;
  readonly denominator: string;
}

/** number of different values */
export interface DistinctMeasure extends MeasureBase {
  readonly kind: 'distinct';
  /** what is counted, exactly, in tables that hold it */
  readonly sources: Sources;
  /** `subject` of the HyperLogLog rows in `sketches` that estimate the same */
  readonly sketchSubject?: DimensionId;
}

/** mean of a value: sum(total) / sum(count); null without samples */
export interface AverageMeasure extends MeasureBase {
  readonly kind: 'average';
  readonly sources: Readonly<Partial<Record<QueryTable, { readonly total: FlowSource; readonly count: FlowSource }>>>;
}

/**
 * Array column in which element i (from 0) counts values in [2^i, 2^(i+1)) * `unitNanoseconds`; the first and last
 * element also take what lies below and above. Merged with sumForEach; a quantile is known to one bucket only.
 */
export interface HistogramSource {
  readonly histogram: string;
  readonly columns: readonly string[];
  readonly unitNanoseconds: number;
}

/** quantile of a value; null without samples */
export interface QuantileMeasure extends MeasureBase {
  readonly kind: 'quantile';
  /** 0..1 */
  readonly level: number;
  /** rows whose value is absent (presentWhen) do not take part */
  readonly sources: Readonly<Partial<Record<QueryTable, FlowSource | HistogramSource>>>;
}

export type Measure =
  | SumMeasure
  | RateMeasure
  | RateQuantileMeasure
  | ShareMeasure
  | RatioMeasure
  | DistinctMeasure
  | AverageMeasure
  | QuantileMeasure;
export type MeasureKind = Measure['kind'];

const tcpOnly = (client: string, server: string): DirectedSource => ({
  scope: 'directed',
  client: `if(protocol = 6, ${client}, 0)`,
  server: `if(protocol = 6, ${server}, 0)`,
  columns: [client, server, 'protocol'],
});

/** A counter of the whole flow: stands on the client's side only. */
const onClientSide = (expression: string, columns: readonly string[]): DirectedSource => ({
  scope: 'directed',
  client: expression,
  server: '0',
  columns,
});

const flagCount = (bit: number): DirectedSource => ({
  scope: 'directed',
  client: `toUInt64(bitAnd(client_tcp_flags, ${bit}) != 0)`,
  server: `toUInt64(bitAnd(server_tcp_flags, ${bit}) != 0)`,
  columns: ['client_tcp_flags', 'server_tcp_flags'],
});

/**
 * Packets that another probe had brought already stand in rows of their own, which count nothing else (engine.duplicates).
 * A measure that names these columns sees such rows also when it is asked for by direction.
 */
const duplicatePackets = ['client_duplicate_packets', 'server_duplicate_packets'] as const;

const measuredRtt = derived('rtt_ns', ['rtt_ns'], 'rtt_ns > 0');
const rttHistogram: HistogramSource = { histogram: 'rtt_histogram', columns: ['rtt_histogram'], unitNanoseconds: 1000 };
const answered = 'queries > 0 AND responses > 0';
const replied = 'requests > 0 AND responses > 0';
const dnsLatency = derived('latency_ns', ['latency_ns', 'queries', 'responses'], answered);
const httpLatency = derived('latency_ns', ['latency_ns', 'requests', 'responses'], replied);
const averageOf = (value: string, condition: string, columns: readonly string[]) => ({
  total: derived(`if(${condition}, ${value}, 0)`, columns),
  count: derived(`toUInt64(${condition})`, columns),
});

/** A value's quantiles as one measure each. */
const quantiles = <Id extends string>(
  what: string,
  description: string,
  sources: QuantileMeasure['sources'],
  levels: readonly (readonly [Id, number, string])[],
): (QuantileMeasure & { readonly id: Id })[] =>
  levels.map(([id, level, name]) => ({
    id,
    label: `${what}, ${name}`,
    description: `${description}, ${name}.`,
    unit: 'ns',
    kind: 'quantile',
    level,
    sources,
  }));

const listed = [
  {
    id: 'packets',
    label: 'Packets',
    description: 'Packets captured.',
    unit: 'short',
    kind: 'sum',
    sources: { flows: directed('client_packets', 'server_packets'), traffic: column('packets') },
  },
  {
    id: 'bytes',
    label: 'Bytes',
    description: 'Bytes on the wire, frame headers included.',
    unit: 'bytes',
    kind: 'sum',
    sources: { flows: directed('client_bytes', 'server_bytes'), traffic: column('bytes') },
  },
  {
    id: 'client_packets',
    label: 'Client packets',
    description: 'Packets sent by the side that began the flow.',
    unit: 'short',
    kind: 'sum',
    sources: { flows: onClientSide('client_packets', ['client_packets']) },
  },
  {
    id: 'client_bytes',
    label: 'Client bytes',
    description: 'Bytes sent by the side that began the flow.',
    unit: 'bytes',
    kind: 'sum',
    sources: { flows: onClientSide('client_bytes', ['client_bytes']) },
  },
  {
    id: 'server_packets',
    label: 'Server packets',
    description: 'Packets sent by the side that answered.',
    unit: 'short',
    kind: 'sum',
    sources: {
      flows: { scope: 'directed', client: '0', server: 'server_packets', columns: ['server_packets'] },
    },
  },
  {
    id: 'server_bytes',
    label: 'Server bytes',
    description: 'Bytes sent by the side that answered.',
    unit: 'bytes',
    kind: 'sum',
    sources: { flows: { scope: 'directed', client: '0', server: 'server_bytes', columns: ['server_bytes'] } },
  },
  {
    id: 'flows',
    label: 'Flows',
    description: 'Different flows that were active.',
    unit: 'short',
    kind: 'distinct',
    sources: {
      flows: derived('flow_id', ['flow_id', ...duplicatePackets], `${duplicatePackets.join(' + ')} = 0`),
      dns: column('flow_id'),
      http: column('flow_id'),
      tls: column('flow_id'),
    },
  },
  {
    id: 'new_flows',
    label: 'New flows',
    description: 'Flows that began.',
    unit: 'short',
    kind: 'sum',
    sources: { flows: onClientSide('new_flow', ['new_flow']) },
  },
  {
    id: 'packets_per_second',
    label: 'Packets/s',
    description: 'Packets per second.',
    unit: 'pps',
    kind: 'rate',
    of: 'packets',
    factor: 1,
  },
  {
    id: 'bits_per_second',
    label: 'Bits/s',
    description: 'Bits on the wire per second.',
    unit: 'bps',
    kind: 'rate',
    of: 'bytes',
    factor: 8,
  },
  {
    id: 'flows_per_second',
    label: 'New flows/s',
    description: 'Flows that began, per second.',
    unit: 'cps',
    kind: 'rate',
    of: 'new_flows',
    factor: 1,
  },
  {
    id: 'bits_per_second_p95',
    label: 'Bits/s, 95th percentile',
    description: 'Bits per second that 95 % of the samples of the range do not exceed, as transit is billed.',
    unit: 'bps',
    kind: 'rate_quantile',
    of: 'bytes',
    factor: 8,
    level: 0.95,
  },
  {
    id: 'bits_per_second_max',
    label: 'Bits/s, peak',
    description: 'Bits per second in the busiest sample of the range.',
    unit: 'bps',
    kind: 'rate_quantile',
    of: 'bytes',
    factor: 8,
    level: 1,
  },
  {
    id: 'packets_per_second_p95',
    label: 'Packets/s, 95th percentile',
    description: 'Packets per second that 95 % of the samples of the range do not exceed.',
    unit: 'pps',
    kind: 'rate_quantile',
    of: 'packets',
    factor: 1,
    level: 0.95,
  },
  {
    id: 'packets_per_second_max',
    label: 'Packets/s, peak',
    description: 'Packets per second in the busiest sample of the range.',
    unit: 'pps',
    kind: 'rate_quantile',
    of: 'packets',
    factor: 1,
    level: 1,
  },
  {
    id: 'flows_per_second_max',
    label: 'New flows/s, peak',
    description: 'Flows that began per second, in the busiest sample of the range.',
    unit: 'cps',
    kind: 'rate_quantile',
    of: 'new_flows',
    factor: 1,
    level: 1,
  },
  {
    id: 'bytes_share',
    label: 'Share of bytes',
    description: 'Share of all bytes that the query counts.',
    unit: 'percentunit',
    kind: 'share',
    of: 'bytes',
  },
  {
    id: 'packets_share',
    label: 'Share of packets',
    description: 'Share of all packets that the query counts.',
    unit: 'percentunit',
    kind: 'share',
    of: 'packets',
  },
  {
    id: 'packet_size_avg',
    label: 'Packet size, mean',
    description: 'Bytes on the wire of a packet, mean.',
    unit: 'bytes',
    kind: 'ratio',
    numerator: 'bytes',
    denominator: 'packets',
  },
  {
    id: 'distinct_src_ip',
    label: 'Distinct sources',
    description: 'Different addresses that sent something.',
    unit: 'short',
    kind: 'distinct',
    sources: { flows: directed('client_ip', 'server_ip') },
    sketchSubject: 'src_ip',
  },
  {
    id: 'distinct_dst_ip',
    label: 'Distinct destinations',
    description: 'Different addresses that something was sent to.',
    unit: 'short',
    kind: 'distinct',
    sources: { flows: directed('server_ip', 'client_ip') },
    sketchSubject: 'dst_ip',
  },
  {
    id: 'distinct_client_ip',
    label: 'Distinct clients',
    description: 'Different addresses that began flows.',
    unit: 'short',
    kind: 'distinct',
    sources: {
      flows: column('client_ip'),
      dns: column('client_ip'),
      http: column('client_ip'),
      tls: column('client_ip'),
    },
    sketchSubject: 'client_ip',
  },
  {
    id: 'distinct_server_ip',
    label: 'Distinct servers',
    description: 'Different addresses that flows were opened to.',
    unit: 'short',
    kind: 'distinct',
    sources: {
      flows: column('server_ip'),
      dns: column('server_ip'),
      http: column('server_ip'),
      tls: column('server_ip'),
    },
    sketchSubject: 'server_ip',
  },
  {
    id: 'distinct_server_port',
    label: 'Distinct server ports',
    description: 'Different server ports (TCP, UDP, SCTP).',
    unit: 'short',
    kind: 'distinct',
    sources: { flows: derived('server_port', ['server_port', 'protocol'], 'protocol IN (6, 17, 132)') },
    sketchSubject: 'server_port',
  },
  {
    id: 'tcp_packets',
    label: 'TCP packets',
    description: 'Packets with TCP as the innermost transport.',
    unit: 'short',
    kind: 'sum',
    sources: { flows: tcpOnly('client_packets', 'server_packets'), tcp_health: column('tcp_packets') },
  },
  {
    id: 'tcp_bytes',
    label: 'TCP bytes',
    description: 'Bytes on the wire of those packets.',
    unit: 'bytes',
    kind: 'sum',
    sources: { flows: tcpOnly('client_bytes', 'server_bytes'), tcp_health: column('tcp_bytes') },
  },
  {
    id: 'tcp_syn',
    label: 'TCP SYN',
    description: 'TCP segments with SYN and without ACK.',
    unit: 'short',
    kind: 'sum',
    sources: { tcp_health: column('syn') },
  },
  {
    id: 'tcp_syn_ack',
    label: 'TCP SYN+ACK',
    description: 'TCP segments with SYN and ACK.',
    unit: 'short',
    kind: 'sum',
    sources: { tcp_health: column('syn_ack') },
  },
  {
    id: 'tcp_fin',
    label: 'TCP FIN',
    description: 'TCP segments with FIN.',
    unit: 'short',
    kind: 'sum',
    sources: { tcp_health: column('fin') },
  },
  {
    id: 'tcp_rst',
    label: 'TCP resets',
    description: 'TCP segments with RST.',
    unit: 'short',
    kind: 'sum',
    sources: { tcp_health: column('rst') },
  },
  {
    id: 'tcp_reset_flows',
    label: 'Reset flow records',
    description: 'Sides of flow records that sent at least one RST.',
    unit: 'short',
    kind: 'sum',
    sources: { flows: flagCount(4) },
  },
  {
    id: 'retransmissions',
    label: 'Retransmissions',
    description: 'TCP segments whose bytes had been seen before.',
    unit: 'short',
    kind: 'sum',
    sources: {
      flows: directed('client_retransmissions', 'server_retransmissions'),
      tcp_health: column('retransmissions'),
    },
  },
  {
    id: 'retransmission_ratio',
    label: 'Retransmission ratio',
    description: 'Share of TCP packets that were retransmissions.',
    unit: 'percentunit',
    kind: 'ratio',
    numerator: 'retransmissions',
    denominator: 'tcp_packets',
  },
  {
    id: 'out_of_order',
    label: 'Out of order',
    description: 'TCP segments that filled a hole left behind.',
    unit: 'short',
    kind: 'sum',
    sources: { flows: directed('client_out_of_order', 'server_out_of_order'), tcp_health: column('out_of_order') },
  },
  {
    id: 'zero_windows',
    label: 'Zero windows',
    description: 'TCP segments that announced a receive window of 0.',
    unit: 'short',
    kind: 'sum',
    sources: { flows: directed('client_zero_windows', 'server_zero_windows'), tcp_health: column('zero_windows') },
  },
  {
    id: 'out_of_order_ratio',
    label: 'Out of order ratio',
    description: 'Share of TCP packets that filled a hole left behind.',
    unit: 'percentunit',
    kind: 'ratio',
    numerator: 'out_of_order',
    denominator: 'tcp_packets',
  },
  {
    id: 'zero_window_ratio',
    label: 'Zero window ratio',
    description: 'Share of TCP packets that announced a receive window of 0.',
    unit: 'percentunit',
    kind: 'ratio',
    numerator: 'zero_windows',
    denominator: 'tcp_packets',
  },
  {
    id: 'tcp_reset_ratio',
    label: 'TCP reset ratio',
    description: 'Share of TCP packets with RST.',
    unit: 'percentunit',
    kind: 'ratio',
    numerator: 'tcp_rst',
    denominator: 'tcp_packets',
  },
  {
    id: 'rtt_avg',
    label: 'RTT, mean',
    description: 'TCP round trip time measured in the handshake, mean.',
    unit: 'ns',
    kind: 'average',
    sources: {
      flows: averageOf('rtt_ns', 'rtt_ns > 0', ['rtt_ns']),
      ...Object.fromEntries(
        (['tcp_health', ...rollupTables] as const).map((table) => [
          table,
          { total: column('rtt_sum_ns'), count: column('rtt_count') },
        ]),
      ),
    },
  },
  ...quantiles(
    'RTT',
    'TCP round trip time measured in the handshake',
    { flows: measuredRtt, tcp_health: rttHistogram },
    [
      ['rtt_p50', 0.5, 'median'],
      ['rtt_p95', 0.95, '95th percentile'],
      ['rtt_p99', 0.99, '99th percentile'],
    ],
  ),
  {
    id: 'dns_queries',
    label: 'DNS queries',
    description: 'DNS queries.',
    unit: 'short',
    kind: 'sum',
    sources: { dns: column('queries') },
  },
  {
    id: 'dns_responses',
    label: 'DNS responses',
    description: 'DNS responses.',
    unit: 'short',
    kind: 'sum',
    sources: { dns: column('responses') },
  },
  {
    id: 'dns_errors',
    label: 'DNS errors',
    description: 'DNS responses whose code is not NOERROR.',
    unit: 'short',
    kind: 'sum',
    sources: { dns: derived("if(upper(rcode) IN ('', 'NOERROR'), 0, responses)", ['rcode', 'responses']) },
  },
  {
    id: 'dns_unanswered',
    label: 'DNS unanswered',
    description: 'DNS queries that got no response in time.',
    unit: 'short',
    kind: 'sum',
    sources: { dns: derived('if(responses = 0, queries, 0)', ['queries', 'responses']) },
  },
  {
    id: 'dns_error_ratio',
    label: 'DNS error ratio',
    description: 'Share of DNS responses whose code is not NOERROR.',
    unit: 'percentunit',
    kind: 'ratio',
    numerator: 'dns_errors',
    denominator: 'dns_responses',
  },
  {
    id: 'dns_unanswered_ratio',
    label: 'DNS unanswered ratio',
    description: 'Share of DNS queries that got no response in time.',
    unit: 'percentunit',
    kind: 'ratio',
    numerator: 'dns_unanswered',
    denominator: 'dns_queries',
  },
  {
    id: 'dns_latency_avg',
    label: 'DNS latency, mean',
    description: 'Time from DNS query to response, mean.',
    unit: 'ns',
    kind: 'average',
    sources: { dns: averageOf('latency_ns', answered, ['latency_ns', 'queries', 'responses']) },
  },
  ...quantiles('DNS latency', 'Time from DNS query to response', { dns: dnsLatency }, [
    ['dns_latency_p50', 0.5, 'median'],
    ['dns_latency_p95', 0.95, '95th percentile'],
    ['dns_latency_p99', 0.99, '99th percentile'],
  ]),
  {
    id: 'distinct_dns_name',
    label: 'Distinct DNS names',
    description: 'Different names asked for.',
    unit: 'short',
    kind: 'distinct',
    sources: { dns: column('name') },
  },
  {
    id: 'http_requests',
    label: 'HTTP requests',
    description: 'HTTP/1.x requests.',
    unit: 'short',
    kind: 'sum',
    sources: { http: column('requests') },
  },
  {
    id: 'http_responses',
    label: 'HTTP responses',
    description: 'HTTP/1.x responses.',
    unit: 'short',
    kind: 'sum',
    sources: { http: column('responses') },
  },
  {
    id: 'http_errors',
    label: 'HTTP errors',
    description: 'HTTP responses with a status of 400 or more.',
    unit: 'short',
    kind: 'sum',
    sources: { http: derived('if(status >= 400, responses, 0)', ['status', 'responses']) },
  },
  {
    id: 'http_error_ratio',
    label: 'HTTP error ratio',
    description: 'Share of HTTP responses with a status of 400 or more.',
    unit: 'percentunit',
    kind: 'ratio',
    numerator: 'http_errors',
    denominator: 'http_responses',
  },
  {
    id: 'http_server_errors',
    label: 'HTTP server errors',
    description: 'HTTP responses with a status of 500 or more.',
    unit: 'short',
    kind: 'sum',
    sources: { http: derived('if(status >= 500, responses, 0)', ['status', 'responses']) },
  },
  {
    id: 'http_server_error_ratio',
    label: 'HTTP server error ratio',
    description: 'Share of HTTP responses with a status of 500 or more.',
    unit: 'percentunit',
    kind: 'ratio',
    numerator: 'http_server_errors',
    denominator: 'http_responses',
  },
  {
    id: 'http_request_bytes',
    label: 'HTTP request bytes',
    description: 'Body bytes of HTTP requests.',
    unit: 'bytes',
    kind: 'sum',
    sources: { http: column('request_bytes') },
  },
  {
    id: 'http_response_bytes',
    label: 'HTTP response bytes',
    description: 'Body bytes of HTTP responses.',
    unit: 'bytes',
    kind: 'sum',
    sources: { http: column('response_bytes') },
  },
  {
    id: 'http_latency_avg',
    label: 'HTTP latency, mean',
    description: 'Time from HTTP request to response, mean.',
    unit: 'ns',
    kind: 'average',
    sources: { http: averageOf('latency_ns', replied, ['latency_ns', 'requests', 'responses']) },
  },
  ...quantiles('HTTP latency', 'Time from HTTP request to response', { http: httpLatency }, [
    ['http_latency_p50', 0.5, 'median'],
    ['http_latency_p95', 0.95, '95th percentile'],
    ['http_latency_p99', 0.99, '99th percentile'],
  ]),
  {
    id: 'tls_client_hellos',
    label: 'TLS handshakes begun',
    description: 'TLS ClientHello messages.',
    unit: 'short',
    kind: 'sum',
    sources: { tls: derived('toUInt64(1)', []) },
  },
  {
    id: 'distinct_tls_server_name',
    label: 'Distinct TLS server names',
    description: 'Different server names (SNI), without those that gave none.',
    unit: 'short',
    kind: 'distinct',
    sources: { tls: derived('server_name', ['server_name'], "server_name != ''") },
  },
  {
    id: 'probe_packets',
    label: 'Probe: packets',
    description: 'Packets that probes handed on.',
    unit: 'short',
    kind: 'sum',
    sources: { probe_stats: column('packets') },
  },
  {
    id: 'probe_kernel_dropped',
    label: 'Probe: dropped by the kernel',
    description: 'Packets the kernel dropped before the probe saw them.',
    unit: 'short',
    kind: 'sum',
    sources: { probe_stats: column('kernel_dropped') },
  },
  {
    id: 'probe_undecodable',
    label: 'Probe: undecodable',
    description: 'Packets that could not be decoded.',
    unit: 'short',
    kind: 'sum',
    sources: { probe_stats: column('undecodable') },
  },
  {
    id: 'probe_filtered',
    label: 'Probe: filtered out',
    description: 'Packets the capture filter left out.',
    unit: 'short',
    kind: 'sum',
    sources: { probe_stats: column('filtered') },
  },
  {
    id: 'duplicate_packets',
    label: 'Duplicate packets',
    description: 'Packets that another probe had brought already; they count in no other measure of traffic.',
    unit: 'short',
    kind: 'sum',
    sources: { flows: directed(...duplicatePackets), probe_stats: column('duplicate_packets') },
  },
  {
    id: 'duplicate_bytes',
    label: 'Duplicate bytes',
    description: 'Bytes on the wire of those packets.',
    unit: 'bytes',
    kind: 'sum',
    sources: {
      flows: directed('client_duplicate_bytes', 'server_duplicate_bytes', undefined, duplicatePackets),
      probe_stats: column('duplicate_bytes'),
    },
  },
  {
    id: 'distinct_probe',
    label: 'Distinct probes',
    description: 'Different probes that saw packets of it, whichever of them they were counted for.',
    unit: 'short',
    kind: 'distinct',
    sources: { flows: derived('probe', ['probe', ...duplicatePackets]), probe_stats: column('probe') },
  },
  {
    id: 'late_packets',
    label: 'Late packets',
    description: 'Packets that came after their window was written; they are counted in it all the same.',
    unit: 'short',
    kind: 'sum',
    sources: { probe_stats: column('late_packets') },
  },
  {
    id: 'folded_flows',
    label: 'Folded flows',
    description: 'Flows folded into "other" because the flow table was full.',
    unit: 'short',
    kind: 'sum',
    sources: { probe_stats: column('flows_folded') },
  },
] as const satisfies readonly Measure[];

export type MeasureId = (typeof listed)[number]['id'];

/** What adds up over flow records adds up over their rollups. */
function overRollups(measure: Measure): Measure {
  if (measure.kind === 'sum') return { ...measure, sources: withRollups(measure.sources) };
  const parts = measure.kind === 'average' ? measure.sources.flows : undefined;
  if (measure.kind !== 'average' || !parts) return measure;
  const total = withRollups({ flows: parts.total });
  const count = withRollups({ flows: parts.count });
  const added = rollupTables.flatMap((table) => {
    const of = { total: total[table], count: count[table] };
    return of.total?.scope === 'flow' && of.count?.scope === 'flow' ? [[table, of] as const] : [];
  });
  return { ...measure, sources: { ...Object.fromEntries(added), ...measure.sources } };
}

export const measures = listed.map(overRollups) as readonly (Measure & { readonly id: MeasureId })[];

const byId: ReadonlyMap<string, Measure> = new Map(measures.map((measure) => [measure.id, measure]));

/** The measure of this id, or undefined when there is none. */
export function findMeasure(id: string): Measure | undefined {
  return byId.get(id);
}

/** True when the text is a measure id. */
export function isMeasureId(id: string): id is MeasureId {
  return byId.has(id);
}

function summandIds(measure: Measure): string[] {
  switch (measure.kind) {
    case 'sum':
      return [measure.id];
    case 'rate':
    case 'rate_quantile':
    case 'share':
      return [measure.of];
    case 'ratio':
      return [measure.numerator, measure.denominator];
    default:
      return [];
  }
}

/** The measures whose sums a measure is made of: itself for a sum, one for a rate or share, two for a ratio, else none. */
export function summands(measure: Measure): SumMeasure[] {
  return summandIds(measure).map((id) => {
    const found = byId.get(id);
    if (found?.kind !== 'sum') throw new Error(`measure ${measure.id}: ${id} is not a sum`);
    return found;
  });
}

/**
 * The tables of which each row can answer this measure alone, cheapest first. `sketches` is among them for a distinct
 * count that has a sketch; whether the engine was configured to keep it, the planner must see.
 */
export function measureTables(measure: Measure): QueryTable[] {
  const parts = summands(measure);
  const has = (table: QueryTable): boolean => {
    if (parts.length > 0) return parts.every((part) => table in part.sources);
    if (table === 'sketches') return measure.kind === 'distinct' && measure.sketchSubject !== undefined;
    return 'sources' in measure && table in measure.sources;
  };
  return queryTableNames.filter(has);
}

/** True when the measure's value depends on which direction of a flow is looked at (its source has two sides). */
export function isDirectedMeasure(measure: Measure, table: QueryTable): boolean {
  if (measure.kind !== 'distinct') return false; // sums read both sides of a plain row
  const source: Source | undefined = measure.sources[table];
  return source?.scope === 'directed';
}
