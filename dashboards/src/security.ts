import { dashboard, line } from './dashboard.js';
import { events, stat, table, timeSeries } from './panels.js';
import { noticed, rows, series } from './query.js';
import { probeScope, scope, trafficVariables, within } from './variables.js';

const filter = scope;
const unanswered = within(filter, 'protocol = tcp', 'server_packets = 0');
const icmp = within(filter, 'protocol in (icmp, ipv6-icmp)');
const unusual = within(filter, 'protocol not in (tcp, udp, icmp, ipv6-icmp)');

export const security = dashboard({
  key: 'security',
  title: 'NetSpectra / Security',
  description: 'Signs of scans, floods and misuse in what is measured, and what alert rules and detectors noticed.',
  variables: trafficVariables(),
  body: [
    line(
      4,
      [
        4,
        stat(
          { title: 'New flows', description: 'Per second, highest point of the time range.' },
          series({ measures: ['flows_per_second'], filter }),
          { calc: 'max' },
        ),
      ],
      [
        4,
        stat(
          { title: 'Unanswered', description: 'TCP flows in which the server sent nothing.' },
          rows({ measures: ['flows'], filter: unanswered }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Resets', description: 'Sides of TCP flows that sent RST.' },
          rows({ measures: ['tcp_reset_flows'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Failed lookups', description: 'DNS answers whose code is not NOERROR.' },
          rows({ measures: ['dns_errors'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'ICMP', description: 'Packets per second, highest point of the time range.' },
          series({ measures: ['packets_per_second'], filter: icmp }),
          { calc: 'max' },
        ),
      ],
      [
        4,
        stat(
          { title: 'Unusual protocols', description: 'Bytes of other protocols than TCP, UDP and ICMP.' },
          rows({ measures: ['bytes'], filter: unusual }),
        ),
      ],
    ),
    line(6, [
      24,
      events(
        { title: 'Events', description: 'What alert rules and detectors noticed in the time range, the latest first.' },
        noticed({}),
      ),
    ]),
    {
      heading: 'Scans',
      lines: [
        line(
          11,
          [
            12,
            table(
              {
                title: 'Port scans: ports by client',
                description: 'Clients by different ports that they tried: many ports of few servers are a port scan.',
              },
              rows({
                measures: ['distinct_server_port', 'distinct_server_ip', 'flows'],
                groupBy: ['client_ip'],
                limit: 15,
                filter,
              }),
              {
                steps: {
                  distinct_server_port: [
                    { value: 20, color: 'orange' },
                    { value: 100, color: 'red' },
                  ],
                },
                bars: [],
              },
            ),
          ],
          [
            12,
            table(
              {
                title: 'Sweeps: servers by client',
                description: 'Clients by different servers that they tried on one port: many are a sweep of hosts.',
              },
              rows({
                measures: ['distinct_server_ip', 'flows'],
                groupBy: ['client_ip', 'protocol', 'server_port'],
                limit: 15,
                filter,
              }),
              {
                steps: {
                  distinct_server_ip: [
                    { value: 20, color: 'orange' },
                    { value: 100, color: 'red' },
                  ],
                },
                bars: [],
              },
            ),
          ],
        ),
        line(
          10,
          [
            12,
            table(
              {
                title: 'Resets received',
                description: 'Addresses by flows that others ended with RST: they knock at closed ports.',
              },
              rows({ measures: ['tcp_reset_flows'], groupBy: ['dst_ip'], limit: 15, filter }),
            ),
          ],
          [
            12,
            table(
              {
                title: 'Unanswered flows by client',
                description:
                  'Clients by TCP flows in which the server sent nothing: filtered ports, or addresses that nobody has.',
              },
              rows({
                measures: ['flows', 'distinct_server_ip', 'distinct_server_port'],
                groupBy: ['client_ip'],
                limit: 15,
                filter: unanswered,
              }),
            ),
          ],
        ),
      ],
    },
    {
      heading: 'Floods',
      lines: [
        line(
          9,
          [
            8,
            timeSeries(
              { title: 'New flows by server', description: 'Per second, the servers with most.' },
              [series({ measures: ['flows_per_second'], groupBy: ['server_ip'], limit: 8, other: true, filter })],
              { look: 'area' },
            ),
          ],
          [
            8,
            timeSeries(
              {
                title: 'SYN and SYN+ACK',
                description:
                  'Segments with SYN, and those with SYN and ACK, for each point: in a SYN flood they part. Counted without addresses: follows the probe only, not network and filter.',
              },
              [series({ measures: ['tcp_syn', 'tcp_syn_ack'], filter: probeScope })],
            ),
          ],
          [
            8,
            timeSeries(
              { title: 'ICMP', description: 'Packets per second, by who sent them.' },
              [series({ measures: ['packets_per_second'], groupBy: ['src_ip'], limit: 8, other: true, filter: icmp })],
              { look: 'area' },
            ),
          ],
        ),
        line(
          10,
          [
            12,
            table(
              { title: 'Servers under load', description: 'Servers by flows that began, and from how many clients.' },
              rows({
                measures: ['new_flows', 'flows_per_second_max', 'distinct_client_ip'],
                groupBy: ['server_ip', 'server_port'],
                limit: 15,
                filter,
              }),
            ),
          ],
          [
            12,
            table(
              {
                title: 'Peak rate by destination',
                description: 'Addresses by the highest rate at which packets came to them.',
              },
              rows({
                measures: ['packets_per_second_max', 'bits_per_second_max'],
                groupBy: ['dst_ip'],
                limit: 15,
                orderBy: [{ measure: 'packets_per_second_max', direction: 'desc' }],
                filter,
              }),
            ),
          ],
        ),
      ],
    },
    {
      heading: 'Misuse',
      lines: [
        line(
          10,
          [
            12,
            table(
              {
                title: 'Failed lookups by client',
                description:
                  'Many failures point to malware that looks for its servers; many names, to data hidden in DNS.',
              },
              rows({
                measures: ['dns_errors', 'distinct_dns_name'],
                groupBy: ['client_ip'],
                limit: 15,
                filter: within(filter, 'dns_rcode not in (NOERROR, "")'),
              }),
            ),
          ],
          [
            12,
            table(
              { title: 'Unusual protocols', description: 'Other protocols than TCP, UDP and ICMP, and between whom.' },
              rows({
                measures: ['bytes', 'packets'],
                groupBy: ['protocol', 'src_ip', 'dst_ip'],
                limit: 15,
                filter: unusual,
              }),
            ),
          ],
        ),
      ],
    },
  ],
});
