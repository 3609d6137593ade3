/**
 * docs/metrics.md is made from the metrics themselves: `npx vitest run backend/src/cli/metrics.test.ts -u` writes it anew.
 * What a real Prometheus makes of them: test/integration/prometheus.test.ts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emptyCounters } from '@netspectra/proto';
import type { Probe } from '@netspectra/collector/probe';
import pino from 'pino';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../config/index.js';
import { mergeAccounting } from '../engine/accounting.js';
import { Enricher } from '../enrichment/index.js';
import type { Store } from '../storage/index.js';
import { tables } from '../tables/index.js';
import {
  registerCaptureMetrics,
  registerEngineMetrics,
  registerEnrichmentMetrics,
  registerProcessMetrics,
  registerStoreMetrics,
} from './metrics.js';
import type { CaptureFigures, EngineFigures, EnrichmentFigures } from './metrics.js';
import { registerBusEngineMetrics } from './engine-metrics.js';
import { registerRealtimeMetrics } from './realtime.js';
import { registerProbeMetrics } from './probe-metrics.js';
import { serviceOf } from './service.js';
import { registerFileMetrics, registerVictoriaMetricsMetrics } from './writer-metrics.js';
import type { FileFigures, VictoriaMetricsFigures } from './writer-metrics.js';

const docs = fileURLToPath(new URL('../../../docs/', import.meta.url));

const figures = (over: Partial<EngineFigures> = {}): EngineFigures => ({
  stored: () => mergeAccounting([]),
  limits: () => ({}),
  flows: () => 0,
  ...over,
});
const captureFigures: CaptureFigures = {
  packetsRead: () => 0,
  captureBytesRead: () => 0,
  captureBytes: () => 0,
  held: () => ({ flows: 0, flushes: 0, chunks: 0 }),
};
const counters = { flushes: 0, inserts: 0, rows: 0, bytes: 0, retries: 0, failures: 0 };

const enrichment = (over: Partial<EnrichmentFigures> = {}): EnrichmentFigures => ({
  source: {
    counters: { reloads: 0, refused: 0 },
    databases: [],
    enricher: new Enricher({ networks: [], country: null, asn: null }),
  },
  reverseDns: null,
  ...over,
});

const statusOf = (ok: boolean) => () => ({ name: 'writer', ok, detail: '' });
const victoriaMetrics = (over: Partial<VictoriaMetricsFigures> = {}): VictoriaMetricsFigures => ({
  counters: { sent: 0, dropped: 0, refused: 0, retries: 0, repeated: 0 },
  queueBytes: 0,
  series: 0,
  folded: 0,
  status: statusOf(true),
  ...over,
});
const files = (failed = false): FileFigures => ({
  files: {
    counters: {
      ...{ flushes: 5, repeated: 0, rows: 50, bytes: 5000, failures: failed ? 3 : 0 },
      ...{ rotated: 2, deleted: 1, compressFailures: 0, tornBytes: 0 },
    },
    bytes: 700,
    files: 2,
  },
  queue: {
    counters: { dropped: failed ? 4 : 0, droppedRows: failed ? 40 : 0, retries: 0 },
    queueBytes: 9,
    status: statusOf(!failed),
  },
});

/** The registry of a process as `up` and `api` wire it, over a store that is never asked. */
async function registryOf(process: 'up' | 'api'): Promise<Registry> {
  const metrics = new Registry();
  registerProcessMetrics(metrics, '0.0.0');
  registerEnrichmentMetrics(metrics, enrichment());
  registerRealtimeMetrics(metrics, { inProcess: null, redis: null });
  if (process === 'up') {
    registerEngineMetrics(metrics, figures());
    registerCaptureMetrics(metrics, captureFigures);
    registerStoreMetrics(metrics, () => counters);
    registerVictoriaMetricsMetrics(metrics, victoriaMetrics());
    registerFileMetrics(metrics, files());
  }
  const store = {} as Store;
  const { api } = serviceOf(
    loadConfig({ path: undefined, env: {}, taskSchemas: [] }),
    store,
    pino({ level: 'silent' }),
    {
      metrics,
      status: () => ({ dependencies: [], watermarkMs: null }),
    },
  );
  await api.app.ready();
  await api.stop();
  return metrics;
}

