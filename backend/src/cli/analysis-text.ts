/** An analysis for people, on a terminal. */
import type { Analysis, AnalysisFlow } from './analysis.js';
import { columns, grouped, scaled } from './text.js';

const share = (part: number, whole: number): string => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : '');
const endpoint = (address: string, port: number): string =>
  port === 0 ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

function flowRow(flow: AnalysisFlow): string[] {
  const loss = flow.tcp && flow.tcp.retransmissions > 0 ? `${flow.tcp.retransmissions} retransmitted` : '';
  const rtt = flow.tcp && flow.tcp.rtt_ms !== null ? `${flow.tcp.rtt_ms.toFixed(2)} ms` : '';
  return [
    endpoint(flow.client, flow.client_port),
    endpoint(flow.server, flow.server_port),
    flow.protocol,
    flow.application,
    scaled(flow.client_bytes, 'B'),
    scaled(flow.server_bytes, 'B'),
    rtt,
    loss,
  ];
}

/** Everything a reader wants at a glance; sections without content are left out. */
export function analysisText(analysis: Analysis): string {
  const parts: string[] = [];
  const section = (title: string, body: string): void => {
    parts.push(`${title}\n${body.replace(/^/gm, '  ')}`);
  };
  const seconds = analysis.duration_seconds;
  const rates =
    seconds > 0
      ? `, ${scaled(analysis.packets / seconds, 'packets/s')}, ${scaled((analysis.bytes * 8) / seconds, 'bit/s')}`
      : '';
  parts.push(
    `${analysis.file}: ${grouped(analysis.packets)} packets, ${grouped(analysis.bytes)} bytes on the wire` +
      (analysis.first_timestamp
        ? `\n${analysis.first_timestamp} .. ${analysis.last_timestamp} (${seconds.toFixed(3)} s${rates})`
        : ''),
  );
  const protocols = Object.entries(analysis.protocols);
  if (protocols.length > 0) {
    section(
      'Protocols',
      columns(
        [
          ['protocol', 'packets', 'bytes', 'of bytes'],
          ...protocols.map(([name, { packets, bytes }]) => [
            name,
            grouped(packets),
            grouped(bytes),
            share(bytes, analysis.bytes),
          ]),
        ],
        [1, 2, 3],
      ),
    );
  }
  if (analysis.flows.length > 0) {
    section(
      `Biggest flows (of ${grouped(analysis.conversations.tcp)} TCP and ${grouped(analysis.conversations.udp)} UDP conversations)`,
      columns(
        [
          ['client', 'server', 'protocol', 'application', 'from client', 'from server', 'rtt', ''],
          ...analysis.flows.map(flowRow),
        ],
        [4, 5, 6],
      ),
    );
  }
  const tops = Object.entries(analysis.top).filter(([, entries]) => entries.length > 0);
  for (const [name, entries] of tops) {
    section(
      `Top ${name}`,
      columns(
        [
          [name, 'packets', 'bytes', 'of bytes'],
          ...entries.map((entry) => [
            entry.key,
            grouped(entry.packets),
            entry.lower === entry.upper ? grouped(entry.bytes) : `${grouped(entry.lower)}..${grouped(entry.upper)}`,
            share(entry.bytes, analysis.bytes),
          ]),
        ],
        [1, 2, 3],
      ),
    );
  }
  const distinct = Object.entries(analysis.cardinality).filter(([, { estimate }]) => estimate > 0);
  if (distinct.length > 0) {
    section(
      'Distinct',
      columns(
        [
          ['', 'estimate', 'at least', 'at most'],
          ...distinct.map(([name, { estimate, lower, upper }]) => [
            name,
            grouped(estimate),
            grouped(lower),
            grouped(upper),
          ]),
        ],
        [1, 2, 3],
      ),
    );
  }
  const { dns, http, tls, damage } = analysis;
  if (dns.queries + dns.responses > 0) {
    const codes = Object.entries(dns.rcodes).map(([code, count]) => `${code} ${grouped(count)}`);
    section(
      `DNS: ${grouped(dns.queries)} queries, ${grouped(dns.responses)} responses${codes.length > 0 ? ` (${codes.join(', ')})` : ''}`,
      columns([['name', 'count'], ...dns.names.map(({ name, count }) => [name, grouped(count)])], [1]),
    );
  }
  if (http.requests + http.responses > 0) {
    const statuses = Object.entries(http.statuses).map(([status, count]) => `${status} ${grouped(count)}`);
    section(
      `HTTP: ${grouped(http.requests)} requests, ${grouped(http.responses)} responses${statuses.length > 0 ? ` (${statuses.join(', ')})` : ''}`,
      columns([['host', 'requests'], ...http.hosts.map(({ host, count }) => [host, grouped(count)])], [1]),
    );
  }
  if (tls.client_hellos > 0) {
    section(
      `TLS: ${grouped(tls.client_hellos)} client hellos`,
      columns([['server name', 'count'], ...tls.server_names.map(({ name, count }) => [name, grouped(count)])], [1]),
    );
  }
  const reasons = Object.entries(damage.reasons);
  if (reasons.length > 0) {
    section(
      'Not decoded to the end',
      columns([['reason', 'packets'], ...reasons.map(([reason, count]) => [reason, grouped(count)])], [1]),
    );
  }
  return `${parts.join('\n\n')}\n`;
}
