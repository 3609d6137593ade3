import { dashboard, line } from './dashboard.js';
import { nodeGraph, table, timeSeries } from './panels.js';
import { graph, rows, series } from './query.js';
import { custom, scope, trafficVariables } from './variables.js';

const filter = scope;
const limit = '$top';

export const talkers = dashboard({
  key: 'talkers',
  title: 'NetSpectra / Top talkers and conversations',
  description: 'Who sends and receives most, to whom, from which networks, countries and autonomous systems.',
  variables: trafficVariables(custom('top', 'Rows', 'How many rows tables have', ['10', '25', '50', '100'])),
  body: [
    line(
      9,
      [
        12,
        timeSeries(
          { title: 'Traffic by source', description: 'The eight addresses that sent most, and all others together.' },
          [series({ measures: ['bits_per_second'], groupBy: ['src_ip'], limit: 8, other: true, filter })],
          { look: 'area', legend: 'table' },
        ),
      ],
      [
        12,
        timeSeries(
          {
            title: 'Traffic by destination',
            description: 'The eight addresses that received most, and all others together.',
          },
          [series({ measures: ['bits_per_second'], groupBy: ['dst_ip'], limit: 8, other: true, filter })],
          { look: 'area', legend: 'table' },
        ),
      ],
    ),
    line(
      12,
      [
        12,
        table(
          { title: 'Sources', description: 'By bytes sent; flows and the addresses they went to.' },
          rows({
            measures: ['bytes', 'bytes_share', 'packets', 'distinct_dst_ip'],
            groupBy: ['src_ip'],
            limit,
            filter,
          }),
        ),
      ],
      [
        12,
        table(
          { title: 'Destinations', description: 'By bytes received; the addresses they came from.' },
          rows({
            measures: ['bytes', 'bytes_share', 'packets', 'distinct_src_ip'],
            groupBy: ['dst_ip'],
            limit,
            filter,
          }),
        ),
      ],
    ),
    line(
      14,
      [
        12,
        nodeGraph(
          { title: 'Who talks to whom', description: 'The forty strongest conversations, the rest as one.' },
          graph({ measures: ['bytes'], groupBy: ['src_ip', 'dst_ip'], limit: 40, filter }),
        ),
      ],
      [
        12,
        table(
          { title: 'Conversations', description: 'Client, server and application; bytes of both directions.' },
          rows({
            measures: ['bytes', 'client_bytes', 'server_bytes'],
            groupBy: ['client_ip', 'server_ip', 'application'],
            limit,
            filter,
          }),
        ),
      ],
    ),
    line(
      10,
      [
        6,
        table(
          { title: 'Subnets', description: 'Sources by their /24 (IPv4) or /48 (IPv6).' },
          rows({ measures: ['bytes', 'bytes_share'], groupBy: ['src_ip/24/48'], limit, filter }),
        ),
      ],
      [
        6,
        table(
          { title: 'Networks', description: 'From network to network, by their configured names.' },
          rows({ measures: ['bytes'], groupBy: ['src_network', 'dst_network'], limit, filter }),
        ),
      ],
      [
        6,
        table(
          { title: 'Autonomous systems', description: 'Of the sources; needs a database of autonomous systems.' },
          rows({ measures: ['bytes', 'bytes_share'], groupBy: ['src_as_name'], limit, filter }),
        ),
      ],
      [
        6,
        table(
          { title: 'Countries', description: 'Of the sources; needs a database of countries.' },
          rows({ measures: ['bytes', 'bytes_share'], groupBy: ['src_country'], limit, filter }),
        ),
      ],
    ),
  ],
});
