import { dashboard, line } from './dashboard.js';
import { raised, stat, table, timeSeries } from './panels.js';
import { rows, series } from './query.js';
import { custom, scope, trafficVariables } from './variables.js';

const filter = scope;

export const overview = dashboard({
  key: 'overview',
  title: 'NetSpectra / Traffic overview',
  description: 'How much traffic there is, of what kind, whose, and whether it is unusual.',
  variables: trafficVariables(
    custom('earlier', 'Compare with', 'How much earlier the traffic is that the present one is compared with', [
      '1d',
      '1w',
      '1h',
    ]),
  ),
  body: [
    line(
      4,
      [
        4,
        stat(
          { title: 'Traffic', description: 'Bits per second, mean of the time range.' },
          series({ measures: ['bits_per_second'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Packets', description: 'Packets per second, mean of the time range.' },
          series({ measures: ['packets_per_second'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'New flows', description: 'Flows that began, per second, mean of the time range.' },
          series({ measures: ['flows_per_second'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Active hosts', description: 'Different source addresses; an estimate where no filter is set.' },
          rows({ measures: ['distinct_src_ip'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Retransmissions', description: 'Share of TCP packets that were sent again.' },
          rows({ measures: ['retransmission_ratio'], filter }),
          {
            steps: raised(0.01, 0.03),
          },
        ),
      ],
      [
        4,
        stat(
          { title: 'DNS failures', description: 'Share of DNS answers whose code is not NOERROR.' },
          rows({ measures: ['dns_error_ratio'], filter }),
          {
            steps: raised(0.1, 0.3),
          },
        ),
      ],
    ),
    line(
      10,
      [
        16,
        timeSeries(
          {
            title: 'Traffic by application',
            description: 'The ten applications with most bytes, and all others together.',
          },
          [series({ measures: ['bits_per_second'], groupBy: ['application'], limit: 10, other: true, filter })],
          { look: 'area', legend: 'table' },
        ),
      ],
      [
        8,
        timeSeries(
          {
            title: 'In and out',
            description:
              'What came from outside of the local networks (upwards) and what left them (downwards). Needs networks in the configuration; without them all traffic is external.',
          },
          [
            series({ measures: ['bits_per_second'], direction: 'in', filter }, 0),
            series({ measures: ['bits_per_second'], direction: 'out', filter }, 1),
          ],
          { look: 'line', downwards: 'B', names: { A: 'In', B: 'Out' } },
        ),
      ],
    ),
    line(
      9,
      [
        12,
        timeSeries(
          {
            title: 'Compared with earlier',
            description: 'The same measure so much earlier, drawn at the present times.',
          },
          [series({ measures: ['bits_per_second'], filter, compareTo: { offset: '$earlier' } })],
        ),
      ],
      [
        12,
        timeSeries(
          { title: 'New flows by protocol', description: 'Flows that began, per second.' },
          [series({ measures: ['flows_per_second'], groupBy: ['protocol'], limit: 6, other: true, filter })],
          { look: 'area' },
        ),
      ],
    ),
    line(
      12,
      [
        8,
        table(
          { title: 'Top sources', description: 'The ten addresses that sent most. Click one to see what it does.' },
          rows({ measures: ['bytes', 'bytes_share'], groupBy: ['src_ip'], limit: 10, filter }),
        ),
      ],
      [
        8,
        table(
          { title: 'Top destinations', description: 'The ten addresses that received most.' },
          rows({ measures: ['bytes', 'bytes_share'], groupBy: ['dst_ip'], limit: 10, filter }),
        ),
      ],
      [
        8,
        table(
          { title: 'Applications', description: 'By bytes; (none) is traffic that was not recognised.' },
          rows({ measures: ['bytes', 'bytes_share', 'flows'], groupBy: ['application'], limit: 10, filter }),
        ),
      ],
    ),
  ],
});
