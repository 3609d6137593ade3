import { dashboard, line } from './dashboard.js';
import { bars, nodeGraph, raised, stat, table, timeSeries } from './panels.js';
import { flowRecords, graph, rows, series } from './query.js';
import { flowLook } from './flows.js';
import { scope, textBox, trafficVariables, within } from './variables.js';

const both = within(scope, 'host = $host');
const sent = within(scope, 'src_ip = $host');
const received = within(scope, 'dst_ip = $host');
const asClient = within(scope, 'client_ip = $host');
const asServer = within(scope, 'server_ip = $host');

export const host = dashboard({
  key: 'host',
  title: 'NetSpectra / Host detail',
  description:
    'One address or network: what it sends and receives, with whom, which services it uses and offers, how well.',
  variables: trafficVariables(
    textBox('host', 'Host', 'An address, or a network such as 10.1.0.0/16. Empty: all hosts.'),
  ),
  body: [
    line(
      4,
      [
        4,
        stat({ title: 'Sent', description: 'Bytes in the time range.' }, rows({ measures: ['bytes'], filter: sent })),
      ],
      [
        4,
        stat(
          { title: 'Received', description: 'Bytes in the time range.' },
          rows({ measures: ['bytes'], filter: received }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Peers', description: 'Different addresses that it sent to.' },
          rows({ measures: ['distinct_dst_ip'], filter: sent }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Flows begun', description: 'Flows of which it was the client.' },
          rows({ measures: ['flows'], filter: asClient }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Retransmissions', description: 'Share of its TCP packets, both ways, that were sent again.' },
          rows({ measures: ['retransmission_ratio'], filter: both }),
          {
            steps: raised(0.01, 0.03),
          },
        ),
      ],
      [
        4,
        stat(
          { title: 'Round trip', description: 'Of TCP handshakes, mean.' },
          rows({ measures: ['rtt_avg'], filter: both }),
        ),
      ],
    ),
    line(
      9,
      [
        12,
        timeSeries(
          { title: 'Sent and received', description: 'What it sent upwards, what it received downwards.' },
          [
            series({ measures: ['bits_per_second'], filter: sent }, 0),
            series({ measures: ['bits_per_second'], filter: received }, 1),
          ],
          { downwards: 'B', names: { A: 'Sent', B: 'Received' } },
        ),
      ],
      [
        12,
        timeSeries(
          { title: 'By application', description: 'Both directions.' },
          [series({ measures: ['bits_per_second'], groupBy: ['application'], limit: 8, other: true, filter: both })],
          { look: 'area', legend: 'table' },
        ),
      ],
    ),
    line(
      10,
      [
        12,
        table(
          { title: 'Sent to', description: 'Addresses by bytes that they received from it.' },
          rows({ measures: ['bytes', 'bytes_share', 'packets'], groupBy: ['dst_ip'], limit: 20, filter: sent }),
        ),
      ],
      [
        12,
        table(
          { title: 'Received from', description: 'Addresses by bytes that they sent to it.' },
          rows({ measures: ['bytes', 'bytes_share', 'packets'], groupBy: ['src_ip'], limit: 20, filter: received }),
        ),
      ],
    ),
    line(
      10,
      [
        12,
        table(
          { title: 'Services it uses', description: 'As client: whom it asked, on which port.' },
          rows({
            measures: ['bytes', 'rtt_avg', 'retransmission_ratio'],
            groupBy: ['server_ip', 'server_port', 'application'],
            limit: 20,
            filter: asClient,
          }),
        ),
      ],
      [
        12,
        table(
          { title: 'Services it offers', description: 'As server: its ports, and how many clients they had.' },
          rows({
            measures: ['bytes', 'flows', 'distinct_client_ip', 'rtt_avg'],
            groupBy: ['protocol', 'server_port', 'application'],
            limit: 20,
            filter: asServer,
          }),
        ),
      ],
    ),
    line(
      12,
      [
        10,
        nodeGraph(
          { title: 'Peers', description: 'The thirty strongest paths.' },
          graph({ measures: ['bytes'], groupBy: ['src_ip', 'dst_ip'], limit: 30, filter: both }),
        ),
      ],
      [
        7,
        table(
          { title: 'Names it asked for', description: 'DNS queries of this client.' },
          rows({ measures: ['dns_queries', 'dns_errors'], groupBy: ['dns_name'], limit: 20, filter: asClient }),
        ),
      ],
      [
        7,
        table(
          { title: 'Servers it named', description: 'Server names (SNI) in its TLS ClientHellos.' },
          rows({ measures: ['tls_client_hellos'], groupBy: ['tls_server_name'], limit: 20, filter: asClient }),
        ),
      ],
    ),
    line(
      8,
      [
        8,
        timeSeries({ title: 'TCP quality', description: 'Shares of its TCP packets.' }, [
          series({ measures: ['retransmission_ratio', 'out_of_order_ratio', 'zero_window_ratio'], filter: both }),
        ]),
      ],
      [
        8,
        timeSeries({ title: 'Round trip times', description: 'Measured in TCP handshakes.' }, [
          series({ measures: ['rtt_p50', 'rtt_p95'], filter: both }),
        ]),
      ],
      [
        8,
        bars(
          { title: 'How flows ended', description: 'Flow records by the reason for which they were closed.' },
          rows({ measures: ['flows'], groupBy: ['end_reason'], limit: 8, filter: both }),
        ),
      ],
    ),
    line(12, [
      24,
      table(
        { title: 'Latest flow records', description: 'The fifty latest; all of them are on the page of flow records.' },
        flowRecords({ limit: 50, filter: both }),
        flowLook,
      ),
    ]),
  ],
});
