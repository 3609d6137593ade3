/**
 * DNS, HTTP and TLS of real captures against what tshark found in them, where the captures are at hand.
 *
 * The expected values were made with checksum verification on, which keeps tshark from reassembling what a host with
 * checksum offload captured of itself; tshark without it, and its protocol tree in the same file, agree with us.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { analyzeFrames, framesOf } from './application-testing.js';

const folder = fileURLToPath(new URL('../../../../../shared/corpus/', import.meta.url));

interface LayerNode {
  proto: string;
  frames: number;
  children?: LayerNode[];
}
interface Truth {
  protocol_hierarchy?: LayerNode[];
  dns: {
    queries: number;
    responses: number;
    names: { proto: string; kind: string; qname: string; count: number }[];
    response_rcodes: Record<string, number>;
  };
  http: {
    requests: number;
    responses: number;
    methods: Record<string, number>;
    hosts: Record<string, number>;
    status: Record<string, number>;
  };
}

/** Files whose values are for reference only. */
const damaged = /^(fuzz-|dns-zlip-|frag-|unsupported-|pcapng-invalid-|malformed_dns|dns-badlabel)|trunc/;
const rcodes: Record<string, string> = { NOERROR: '0', SERVFAIL: '2', NXDOMAIN: '3', REFUSED: '5' };

/** Where we differ on purpose. */
const httpDifferences: Record<string, Partial<Truth['http']>> = {
  // Bytes within one response were not captured. Its head and its length were: it is counted.
  'bro.org.pcap': { responses: 31, status: { '200': 31 } },
  'gtp1_gn_normal_incl_fragmentation.pcap': { responses: 1, status: { '206': 1 } },
  // Checksum offload: see above. Without verification tshark counts 118 responses and all 133 hosts.
  '1kxun.pcap': {
    responses: 118,
    status: { '200': 96, '100': 4, '302': 3, '502': 2, '101': 3, '301': 2, '404': 1, '500': 2, '204': 5 },
  },
};
const hostDifferences: Record<string, Record<string, number>> = {
  '1kxun.pcap': { 'de01.rayjump.com': 3, 'adx-tk.rayjump.com': 4 },
};
/** Frames: the two responses above end in a frame each. */
const httpFrameDifferences: Record<string, number> = { 'bro.org.pcap': 1, 'gtp1_gn_normal_incl_fragmentation.pcap': 1 };
/** Frames and bytes of tshark 4.0.17 -Y tls. In 1kxun its 443 flows without a TLS record count too (12 frames more). */
const tlsFrames: Record<string, readonly [number, number]> = {
  'http_ipv6.pcap': [43, 30_342],
  '6in4tunnel.pcap': [29, 19_053],
  'raw_packets.pcap': [3, 321],
  '1kxun.pcap': [37, 17_247],
};

const files = existsSync(folder)
  ? readdirSync(folder).filter((name) => existsSync(`${folder}${name}.truth.json`) && !damaged.test(name))
  : [];

/** tshark prints names as UTF-8, which the expected values took for Latin-1; the root is <Root> there. */
function nameOf(qname: string): string {
  if (qname === '<Root>') return '.';
  return new TextDecoder().decode(Uint8Array.from(qname, (c) => c.charCodeAt(0)));
}

/** Frames with the protocol, the topmost time it occurs in a branch. */
function framesWith(nodes: readonly LayerNode[], proto: string): number {
  return nodes.reduce(
    (sum, node) => sum + (node.proto === proto ? node.frames : framesWith(node.children ?? [], proto)),
    0,
  );
}

describe.skipIf(files.length === 0)('captures', () => {
  for (const name of files) {
    describe(name, () => {
      const truth = JSON.parse(readFileSync(`${folder}${name}.truth.json`, 'utf8')) as Truth;
      const result = analyzeFrames(framesOf(readFileSync(folder + name)));

      it('has the DNS messages that tshark finds', () => {
        const names = new Map<string, number>();
        for (const { kind, qname, count } of truth.dns.names) {
          if (kind === 'query') names.set(nameOf(qname), (names.get(nameOf(qname)) ?? 0) + count);
        }
        expect({
          queries: result.dns.queries,
          responses: result.dns.responses,
          names: new Map(result.dns.names.map((entry) => [entry.name, entry.count])),
          rcodes: Object.fromEntries(Object.entries(result.dns.rcodes).map(([code, n]) => [rcodes[code] ?? code, n])),
        }).toEqual({
          queries: truth.dns.queries,
          responses: truth.dns.responses,
          names,
          rcodes: truth.dns.response_rcodes,
        });
        for (const proto of ['dns', 'mdns', 'llmnr']) {
          const frames = framesWith(truth.protocol_hierarchy ?? [], proto);
          expect(result.dns.protocols[proto]?.packets ?? 0).toBe(frames);
        }
      });

      it('has the HTTP messages that tshark finds', () => {
        const { requests, responses, methods, hosts, statuses } = result.http;
        expect({
          requests,
          responses,
          methods,
          hosts: Object.fromEntries(hosts.map(({ host, count }) => [host, count])),
          status: statuses,
        }).toEqual({
          ...truth.http,
          ...httpDifferences[name],
          hosts: { ...truth.http.hosts, ...hostDifferences[name] },
        });
      });

      it('has the HTTP and TLS frames that tshark finds', () => {
        const http = framesWith(truth.protocol_hierarchy ?? [], 'http');
        if (name !== 'variant-04-te_cl_desync.pcap') {
          // Two messages in one frame are two nodes of the tree there.
          expect(result.http.protocols.http?.packets ?? 0).toBe(http + (httpFrameDifferences[name] ?? 0));
        }
        const tls = result.tls.protocols.tls;
        expect([tls?.packets ?? 0, tls?.bytes ?? 0]).toEqual(tlsFrames[name] ?? [0, 0]);
      });

      it('has rows that add up to the report', () => {
        const sum = (rows: readonly Record<string, string>[], column: string): number =>
          rows.reduce((total, row) => total + Number(row[column]), 0);
        expect(sum(result.dnsRows, 'queries')).toBe(result.dns.queries);
        expect(sum(result.dnsRows, 'responses')).toBe(result.dns.responses);
        // Rows also tell of messages whose end was not captured.
        expect(sum(result.httpRows, 'requests')).toBeGreaterThanOrEqual(result.http.requests);
        expect(sum(result.httpRows, 'responses')).toBeGreaterThanOrEqual(result.http.responses);
        expect(result.tlsRows.length).toBe(result.tls.client_hellos);
        expect(result.tracker.counters().connections).toBe(0);
        expect(result.tracker.budget.bytes).toBe(0);
      });
    });
  }

  it('takes damaged captures without complaint', () => {
    const names = readdirSync(folder).filter((name) => /\.pcap(ng)?$/.test(name) && damaged.test(name));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const result = analyzeFrames(framesOf(readFileSync(folder + name)));
      expect(result.tracker.counters().connections).toBe(0);
    }
  });
});