interface Told {
  name: string;
  type: string;
  help: string;
  labels: readonly string[];
}

/** Ours; those of prom-client differ by platform. */
function toldBy(registry: Registry): Told[] {
  const ours = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('netspectra_'));
  return ours.map((metric) => {
    // prom-client's types leave out what every metric has.
    const {
      name,
      help,
      type,
      labelNames = [],
    } = metric as unknown as {
      name: string;
      help: string;
      type: string;
      labelNames?: readonly string[];
    };
    return { name, help: help.replace(/\.$/, ''), type, labels: labelNames.filter((label) => label !== 'le') };
  });
}

const parts: readonly [title: string, text: string, prefix: RegExp][] = [
  [
    'Packets',
    'What was read and what became of it. `netspectra_packets_read_total` minus `netspectra_packets_stored_total` is under way.',
    /^netspectra_(packets|bytes|decode|capture)_/,
  ],
  ['Engine', 'What it holds at the moment, and the limits it met.', /^netspectra_engine_/],
  ['Store', 'What was written.', /^netspectra_store_/],
  [
    'Other writers',
    'What went to VictoriaMetrics and to NDJSON files, where they are configured ([storage.md](storage.md#other-writers)). Worth ' +
      'an alert: `netspectra_files_ok` or `netspectra_victoria_metrics_ok` at 0 for minutes, and ' +
      '`netspectra_files_rows_dropped_total` or `netspectra_victoria_metrics_rows_folded_total` rising.',
    /^netspectra_(victoria_metrics|files)_/,
  ],
  [
    'Enrichment',
    'What is known about addresses: files and reverse DNS ([enrichment.md](enrichment.md)).',
    /^netspectra_(enrichment|reverse_dns)_/,
  ],
  [
    'Real-time state',
    'What happens now, in this process and in Redis ([realtime.md](realtime.md)).',
    /^netspectra_realtime_/,
  ],
  ['API', 'What was asked.', /^netspectra_(api|live)_/],
  [
    'Process',
    'Besides, what prom-client tells of Node.js and the operating system: CPU (`process_cpu_seconds_total`), memory ' +
      '(`process_resident_memory_bytes`, `nodejs_heap_*`, `nodejs_external_memory_bytes`), open files (`process_open_fds`, on ' +
      'Linux), lag of the event loop (`nodejs_eventloop_lag_*_seconds`), garbage collection (`nodejs_gc_duration_seconds`).',
    /^netspectra_build_/,
  ],
];

const probeText =
  'What a probe tells at `probe.listen`, and `up --interface` ([probe.md](probe.md)); the label is the interface. Worth an alert: ' +
  '`rate(netspectra_probe_kernel_dropped_total[1m])` or `rate(netspectra_probe_publish_dropped_total[1m])` above a thousandth of ' +
  '`rate(netspectra_probe_packets_total[1m])`, and `netspectra_probe_bus_connected` or `netspectra_probe_interface_up` at 0.';

/** The registry of a probe that captures nothing yet. */
function probeRegistry(rings: Probe['rings'] = []): Registry {
  const metrics = new Registry();
  const publisher = {
    connected: true,
    unacknowledged: 0,
    unacknowledgedBytes: 0,
    spooled: 0,
    spooledBytes: 0,
    confirmed: 0,
    confirmedBytes: 0,
    duplicates: 0,
    retries: 0,
    repeated: 0,
    restored: 0,
    refused: 0,
    lost: 0,
  };
  const bus = { connected: true, reconnects: 0, lastError: '' };
  const rules = {
    refused: { too_large: 0, malformed: 0, foreign: 0, stale: 0, unusable: 0 },
    taken: 0,
    status: { version: '', rules: 0, error: '', failed_version: '', refused: 0 },
  };
  registerProbeMetrics(metrics, { rings, queued: 0 }, () => ({ bus, publisher, spool: null }), rules);
  return metrics;
}

