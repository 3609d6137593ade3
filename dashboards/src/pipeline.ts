import { dashboard, line } from './dashboard.js';
import { probesLink } from './links.js';
import { prometheusSeries, stat, table, timeSeries } from './panels.js';
import { rows, series } from './query.js';
import { probeScope, prometheusVariable, probeVariables } from './variables.js';

const filter = probeScope;
const some = { steps: [{ value: 1, color: 'red' }] } as const;

export const pipeline = dashboard({
  key: 'pipeline',
  title: 'NetSpectra / Capture and pipeline health',
  description:
    'What probes captured and what was lost, by reason; with Prometheus also the engine, the store and the API.',
  variables: [...probeVariables(), prometheusVariable],
  links: [probesLink],
  body: [
    line(
      4,
      [
        4,
        stat(
          { title: 'Packets', description: 'Handed on by probes in the time range.' },
          rows({ measures: ['probe_packets'], filter }),
        ),
      ],
      [
        4,
        stat(
          {
            title: 'Dropped by the kernel',
            description: 'Before the probe saw them: it is too slow, or its buffer too small.',
          },
          rows({ measures: ['probe_kernel_dropped'], filter }),
          some,
        ),
      ],
      [
        4,
        stat(
          {
            title: 'Undecodable',
            description: 'Packets that could not be decoded to the end; they are counted nevertheless.',
          },
          rows({ measures: ['probe_undecodable'], filter }),
          { steps: [{ value: 1, color: 'yellow' }] },
        ),
      ],
      [
        4,
        stat(
          { title: 'Filtered out', description: 'Left out by the capture filter, as was wanted.' },
          rows({ measures: ['probe_filtered'], filter }),
        ),
      ],
      [
        4,
        stat(
          {
            title: 'Late packets',
            description: 'Came after their window was written; they are counted in it all the same.',
          },
          rows({ measures: ['late_packets'], filter }),
          { steps: [{ value: 1, color: 'yellow' }] },
        ),
      ],
      [
        4,
        stat(
          { title: 'Folded flows', description: 'Folded into "other" because the flow table was full.' },
          rows({ measures: ['folded_flows'], filter }),
          some,
        ),
      ],
    ),
    line(
      9,
      [
        12,
        timeSeries(
          {
            title: 'Packets by probe',
            description: 'Handed on, for each point, by the time at which the probe reported them.',
          },
          [series({ measures: ['probe_packets'], groupBy: ['probe'], limit: 20, other: true, filter })],
          { look: 'bars', interval: '10s' },
        ),
      ],
      [
        12,
        timeSeries(
          {
            title: 'Lost, by reason',
            description: 'For each point: dropped by the kernel, not decodable, late, and flows folded.',
          },
          [series({ measures: ['probe_kernel_dropped', 'probe_undecodable', 'late_packets', 'folded_flows'], filter })],
          { look: 'bars', interval: '10s' },
        ),
      ],
    ),
    line(
      10,
      [
        14,
        table(
          { title: 'Probes', description: 'What each captured and lost.' },
          rows({
            measures: [
              'probe_packets',
              'probe_kernel_dropped',
              'probe_undecodable',
              'probe_filtered',
              'late_packets',
              'folded_flows',
            ],
            groupBy: ['probe'],
            limit: 100,
            filter,
          }),
          { steps: { probe_kernel_dropped: [{ value: 1, color: 'red' }], folded_flows: [{ value: 1, color: 'red' }] } },
        ),
      ],
      [
        10,
        timeSeries(
          {
            title: 'Traffic by probe',
            description: 'What the stored rows add up to: a probe that stops is seen here.',
          },
          [series({ measures: ['packets_per_second'], groupBy: ['probe'], limit: 20, other: true, filter })],
          { look: 'area' },
        ),
      ],
    ),
    {
      heading: 'Processes (needs a Prometheus that scrapes /metrics)',
      folded: true,
      lines: [
        line(
          8,
          [
            8,
            prometheusSeries(
              { title: 'Under way', description: 'Packets read and not yet stored: how far the engine is behind.' },
              'short',
              { 'netspectra_packets_read_total - netspectra_packets_stored_total': '{{instance}}' },
            ),
          ],
          [
            8,
            prometheusSeries(
              {
                title: 'Flushes waiting',
                description:
                  'Waiting for the store or being written: a store that is slower than the traffic lets them grow.',
              },
              'short',
              { netspectra_engine_flushes_waiting: '{{instance}}' },
            ),
          ],
          [
            8,
            prometheusSeries(
              { title: 'Limits met', description: 'How often the engine met a limit, per second, by which one.' },
              'cps',
              {
                'sum by (instance, limit) (rate(netspectra_engine_limits_total[$__rate_interval]))':
                  '{{instance}} {{limit}}',
              },
            ),
          ],
        ),
        line(
          8,
          [
            8,
            prometheusSeries(
              { title: 'Store trouble', description: 'Inserts tried again, and flushes given up, per second.' },
              'cps',
              {
                'rate(netspectra_store_retries_total[$__rate_interval])': '{{instance}} retries',
                'rate(netspectra_store_failures_total[$__rate_interval])': '{{instance}} failures',
              },
            ),
          ],
          [
            8,
            prometheusSeries(
              { title: 'Query time', description: 'Of statements in the store, 95th percentile, by table.' },
              's',
              {
                'histogram_quantile(0.95, sum by (le, table) (rate(netspectra_api_query_duration_seconds_bucket[$__rate_interval])))':
                  '{{table}}',
              },
            ),
          ],
          [
            8,
            prometheusSeries({ title: 'Memory', description: 'Resident memory of NetSpectra processes.' }, 'bytes', {
              'process_resident_memory_bytes and on (instance, job) netspectra_build_info': '{{instance}}',
            }),
          ],
        ),
      ],
    },
  ],
});
