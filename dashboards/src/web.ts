import { dashboard, line } from './dashboard.js';
import type { Section } from './dashboard.js';
import { bars, raised, stat, table, timeSeries } from './panels.js';
import { rows, series } from './query.js';
import { scope, textBox, trafficVariables, within } from './variables.js';

const http = within(scope, 'http_host ~ $http_host');
const tls = within(scope, 'tls_server_name ~ $server_name');

const httpSection: Section = {
  heading: 'HTTP (in clear)',
  lines: [
    line(
      4,
      [
        6,
        stat(
          { title: 'Requests', description: 'HTTP/1.x requests in the time range.' },
          rows({ measures: ['http_requests'], filter: http }),
        ),
      ],
      [
        6,
        stat(
          { title: 'Errors, 4xx and 5xx', description: 'Share of answers with a status of 400 or more.' },
          rows({ measures: ['http_error_ratio'], filter: http }),
          {
            steps: raised(0.05, 0.2),
          },
        ),
      ],
      [
        6,
        stat(
          { title: 'Server errors, 5xx', description: 'Share of answers with a status of 500 or more.' },
          rows({ measures: ['http_server_error_ratio'], filter: http }),
          {
            steps: raised(0.01, 0.05),
          },
        ),
      ],
      [
        6,
        stat(
          { title: 'Latency', description: 'Request to answer, 95th percentile.' },
          rows({ measures: ['http_latency_p95'], filter: http }),
        ),
      ],
    ),
    line(
      9,
      [
        12,
        timeSeries(
          { title: 'Answers by status', description: 'For each point.' },
          [series({ measures: ['http_responses'], groupBy: ['http_status'], limit: 10, other: true, filter: http })],
          { look: 'bars', interval: '10s' },
        ),
      ],
      [
        12,
        timeSeries(
          { title: 'Latency', description: 'From request to answer.' },
          [series({ measures: ['http_latency_p50', 'http_latency_p95', 'http_latency_p99'], filter: http })],
          { interval: '10s' },
        ),
      ],
    ),
    line(
      10,
      [
        12,
        table(
          { title: 'Hosts', description: 'By the Host header. Click one to see only it.' },
          rows({
            measures: [
              'http_requests',
              'distinct_client_ip',
              'http_error_ratio',
              'http_response_bytes',
              'http_latency_p95',
            ],
            groupBy: ['http_host'],
            limit: 20,
            filter: http,
          }),
          {
            steps: {
              http_error_ratio: [
                { value: 0.05, color: 'orange' },
                { value: 0.2, color: 'red' },
              ],
            },
          },
        ),
      ],
      [
        12,
        table(
          { title: 'Failing paths', description: 'Answers with a status of 400 or more.' },
          rows({
            measures: ['http_responses', 'distinct_client_ip'],
            groupBy: ['http_host', 'http_path', 'http_status'],
            limit: 20,
            filter: within(http, 'http_status >= 400'),
          }),
        ),
      ],
    ),
    line(
      9,
      [
        10,
        table(
          { title: 'Clients', description: 'Who asks, and how much it gets.' },
          rows({
            measures: ['http_requests', 'http_response_bytes', 'http_error_ratio'],
            groupBy: ['client_ip'],
            limit: 20,
            filter: http,
          }),
        ),
      ],
      [
        8,
        table(
          { title: 'User agents', description: 'As clients name themselves.' },
          rows({
            measures: ['http_requests', 'distinct_client_ip'],
            groupBy: ['http_user_agent'],
            limit: 20,
            filter: http,
          }),
        ),
      ],
      [
        6,
        bars(
          { title: 'Methods', description: 'Requests by method.' },
          rows({ measures: ['http_requests'], groupBy: ['http_method'], limit: 10, other: true, filter: http }),
        ),
      ],
    ),
  ],
};

const tlsSection: Section = {
  heading: 'TLS',
  lines: [
    line(
      4,
      [
        12,
        stat(
          { title: 'ClientHellos', description: 'TLS connections that were begun.' },
          rows({ measures: ['tls_client_hellos'], filter: tls }),
        ),
      ],
      [
        12,
        stat(
          { title: 'Server names', description: 'Different names (SNI), without those that gave none.' },
          rows({ measures: ['distinct_tls_server_name'], filter: tls }),
        ),
      ],
    ),
    line(
      9,
      [
        16,
        timeSeries(
          { title: 'Connections by version', description: 'ClientHellos for each point.' },
          [series({ measures: ['tls_client_hellos'], groupBy: ['tls_version'], limit: 6, other: true, filter: tls })],
          { look: 'bars', interval: '10s' },
        ),
      ],
      [
        8,
        bars(
          { title: 'Versions', description: 'The highest that clients offer.' },
          rows({ measures: ['tls_client_hellos'], groupBy: ['tls_version'], limit: 8, filter: tls }),
        ),
      ],
    ),
    line(
      10,
      [
        12,
        table(
          { title: 'Server names', description: 'By connections. Click one to see only it.' },
          rows({
            measures: ['tls_client_hellos', 'distinct_client_ip', 'distinct_server_ip'],
            groupBy: ['tls_server_name'],
            limit: 25,
            filter: tls,
          }),
        ),
      ],
      [
        12,
        table(
          { title: 'Clients', description: 'Who begins connections, to how many names.' },
          rows({
            measures: ['tls_client_hellos', 'distinct_tls_server_name', 'distinct_server_ip'],
            groupBy: ['client_ip'],
            limit: 25,
            filter: tls,
          }),
        ),
      ],
    ),
    line(
      9,
      [
        8,
        bars(
          { title: 'Application protocols', description: 'The first that clients offer (ALPN).' },
          rows({ measures: ['tls_client_hellos'], groupBy: ['tls_alpn'], limit: 8, other: true, filter: tls }),
        ),
      ],
      [
        16,
        table(
          {
            title: 'Without a server name',
            description: 'Connections that do not say whom they want: old clients, scanners, malware.',
          },
          rows({
            measures: ['tls_client_hellos'],
            groupBy: ['client_ip', 'server_ip', 'server_port'],
            limit: 20,
            filter: within(scope, 'tls_server_name = ""'),
          }),
        ),
      ],
    ),
  ],
};

export const web = dashboard({
  key: 'web',
  title: 'NetSpectra / HTTP and TLS',
  description: 'Requests and answers that can be read, and the names and versions of connections that cannot.',
  variables: trafficVariables(
    textBox('http_host', 'HTTP host', 'A host, or a pattern such as *.example.org. Empty: all.'),
    textBox('server_name', 'TLS server name', 'A name, or a pattern. Empty: all.'),
  ),
  body: [httpSection, tlsSection],
});
