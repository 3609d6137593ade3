import { dashboard, line } from './dashboard.js';
import { bars, raised, stat, table, timeSeries } from './panels.js';
import { rows, series } from './query.js';
import { probeScope, scope, trafficVariables, within } from './variables.js';

const filter = within(scope, 'protocol = tcp');
/** Attempts to which nothing came back. */
const unanswered = within(filter, 'server_packets = 0');

const poor = {
  steps: raised(0.01, 0.03),
} as const;

export const tcp = dashboard({
  key: 'tcp',
  title: 'NetSpectra / TCP health',
  description: 'Round trips, losses, resets and connections that were never answered, and whose they are.',
  variables: trafficVariables(),
  body: [
    line(
      4,
      [
        4,
        stat(
          { title: 'Retransmissions', description: 'Share of TCP packets that were sent again.' },
          series({ measures: ['retransmission_ratio'], filter }),
          poor,
        ),
      ],
      [
        4,
        stat(
          { title: 'Out of order', description: 'Share of TCP packets that filled a hole left behind.' },
          series({ measures: ['out_of_order_ratio'], filter }),
          poor,
        ),
      ],
      [
        4,
        stat(
          { title: 'Zero windows', description: 'Share of TCP packets with which a receiver asked to wait.' },
          series({ measures: ['zero_window_ratio'], filter }),
          poor,
        ),
      ],
      [
        4,
        stat(
          { title: 'Round trip, median', description: 'Measured in handshakes.' },
          rows({ measures: ['rtt_p50'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Round trip, p95', description: 'Measured in handshakes, 95th percentile.' },
          rows({ measures: ['rtt_p95'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Unanswered', description: 'Flows in which the server sent nothing.' },
          rows({ measures: ['flows'], filter: unanswered }),
        ),
      ],
    ),
    line(
      9,
      [
        12,
        timeSeries({ title: 'Retransmissions, reordering, zero windows', description: 'Shares of TCP packets.' }, [
          series({ measures: ['retransmission_ratio', 'out_of_order_ratio', 'zero_window_ratio'], filter }),
        ]),
      ],
      [
        12,
        timeSeries({ title: 'Round trip times', description: 'Measured in handshakes.' }, [
          series({ measures: ['rtt_p50', 'rtt_p95', 'rtt_p99'], filter }),
        ]),
      ],
    ),
    line(
      9,
      [
        12,
        timeSeries(
          {
            title: 'SYN, FIN and RST',
            description:
              'Segments with SYN, SYN and ACK, FIN, RST for each point. Counted without addresses: follows the probe only, not network and filter.',
          },
          [series({ measures: ['tcp_syn', 'tcp_syn_ack', 'tcp_fin', 'tcp_rst'], filter: probeScope })],
        ),
      ],
      [
        12,
        timeSeries(
          {
            title: 'Unanswered connections',
            description: 'New TCP flows in which the server sent nothing, per second, by server.',
          },
          [
            series({
              measures: ['flows_per_second'],
              groupBy: ['server_ip'],
              limit: 8,
              other: true,
              filter: unanswered,
            }),
          ],
          { look: 'bars' },
        ),
      ],
    ),
    line(
      11,
      [
        12,
        table(
          { title: 'Retransmissions by server', description: 'Servers by retransmitted segments.' },
          rows({
            measures: ['retransmissions', 'retransmission_ratio', 'out_of_order', 'tcp_packets'],
            groupBy: ['server_ip', 'server_port'],
            limit: 25,
            filter,
          }),
          {
            steps: {
              retransmission_ratio: [
                { value: 0.01, color: 'orange' },
                { value: 0.05, color: 'red' },
              ],
            },
          },
        ),
      ],
      [
        12,
        table(
          { title: 'Highest round trip times', description: 'Servers by the 95th percentile of the round trip.' },
          rows({
            measures: ['rtt_p95', 'rtt_p50', 'flows'],
            groupBy: ['server_ip', 'server_port'],
            limit: 25,
            orderBy: [{ measure: 'rtt_p95', direction: 'desc' }],
            filter: within(filter, 'rtt > 0ns'),
          }),
        ),
      ],
    ),
    line(
      10,
      [
        8,
        table(
          { title: 'Zero windows by host', description: 'Addresses by segments with a receive window of 0.' },
          rows({
            measures: ['zero_windows', 'zero_window_ratio'],
            groupBy: ['src_ip'],
            limit: 15,
            filter: within(filter, 'zero_windows > 0'),
          }),
        ),
      ],
      [
        8,
        table(
          {
            title: 'Resets by host',
            description: 'Addresses by flows that they ended with RST: closed ports, or aborted connections.',
          },
          rows({ measures: ['tcp_reset_flows', 'tcp_packets'], groupBy: ['src_ip'], limit: 15, filter }),
        ),
      ],
      [
        8,
        bars(
          { title: 'How flows ended', description: 'Flow records by the reason for which they were closed.' },
          rows({ measures: ['flows'], groupBy: ['end_reason'], limit: 8, filter }),
        ),
      ],
    ),
  ],
});