/** The registry of an engine that holds no partition yet; the process adds up those of its threads. */
function engineRegistry(): Registry {
  const metrics = new Registry();
  registerProcessMetrics(metrics, '0.0.0');
  registerEnrichmentMetrics(metrics, enrichment());
  registerStoreMetrics(metrics, () => counters);
  const zero = { messages: 0, packets: 0, bytes: 0, duplicates: 0, gaps: 0, late: 0, missing: 0, flushes: 0 };
  const copies = {
    duplicatePackets: 0,
    duplicatesLatePackets: 0,
    duplicatesUnjudgedPackets: 0,
    duplicatesOverflows: 0,
  };
  const before = { ...zero, ...copies, flushRetries: 0, streamsEvicted: 0, refused: {}, limits: {} };
  registerBusEngineMetrics(metrics, () => ({
    id: 'e-0',
    partitions: [],
    before,
    engines: 1,
    flowsLive: 0,
    busConnected: true,
    busReconnects: 0,
    leasesLost: 0,
    leaseError: '',
  }));
  return metrics;
}

/** The processes by what they tell, in the order of the page. */
type ToldByProcess = Readonly<Record<'up' | 'api' | 'engine', readonly Told[]>>;

function pageOf(processes: ToldByProcess, probe: readonly Told[]): string {
  const tells = Object.entries(processes).map(([name, told]) => ({ name, told: new Set(told.map((one) => one.name)) }));
  const where = (metric: string): string =>
    tells
      .filter(({ told }) => told.has(metric))
      .map(({ name }) => name)
      .join(', ');
  const all = new Map(Object.values(processes).flatMap((told) => told.map((one) => [one.name, one] as const)));
  const rows = (prefix: RegExp): string =>
    [...all.values()]
      .filter(({ name }) => prefix.test(name))
      .map(
        ({ name, type, help, labels }) =>
          `| \`${name}${labels.length ? `{${labels.join(',')}}` : ''}\` | ${type} | ${where(name)} | ${help} |`,
      )
      .join('\n');
  const head = `# Metrics

<!-- Made by backend/src/cli/metrics.test.ts from the metrics themselves: change the text there. -->

\`GET /metrics\` of every process, in the Prometheus text format; a token needs the role viewer. Counters begin at 0 when the
process starts. No label holds anything from the wire, so the number of series does not grow with the traffic. \`up --interface\`
tells what engine and probe tell, in place of what is read from files.

\`\`\`yaml
scrape_configs:
  - job_name: netspectra
    static_configs: [{ targets: ['127.0.0.1:8080'] }]
    # authorization: { credentials_file: /etc/prometheus/netspectra-token }
\`\`\`

Worth an alert: \`netspectra_store_failures_total\` rising (flushes are given up: data is missing until the capture is read
again), \`rate(netspectra_store_retries_total[5m]) > 0\` for long (the store is slow or away), \`netspectra_engine_flushes_waiting\`
at twice the number of workers (the store is slower than the traffic), \`netspectra_engine_limits_total{limit="flows_folded"}\`
rising (more flows than \`engine.flow_table.max_flows\`), \`netspectra_enrichment_refused_total\` rising or
\`time() - netspectra_enrichment_database_built_timestamp_seconds > 60 * 86400\` (nobody replaces the database), and \`netspectra_api_queries_waiting\` above 0 for long.
`;
  const sections = parts.map(
    ([title, text, prefix]) =>
      `\n## ${title}\n\n${text}\n\n| metric | type | process | meaning |\n| --- | --- | --- | --- |\n${rows(prefix)}\n`,
  );
  const probeRows = probe.map(
    ({ name, type, help, labels }) =>
      `| \`${name}${labels.length ? `{${labels.join(',')}}` : ''}\` | ${type} | probe | ${help} |`,
  );
  return `${head}${sections.join('')}\n## Probe\n\n${probeText}\n\n| metric | type | process | meaning |\n| --- | --- | --- | --- |\n${probeRows.join('\n')}\n`;
}

