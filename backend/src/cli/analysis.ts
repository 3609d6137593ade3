/** The answer of `netspectra analyze`: the engine's reports as the one JSON object that docs/analyze.md describes. */
import { CaptureDamage } from '@netspectra/collector';
import type { Time } from '../engine/accounting.js';
import type { RunResult } from '../engine/manager.js';
import { protocolName } from '../engine/protocol-name.js';
import type { CardinalityReport } from '../engine/tasks/cardinality.js';
import type { DnsReport } from '../engine/tasks/dns.js';
import type { FlowTaskReport } from '../engine/tasks/flow.js';
import type { FrequencyReport, TopEntry } from '../engine/tasks/frequency.js';
import type { HttpReport } from '../engine/tasks/http.js';
import type { TlsReport } from '../engine/tasks/tls.js';

/** What is counted distinct, and what is ranked, in this order. */
const distinctSubjects = ['client_ip', 'server_ip', 'src_ip', 'dst_ip', 'src_port', 'dst_port'] as const;
const topSubjects = ['src_ip', 'dst_ip', 'src_port', 'dst_port', 'protocol'] as const;

/** An object with these keys, in this order. */
function record<Key extends string, Value>(keys: readonly Key[], valueOf: (key: Key) => Value): Record<Key, Value> {
  return Object.fromEntries(keys.map((key) => [key, valueOf(key)])) as Record<Key, Value>;
}

interface PacketsBytes {
  packets: number;
  bytes: number;
}

export interface Analysis {
  file: string;
  packets: number;
  bytes: number;
  captured_bytes: number;
  first_timestamp: string | null;
  last_timestamp: string | null;
  duration_seconds: number;
  damage: { truncated_file: boolean; bad_packets: number; reasons: Record<string, number> };
  protocols: Record<string, PacketsBytes>;
  conversations: { tcp: number; udp: number };
  flows: AnalysisFlow[];
  cardinality: Record<(typeof distinctSubjects)[number], { estimate: number; lower: number; upper: number }>;
  top: Record<(typeof topSubjects)[number], TopEntry[]>;
  dns: { queries: number; responses: number; names: { name: string; count: number }[]; rcodes: Record<string, number> };
  http: {
    requests: number;
    responses: number;
    methods: Record<string, number>;
    hosts: { host: string; count: number }[];
    statuses: Record<string, number>;
  };
  tls: { client_hellos: number; server_names: { name: string; count: number }[] };
}

export interface AnalysisFlow {
  client: string;
  client_port: number;
  server: string;
  server_port: number;
  protocol: string;
  vlan: number | null;
  client_packets: number;
  client_bytes: number;
  server_packets: number;
  server_bytes: number;
  first: string;
  last: string;
  duration_seconds: number;
  tcp?: { rtt_ms: number | null; retransmissions: number; flags: string };
  application: string;
}

/** RFC 3339 in UTC with nine decimals. */
export function timeText(time: Time): string {
  return `${new Date(time.seconds * 1000).toISOString().slice(0, 19)}.${String(time.nanoseconds).padStart(9, '0')}Z`;
}

/** Seconds from a to b, exact to the nanosecond as far as a double can hold it. */
export function secondsBetween(a: Time, b: Time): number {
  return Number((b.seconds - a.seconds + (b.nanoseconds - a.nanoseconds) / 1e9).toFixed(9));
}

const flagLetters: readonly [number, string][] = [
  [1, 'F'],
  [2, 'S'],
  [4, 'R'],
  [8, 'P'],
  [16, 'A'],
  [32, 'U'],
  [64, 'E'],
  [128, 'C'],
  [256, 'N'],
];

/** TCP flags as letters, in the order of the header's bits: F S R P A U E C N. */
export const tcpFlagsText = (flags: number): string =>
  flagLetters
    .filter(([bit]) => (flags & bit) !== 0)
    .map(([, letter]) => letter)
    .join('');

/** Put the engine's reports together. */
export function toAnalysis(file: string, result: RunResult, top: number): Analysis {
  const { accounting, capture, tasks } = result;
  const flow = tasks.get('flow') as FlowTaskReport;
  const { cardinality } = tasks.get('cardinality') as CardinalityReport;
  const { top: frequency } = tasks.get('frequency') as FrequencyReport;
  const dns = tasks.get('dns') as DnsReport;
  const http = tasks.get('http') as HttpReport;
  const tls = tasks.get('tls') as TlsReport;
  const reasons = { ...capture.damageByName() };
  if (result.streamDamage) reasons[result.streamDamage.kind] = (reasons[result.streamDamage.kind] ?? 0) + 1;
  for (const [name, count] of Object.entries(accounting.reasons)) reasons[name] = (reasons[name] ?? 0) + count;
  const protocols = { ...accounting.protocols, ...dns.protocols, ...http.protocols, ...tls.protocols };
  return {
    file,
    packets: accounting.packets,
    bytes: accounting.bytes,
    captured_bytes: accounting.capturedBytes,
    first_timestamp: accounting.first ? timeText(accounting.first) : null,
    last_timestamp: accounting.last ? timeText(accounting.last) : null,
    duration_seconds: accounting.first && accounting.last ? secondsBetween(accounting.first, accounting.last) : 0,
    damage: {
      truncated_file: capture.damageCount(CaptureDamage.TruncatedFile) > 0,
      bad_packets: accounting.badPackets,
      reasons,
    },
    protocols,
    conversations: result.conversations,
    flows: flow.flows.slice(0, top).map((each) => {
      const first = { seconds: each.firstSeconds, nanoseconds: each.firstNanoseconds };
      const last = { seconds: each.lastSeconds, nanoseconds: each.lastNanoseconds };
      return {
        client: each.client,
        client_port: each.clientPort,
        server: each.server,
        server_port: each.serverPort,
        protocol: protocolName(each.protocol),
        vlan: each.vlan === 0 ? null : each.vlan,
        client_packets: each.clientPackets,
        client_bytes: each.clientBytes,
        server_packets: each.serverPackets,
        server_bytes: each.serverBytes,
        first: timeText(first),
        last: timeText(last),
        duration_seconds: secondsBetween(first, last),
        ...(each.protocol === 6 && {
          tcp: {
            rtt_ms: each.rttNanoseconds > 0 ? each.rttNanoseconds / 1e6 : null,
            retransmissions: each.retransmissions,
            flags: tcpFlagsText(each.tcpFlags),
          },
        }),
        application: each.application,
      };
    }),
    cardinality: record(distinctSubjects, (subject) => cardinality[subject] ?? { estimate: 0, lower: 0, upper: 0 }),
    top: record(topSubjects, (subject) => frequency[subject]?.slice(0, top) ?? []),
    dns: {
      queries: dns.queries,
      responses: dns.responses,
      names: [...dns.names.slice(0, top)],
      rcodes: { ...dns.rcodes },
    },
    http: {
      requests: http.requests,
      responses: http.responses,
      methods: { ...http.methods },
      hosts: [...http.hosts.slice(0, top)],
      statuses: { ...http.statuses },
    },
    tls: { client_hellos: tls.client_hellos, server_names: [...tls.server_names.slice(0, top)] },
  };
}
