/**
 * Rows of counters as time series: what flushes add is summed up since the process began, so that `rate()` and
 * `increase()` work on it as on any counter.
 *
 * A group is the series of one set of labels (all columns of `traffic` for one protocol, say). Groups are bounded: what
 * would make another one beyond `seriesMax` is added to the table's group `other="1"`, and counted, so that sums stay right.
 */
import { nameOf } from '@netspectra/query';
import { tables } from '../../tables/index.js';
import type { Flush, RowBlock, TableName } from '../../tables/index.js';

/** The tables that have counters to send. */
export const counterTables = ['traffic', 'tcp_health', 'probe_stats'] as const satisfies readonly TableName[];
type CounterTable = (typeof counterTables)[number];

/** Columns that are added up, each a series. */
const sums: Readonly<Record<CounterTable, readonly string[]>> = {
  traffic: ['packets', 'bytes'],
  tcp_health: [
    ...['tcp_packets', 'tcp_bytes', 'syn', 'syn_ack', 'fin', 'rst', 'retransmissions', 'out_of_order', 'zero_windows'],
    ...['rtt_count', 'rtt_sum_ns'],
  ],
  probe_stats: [
    ...['packets', 'bytes', 'captured_bytes', 'decoded', 'undecodable', 'filtered', 'kernel_dropped'],
    ...['late_packets', 'flows_folded'],
  ],
};

/** The first 0 is sent again with the next full sending: a server that is killed may have lost what it confirmed. */
export const zerosOfNew = 2;
const bucketCount = 32;
const labelLengthMax = 256;

/** The series of one set of labels. */
export interface SeriesGroup {
  readonly table: CounterTable | 'reasons';
  /** ready text: `probe="p1",protocol="tcp"` */
  readonly labels: string;
  readonly values: Float64Array;
  /** time of its first sample, which is 0: what a counter was before its first packet */
  readonly born: number;
  /** how often that 0 is still to be sent */
  zeros: number;
  changed: boolean;
}

export interface SeriesOptions {
  readonly seriesMax: number;
  /** also by VLAN */
  readonly vlan: boolean;
}

/** A label as the text format has it. */
function label(name: string, value: string): string {
  const short = value.length > labelLengthMax ? value.slice(0, labelLengthMax) : value;
  return `${name}="${short.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`;
}

export const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => label(name, value))
    .join(',');

const unescapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', f: '\f', 0: '\0' };
const unescapeTsv = (text: string): string =>
  text.includes('\\') ? text.replace(/\\(.)/gs, (_, c: string) => unescapes[c] ?? c) : text;

const positionsOf = (table: CounterTable): ReadonlyMap<string, number> =>
  new Map(tables[table].rowColumns.map(({ name }, i) => [name, i]));
const positions: Readonly<Record<CounterTable, ReadonlyMap<string, number>>> = {
  traffic: positionsOf('traffic'),
  tcp_health: positionsOf('tcp_health'),
  probe_stats: positionsOf('probe_stats'),
};

const numberOf = (text: string | undefined): number => {
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : 0;
};

export class CounterSeries {
  /** rows that found no room for a series of their own */
  folded = 0;
  private readonly groups = new Map<string, SeriesGroup>();
  private readonly options: SeriesOptions;
  private series = 0;

  constructor(options: SeriesOptions) {
    this.options = options;
  }

  get count(): number {
    return this.series;
  }

  all(): Iterable<SeriesGroup> {
    return this.groups.values();
  }

  /**
   * Add a flush's rows.
   * @param born time for the first sample of series that begin with it
   */
  add(flush: Flush, born: number): void {
    for (const block of flush.blocks) {
      if ((counterTables as readonly TableName[]).includes(block.table)) this.addBlock(flush.probe, block, born);
    }
  }

  private addBlock(probe: string, block: RowBlock, born: number): void {
    const table = block.table as CounterTable;
    const at = positions[table];
    const columns = sums[table].map((name) => at.get(name)!);
    const histogram = at.get('rtt_histogram');
    const reasons = at.get('reasons');
    for (const line of Buffer.from(block.bytes.buffer, block.bytes.byteOffset, block.bytes.length)
      .toString('utf8')
      .split('\n')) {
      if (line === '') continue;
      const fields = line.split('\t');
      const value = (name: string): string => fields[at.get(name) ?? -1] ?? '';
      const group = this.group(
        table,
        this.labelsOf(table, probe, value),
        born,
        sums[table].length + (histogram === undefined ? 0 : bucketCount),
      );
      columns.forEach((column, i) => (group.values[i]! += numberOf(fields[column])));
      if (histogram !== undefined) this.addHistogram(group, fields[histogram] ?? '');
      if (reasons !== undefined) this.addReasons(probe, fields[reasons] ?? '', born);
    }
  }

