import { dashboard, line } from './dashboard.js';
import { bars, raised, stat, table, timeSeries } from './panels.js';
import { rows, series } from './query.js';
import { scope, textBox, trafficVariables, within } from './variables.js';

const filter = within(scope, 'dns_name ~ $name');
const failing = within(filter, 'dns_rcode not in (NOERROR, "")');

export const dns = dashboard({
  key: 'dns',
  title: 'NetSpectra / DNS',
  description: 'What is asked, by whom, how fast it is answered, and what fails.',
  variables: trafficVariables(textBox('name', 'Name', 'A name, or a pattern such as *.example.org. Empty: all.')),
  body: [
    line(
      4,
      [4, stat({ title: 'Queries', description: 'In the time range.' }, rows({ measures: ['dns_queries'], filter }))],
      [
        4,
        stat(
          { title: 'Failures', description: 'Share of answers whose code is not NOERROR.' },
          rows({ measures: ['dns_error_ratio'], filter }),
          {
            steps: raised(0.1, 0.3),
          },
        ),
      ],
      [
        4,
        stat(
          { title: 'Unanswered', description: 'Share of queries that got no answer in time.' },
          rows({ measures: ['dns_unanswered_ratio'], filter }),
          {
            steps: raised(0.02, 0.1),
          },
        ),
      ],
      [
        4,
        stat(
          { title: 'Latency', description: 'Query to answer, 95th percentile.' },
          rows({ measures: ['dns_latency_p95'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Names', description: 'Different names asked for.' },
          rows({ measures: ['distinct_dns_name'], filter }),
        ),
      ],
      [
        4,
        stat(
          { title: 'Clients', description: 'Different addresses that asked.' },
          rows({ measures: ['distinct_client_ip'], filter: within(filter, 'dns_type != ""') }),
        ),
      ],
    ),
    line(
      9,
      [
        12,
        timeSeries(
          { title: 'Answers by code', description: 'For each point; (none) is what was not answered.' },
          [series({ measures: ['dns_queries'], groupBy: ['dns_rcode'], limit: 8, other: true, filter })],
          { look: 'bars', interval: '10s' },
        ),
      ],
      [
        12,
        timeSeries(
          { title: 'Latency', description: 'From query to answer.' },
          [series({ measures: ['dns_latency_p50', 'dns_latency_p95', 'dns_latency_p99'], filter })],
          { interval: '10s' },
        ),
      ],
    ),
    line(
      11,
      [
        12,
        table(
          { title: 'Names', description: 'Most asked for. Click one to see only it.' },
          rows({
            measures: ['dns_queries', 'distinct_client_ip', 'dns_error_ratio', 'dns_latency_avg'],
            groupBy: ['dns_name'],
            limit: 25,
            filter,
          }),
        ),
      ],
      [
        12,
        table(
          { title: 'Failing names', description: 'Names whose answers were not NOERROR, and who asked.' },
          rows({
            measures: ['dns_responses', 'distinct_client_ip'],
            groupBy: ['dns_name', 'dns_rcode'],
            limit: 25,
            filter: failing,
          }),
        ),
      ],
    ),
    line(
      11,
      [
        12,
        table(
          { title: 'Clients', description: 'Who asks most, and how much of it fails.' },
          rows({
            measures: ['dns_queries', 'distinct_dns_name', 'dns_error_ratio', 'dns_unanswered'],
            groupBy: ['client_ip'],
            limit: 25,
            filter,
          }),
          {
            steps: {
              dns_error_ratio: [
                { value: 0.2, color: 'orange' },
                { value: 0.5, color: 'red' },
              ],
            },
          },
        ),
      ],
      [
        12,
        table(
          { title: 'Servers', description: 'Who is asked, and how well it answers.' },
          rows({
            measures: ['dns_queries', 'dns_latency_p95', 'dns_error_ratio', 'dns_unanswered_ratio'],
            groupBy: ['server_ip'],
            limit: 25,
            filter,
          }),
          {
            steps: {
              dns_unanswered_ratio: [
                { value: 0.02, color: 'orange' },
                { value: 0.1, color: 'red' },
              ],
            },
          },
        ),
      ],
    ),
    line(
      8,
      [
        8,
        bars(
          { title: 'Types', description: 'Queries by record type.' },
          rows({ measures: ['dns_queries'], groupBy: ['dns_type'], limit: 10, other: true, filter }),
        ),
      ],
      [
        8,
        bars(
          { title: 'Codes', description: 'Answers by response code.' },
          rows({
            measures: ['dns_responses'],
            groupBy: ['dns_rcode'],
            limit: 10,
            filter: within(filter, 'dns_rcode != ""'),
          }),
        ),
      ],
      [
        8,
        bars(
          { title: 'Transports', description: 'Queries by transport and service (unicast or multicast DNS).' },
          rows({ measures: ['dns_queries'], groupBy: ['dns_service', 'dns_transport'], limit: 10, filter }),
        ),
      ],
    ),
  ],
});
