import { dashboard, line } from './dashboard.js';
import type { TableLook } from './panels.js';
import { stat, table, timeSeries } from './panels.js';
import { flowRecords, rows, series } from './query.js';
import { custom, scope, textBox, trafficVariables, within } from './variables.js';

const filter = within(scope, 'host = $host', 'port = $port', 'application = $application');

/** How flow records are shown: what most readers want in front, the rest hidden. */
export const flowLook: TableLook = {
  hidden: [
    'last',
    'inner_vlan',
    'tunnel_type',
    'tunnel_id',
    'client_tcp_flags',
    'server_tcp_flags',
    'client_out_of_order',
    'server_out_of_order',
    'client_zero_windows',
    'server_zero_windows',
    'icmp_type',
    'icmp_code',
    'flow_id',
  ],
  widths: {
    ...{
      first: 190,
      client_ip: 135,
      server_ip: 135,
      duration: 85,
      protocol: 90,
      application: 95,
      vlan: 65,
      client_port: 72,
      server_port: 72,
    },
    ...{ client_packets: 80, client_bytes: 85, server_packets: 80, server_bytes: 85 },
    ...{ client_retransmissions: 130, server_retransmissions: 130 },
  },
};

export const flows = dashboard({
  key: 'flows',
  title: 'NetSpectra / Flow records',
  description: 'Single flow records, the latest first, and what they add up to.',
  variables: trafficVariables(
    textBox('host', 'Host', 'An address or network at either end. Empty: all.'),
    textBox('port', 'Port', 'At either end: a number, or a service such as https. Empty: all.'),
    textBox('application', 'Application', 'As recognised, such as dns. Empty: all.'),
    custom('rows', 'Records', 'How many records are listed', ['100', '500', '1000']),
  ),
  body: [
    line(
      4,
      [6, stat({ title: 'Flows', description: 'Different flows that fit.' }, rows({ measures: ['flows'], filter }))],
      [6, stat({ title: 'Bytes', description: 'Of them in the time range.' }, rows({ measures: ['bytes'], filter }))],
      [
        6,
        stat({ title: 'Packets', description: 'Of them in the time range.' }, rows({ measures: ['packets'], filter })),
      ],
      [
        6,
        stat(
          { title: 'Clients', description: 'Different addresses that began them.' },
          rows({ measures: ['distinct_client_ip'], filter }),
        ),
      ],
    ),
    line(8, [
      24,
      timeSeries(
        { title: 'New flows', description: 'Flows that began, per second, by application.' },
        [series({ measures: ['flows_per_second'], groupBy: ['application'], limit: 8, other: true, filter })],
        { look: 'bars' },
      ),
    ]),
    line(20, [
      24,
      table(
        {
          title: 'Flow records',
          description:
            'One row for each flow and window (10 s by default). Further columns are hidden: edit the panel, or open it in the explorer.',
        },
        flowRecords({ limit: '$rows', filter }),
        flowLook,
      ),
    ]),
  ],
});