  private labelsOf(table: CounterTable, probe: string, value: (column: string) => string): Record<string, string> {
    const vlan = this.options.vlan && table !== 'probe_stats' ? { vlan: value('vlan').replace(/^0$/, '') } : {};
    if (table !== 'traffic') return { probe, ...vlan };
    const version = value('ip_version');
    return {
      probe,
      // Frames without IP have no protocol, and an empty label is none.
      ip_version: version === '0' ? '' : version,
      protocol: version === '0' ? '' : (nameOf('protocol', Number(value('protocol'))) ?? value('protocol')),
      application: unescapeTsv(value('application')),
      ...vlan,
    };
  }

  private addHistogram(group: SeriesGroup, text: string): void {
    const offset = sums.tcp_health.length;
    text
      .slice(1, -1)
      .split(',', bucketCount)
      .forEach((count, i) => (group.values[offset + i]! += numberOf(count)));
  }

  private addReasons(probe: string, text: string, born: number): void {
    for (const [, reason, count] of text.matchAll(/'((?:[^'\\]|\\.)*)':(\d+)/gs)) {
      this.group('reasons', { probe, reason: unescapeTsv(reason!) }, born, 1).values[0]! += numberOf(count);
    }
  }

  /** The group of these labels, marked as changed; that of the others when there is no room. */
  private group(table: SeriesGroup['table'], labels: Record<string, string>, born: number, size: number): SeriesGroup {
    const text = labelsText(Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== '')));
    let group = this.groups.get(`${table} ${text}`);
    if (!group && this.series + size > this.options.seriesMax) {
      this.folded += 1;
      group = this.groups.get(`${table} other`) ?? this.make(table, 'other', label('other', '1'), born, size);
    }
    group ??= this.make(table, text, text, born, size);
    group.changed = true;
    return group;
  }

  private make(table: SeriesGroup['table'], key: string, labels: string, born: number, size: number): SeriesGroup {
    const group = { table, labels, values: new Float64Array(size), born, zeros: zerosOfNew, changed: true };
    this.groups.set(`${table} ${key}`, group);
    this.series += size;
    return group;
  }
}

/** Names of a group's series, in the order of its values, without histogram. */
const names: Readonly<Record<SeriesGroup['table'], readonly string[]>> = {
  traffic: sums.traffic.map((column) => `netspectra_traffic_${column}_total`),
  tcp_health: sums.tcp_health.map((column) =>
    column === 'rtt_count'
      ? 'netspectra_tcp_health_rtt_seconds_count'
      : column === 'rtt_sum_ns'
        ? 'netspectra_tcp_health_rtt_seconds_sum'
        : `netspectra_tcp_health_${column}_total`,
  ),
  probe_stats: sums.probe_stats.map((column) => `netspectra_probe_stats_${column}_total`),
  reasons: ['netspectra_probe_stats_reasons_total'],
};
const nanoseconds = sums.tcp_health.indexOf('rtt_sum_ns');
/** Upper bounds of the buckets in seconds; the last one has none. */
const bucketBounds = Array.from({ length: bucketCount }, (_, i) =>
  i === bucketCount - 1 ? '+Inf' : String(2 ** (i + 1) / 1e6),
);

/** A group's samples in the Prometheus text format with times in milliseconds. `zero`: what they were before. */
export function groupLines(group: SeriesGroup, common: string, time: number, zero = false): string[] {
  const { table, values } = group;
  const labels = [group.labels, common].filter((text) => text !== '').join(',');
  const own = names[table];
  const lines = own.map((name, i) => {
    const value = zero ? 0 : table === 'tcp_health' && i === nanoseconds ? values[i]! / 1e9 : values[i]!;
    return `${name}{${labels}} ${value} ${time}\n`;
  });
  let sum = 0;
  for (let i = own.length; i < values.length; i += 1) {
    if (!zero) sum += values[i]!;
    const bound = bucketBounds[i - own.length]!;
    lines.push(`netspectra_tcp_health_rtt_seconds_bucket{${labels},le="${bound}"} ${sum} ${time}\n`);
  }
  return lines;
}