describe('metrics', () => {
  it('are all in docs/metrics.md, which says nothing else', async () => {
    const up = toldBy(await registryOf('up'));
    const api = toldBy(await registryOf('api'));
    const engine = toldBy(engineRegistry());
    const left = [...up, ...api, ...engine].filter(({ name }) => !parts.some(([, , prefix]) => prefix.test(name)));
    expect(left.map(({ name }) => name)).toEqual([]);
    await expect(pageOf({ up, api, engine }, toldBy(probeRegistry()))).toMatchFileSnapshot('../../../docs/metrics.md');
  });

  it('are there by the names that the pages give to operators', async () => {
    const registries = [await registryOf('up'), await registryOf('api'), engineRegistry(), probeRegistry()];
    const told = registries.flatMap((registry) =>
      registry.getMetricsAsArray().flatMap(({ name, type }) => [
        name,
        // prom-client's types say a string, it is one; what a histogram is made of stands in expressions.
        ...(String(type) === 'histogram' ? ['bucket', 'count', 'sum'].map((part) => `${name}_${part}`) : []),
      ]),
    );
    const known = new Set(told);
    const named = readdirSync(docs)
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        // Without the placeholders of several, `netspectra_files_*`.
        [
          ...readFileSync(join(docs, file), 'utf8').matchAll(
            /\b(?:netspectra_[a-z]+_|process_)[a-z_]*[a-z](?![a-z_*])/g,
          ),
        ].map(([name]) => ({ file, name })),
      );
    expect(named.length).toBeGreaterThan(100);
    // What goes to VictoriaMetrics (docs/storage.md) is named alike.
    const written = /^netspectra_(traffic|tcp_health)_/;
    expect(named.filter(({ name }) => !known.has(name) && !written.test(name))).toEqual([]);
  });

  it('show what the engine and the writer tell, counters as counters', async () => {
    const registry = new Registry();
    const account = { ...mergeAccounting([]), packets: 7, bytes: 900, undecodable: 2, reasons: { tcp_cut: 2 } };
    registerEngineMetrics(registry, figures({ stored: () => account, limits: () => ({ flows_folded: 3 }) }));
    const observer = registerStoreMetrics(registry, () => ({ ...counters, retries: 4 }));
    observer.inserted('flows', 10, 1000, 0.05);
    observer.inserted('flows', 5, 500, 0.5);
    observer.flushed(0.6, true);
    for (let asked = 0; asked < 2; asked += 1) {
      const text = await registry.metrics();
      for (const line of [
        '# TYPE netspectra_packets_stored_total counter',
        'netspectra_packets_stored_total 7',
        'netspectra_decode_errors_total{reason="tcp_cut"} 2',
        'netspectra_engine_limits_total{limit="flows_folded"} 3',
        'netspectra_store_retries_total 4',
        'netspectra_store_rows_total{table="flows"} 15',
        'netspectra_store_bytes_total{table="flows"} 1500',
        'netspectra_store_rows_total{table="dns"} 0',
        'netspectra_store_insert_duration_seconds_count{table="flows"} 2',
        'netspectra_store_flush_duration_seconds_count 1',
      ]) {
        expect(text.split('\n'), line).toContain(line);
      }
    }
    const byTable = (await registry.metrics()).match(/^netspectra_store_rows_total\{/gm);
    expect(byTable).toHaveLength(Object.keys(tables).length);
  });

  it('show what writers beside the store took, dropped and hold', async () => {
    const registry = new Registry();
    const counters = { sent: 7, dropped: 3, refused: 2, retries: 4, repeated: 1 };
    registerVictoriaMetricsMetrics(
      registry,
      victoriaMetrics({ counters, queueBytes: 11, series: 6, folded: 5, status: statusOf(false) }),
    );
    registerFileMetrics(registry, files(true));
    expect((await registry.metrics()).split('\n')).toEqual(
      expect.arrayContaining([
        'netspectra_victoria_metrics_samples_sent_total 7',
        'netspectra_victoria_metrics_samples_dropped_total{reason="queue"} 3',
        'netspectra_victoria_metrics_samples_dropped_total{reason="refused"} 2',
        'netspectra_victoria_metrics_retries_total 4',
        'netspectra_victoria_metrics_rows_folded_total 5',
        'netspectra_victoria_metrics_flushes_repeated_total 1',
        'netspectra_victoria_metrics_series 6',
        'netspectra_victoria_metrics_queue_bytes 11',
        'netspectra_victoria_metrics_ok 0',
        'netspectra_files_rows_total 50',
        'netspectra_files_rows_dropped_total 40',
        'netspectra_files_flushes_dropped_total 4',
        'netspectra_files_failures_total 3',
        'netspectra_files_rotated_total 2',
        'netspectra_files_deleted_total 1',
        'netspectra_files_size_bytes 700',
        'netspectra_files_queue_bytes 9',
        'netspectra_files_ok 0',
      ]),
    );
  });

  it('show what each interface of a probe saw and lost, rings of one added up', async () => {
    const live = { received: 0, delivered: 0, dropped: 0, freezes: 2, badBlocks: 0 };
    const ring = (name: string, received: number, state: 'up' | 'down') => ({
      interface: name,
      epoch: 1n,
      report: {
        counters: { ...emptyCounters(), received, kernelDropped: 1, held: 3, reasons: { 1: 2 } },
        live,
        state,
        messages: 0,
        rulesVersion: '',
      },
    });
    const text = await probeRegistry([
      ring('eth0', 10, 'up'),
      ring('eth0', 5, 'up'),
      ring('eth1', 7, 'down'),
    ]).metrics();
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'netspectra_probe_packets_total{interface="eth0"} 15',
        'netspectra_probe_packets_total{interface="eth1"} 7',
        'netspectra_probe_kernel_dropped_total{interface="eth0"} 2',
        'netspectra_probe_freezes_total{interface="eth1"} 2',
        'netspectra_probe_interface_up{interface="eth1"} 0',
        'netspectra_probe_held_packets 9',
      ]),
    );
    expect(text).toMatch(/netspectra_probe_decode_errors_total\{reason="[a-z_]+"\} 6/);
  });

  it('show what became of databases and of questions for names', async () => {
    const registry = new Registry();
    const source = {
      counters: { reloads: 2, refused: 1 },
      databases: [
        { key: 'asn_file', path: '/asn.mmdb', type: 'ASN', built: new Date('2026-06-01T00:00:00Z'), bytes: 1 },
      ],
      enricher: enrichment().source.enricher,
    } as const;
    const asked = { asked: 12, found: 5, absent: 4, failed: 2, refused: 1, dropped: 3 };
    registerEnrichmentMetrics(registry, { source, reverseDns: { counters: asked, size: 9 } });
    const lines = (await registry.metrics()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'netspectra_enrichment_reloads_total 2',
        'netspectra_enrichment_refused_total 1',
        'netspectra_enrichment_damaged_records_total 0',
        'netspectra_enrichment_database_built_timestamp_seconds{database="asn_file"} 1780272000',
        'netspectra_reverse_dns_answers_total{result="found"} 5',
        'netspectra_reverse_dns_answers_total{result="absent"} 4',
        'netspectra_reverse_dns_answers_total{result="failed"} 2',
        'netspectra_reverse_dns_answers_total{result="refused"} 1',
        'netspectra_reverse_dns_answers_total{result="dropped"} 3',
        'netspectra_reverse_dns_remembered 9',
      ]),
    );
  });
});
