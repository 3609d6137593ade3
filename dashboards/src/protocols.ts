import { dashboard, line } from './dashboard.js';
import { bars, table, timeSeries } from './panels.js';
import { rows, series } from './query.js';
import { probeScope, scope, trafficVariables, within } from './variables.js';

const filter = scope;

export const protocols = dashboard({
  key: 'protocols',
  title: 'NetSpectra / Protocols and applications',
  description: 'What the traffic consists of: protocols, applications, ports, tunnels, tags, markings.',
  variables: trafficVariables(),
  body: [
    line(
      10,
      [
        12,
        timeSeries(
          {
            title: 'Traffic by application',
            description: 'The twelve applications with most bytes, and all others together.',
          },
          [series({ measures: ['bits_per_second'], groupBy: ['application'], limit: 12, other: true, filter })],
          { look: 'area', legend: 'table' },
        ),
      ],
      [
        12,
        timeSeries(
          { title: 'Traffic by protocol', description: 'By IP protocol; the innermost of tunnelled packets.' },
          [series({ measures: ['bits_per_second'], groupBy: ['protocol'], limit: 8, other: true, filter })],
          { look: 'area', legend: 'table' },
        ),
      ],
    ),
    line(
      8,
      [
        8,
        timeSeries(
          { title: 'Packets by IP version', description: 'Packets per second; 0 is no IP.' },
          [series({ measures: ['packets_per_second'], groupBy: ['ip_version'], limit: 3, filter })],
          { look: 'area' },
        ),
      ],
      [
        8,
        timeSeries(
          { title: 'Mean packet size', description: 'Bytes on the wire by packet, of the leading protocols.' },
          [series({ measures: ['packet_size_avg'], groupBy: ['protocol'], limit: 4, filter })],
        ),
      ],
      [
        8,
        bars(
          {
            title: 'Frames by EtherType',
            description: 'Counted without addresses: follows the probe only, not network and filter.',
          },
          rows({ measures: ['packets'], groupBy: ['ether_type'], limit: 8, other: true, filter: probeScope }),
        ),
      ],
    ),
    line(
      12,
      [
        12,
        table(
          { title: 'Applications', description: 'Volume, flows and clients of each.' },
          rows({
            measures: ['bytes', 'bytes_share', 'packets', 'flows', 'distinct_client_ip'],
            groupBy: ['application'],
            limit: 50,
            filter,
          }),
        ),
      ],
      [
        12,
        table(
          { title: 'Server ports', description: 'By protocol and the port of the side that answered.' },
          rows({
            measures: ['bytes', 'bytes_share', 'flows', 'distinct_server_ip'],
            groupBy: ['protocol', 'server_port'],
            limit: 50,
            filter,
          }),
        ),
      ],
    ),
    line(
      9,
      [
        7,
        table(
          { title: 'Ports of unrecognised traffic', description: 'Ports of traffic whose application is not known.' },
          rows({
            measures: ['bytes', 'flows'],
            groupBy: ['protocol', 'server_port'],
            limit: 20,
            filter: within(filter, 'application = ""'),
          }),
        ),
      ],
      [
        7,
        table(
          { title: 'Tunnels', description: 'Encapsulations and their ids (VNI, TEID, key).' },
          rows({
            measures: ['bytes', 'flows'],
            groupBy: ['tunnel_type', 'tunnel_id'],
            limit: 20,
            filter: within(filter, 'tunnel_type != ""'),
          }),
        ),
      ],
      [
        5,
        table(
          { title: 'VLANs', description: 'By outer VLAN id; 0 is untagged.' },
          rows({ measures: ['bytes'], groupBy: ['vlan'], limit: 20, filter }),
        ),
      ],
      [
        5,
        table(
          { title: 'DSCP', description: 'DSCP of what clients sent.' },
          rows({ measures: ['bytes'], groupBy: ['client_dscp'], limit: 20, filter }),
        ),
      ],
    ),
  ],
});
