/**
 * What real-time state keeps of a flush, read from its rows: counters by window, the heaviest hosts, live flows. The rows are
 * text already, and this looks at the columns it needs only; `summary.bench.js` says what a row costs.
 */
import { formatAddress, parseAddress } from '@netspectra/query';
import { tables } from '../tables/index.js';
import type { Flush, RowBlock, TableName } from '../tables/index.js';
import { hostSeconds, rateSeconds } from './spans.js';

/** Hosts that are kept of one flush: the heaviest. */
export const hostsPerFlush = 128;
/** Hosts that are looked at in one flush; what comes after is left out, and said so. */
export const hostsLookedAtMax = 65_536;
/** Windows of counters that are kept of one flush: what it holds beyond is older than `rateSeconds`, or nonsense. */
const windowsMax = 256;

export interface CounterSum {
  /** seconds since 1970 */
  readonly start: number;
  readonly seconds: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface HostSum {
  /** beginning of the window of flow rows, seconds since 1970 */
  readonly window: number;
  readonly address: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly lastMs: number;
}

export interface FlushSummary {
  /** names exactly what is summed up, so that a flush that is repeated can be told: probe, epoch, partition, first, last */
  readonly name: string;
  readonly probe: string;
  /** 64 bits in decimal */
  readonly epoch: string;
  readonly partition: number;
  readonly lastSeq: number;
  readonly source: string;
  /** into how many partitions the stream is cut; 0 when the flush does not say */
  readonly partitions: number;
  /** packet time up to which the partition is stored with this flush, milliseconds; null when it held no packet */
  readonly watermarkMs: number | null;
  readonly complete: boolean;
  readonly flowsLive: number;
  readonly counters: readonly CounterSum[];
  /** width of the windows of flow rows, seconds; 0 when there are none */
  readonly hostWindowSeconds: number;
  readonly hosts: readonly HostSum[];
  /** there were more hosts than are listed */
  readonly hostsLeftOut: boolean;
}

const columnOf = (table: TableName, name: string): number =>
  tables[table].rowColumns.findIndex((column) => column.name === name);

const tab = 9;
const newline = 10;

/** Reads rows of TabSeparated text, a few of their columns. */
class Rows {
  readonly bytes: Buffer;
  /** where each column of the row at hand begins; the one after the last asked for ends it */
  private readonly starts: Int32Array;
  private next = 0;

  /** @param columns how many of the first columns are looked at */
  constructor(block: RowBlock, columns: number) {
    this.bytes = Buffer.from(block.bytes.buffer, block.bytes.byteOffset, block.bytes.byteLength);
    this.starts = new Int32Array(columns + 1);
  }

  /** Go to the next row; false at the end, and at a row that has too few columns. */
  advance(): boolean {
    const { bytes, starts } = this;
    let at = this.next;
    if (at >= bytes.length) return false;
    starts[0] = at;
    for (let column = 1; column < starts.length;) {
      const byte = bytes[at];
      if (byte === undefined || (byte === newline && column < starts.length - 1)) return false;
      at += 1;
      if (byte === tab || byte === newline) {
        starts[column] = at;
        column += 1;
      }
    }
    const end = bytes[at - 1] === newline ? at - 1 : bytes.indexOf(newline, at);
    this.next = end < 0 ? bytes.length : end + 1;
    return true;
  }

  /** A whole number; of one with a fraction the whole part. */
  number(column: number): number {
    const { bytes } = this;
    let value = 0;
    for (let at = this.starts[column]!; ; at += 1) {
      const digit = bytes[at]! - 48;
      if (!(digit >= 0 && digit <= 9)) return value;
      value = value * 10 + digit;
    }
  }

  text(column: number): string {
    return this.bytes.toString('latin1', this.starts[column], this.starts[column + 1]! - 1);
  }

  /** Milliseconds of a time that is written as seconds and nine digits. */
  millis(column: number): number {
    const [seconds = '0', fraction = '0'] = this.text(column).split('.');
    return Number(seconds) * 1000 + Math.floor(Number(`0.${fraction}`) * 1000);
  }
}

const stats = {
  columns: columnOf('probe_stats', 'reasons'),
  timestamp: columnOf('probe_stats', 'timestamp'),
  source: columnOf('probe_stats', 'source'),
  partitions: columnOf('probe_stats', 'partitions'),
  complete: columnOf('probe_stats', 'complete'),
  lastPacket: columnOf('probe_stats', 'last_packet'),
  flowsLive: columnOf('probe_stats', 'flows_live'),
};
const traffic = {
  columns: tables.traffic.rowColumns.length,
  start: columnOf('traffic', 'window_start'),
  seconds: columnOf('traffic', 'window_seconds'),
  packets: columnOf('traffic', 'packets'),
  bytes: columnOf('traffic', 'bytes'),
};
const flows = {
  columns: columnOf('flows', 'last') + 1,
  start: columnOf('flows', 'window_start'),
  seconds: columnOf('flows', 'window_seconds'),
  client: columnOf('flows', 'client_ip'),
  server: columnOf('flows', 'server_ip'),
  clientPackets: columnOf('flows', 'client_packets'),
  clientBytes: columnOf('flows', 'client_bytes'),
  serverPackets: columnOf('flows', 'server_packets'),
  serverBytes: columnOf('flows', 'server_bytes'),
  last: columnOf('flows', 'last'),
};

/** What a flush says for real-time state. Never throws; rows that are not as ours are end the reading of their block. */
export function summariseFlush(flush: Flush): FlushSummary {
  const blockOf = (name: TableName): RowBlock | undefined => flush.blocks.find(({ table }) => table === name);
  const account = accountOf(blockOf('probe_stats'));
  const { watermarkMs } = account;
  const newest = watermarkMs === null ? 0 : Math.floor(watermarkMs / 1000);
  const epoch = flush.epoch.toString();
  return {
    name: `${flush.probe}/${epoch}/${flush.partition}/${flush.firstSeq}-${flush.lastSeq}`,
    probe: flush.probe,
    epoch,
    partition: flush.partition,
    lastSeq: flush.lastSeq,
    ...account,
    counters: countersOf(blockOf('traffic'), newest - rateSeconds),
    ...hostsOf(blockOf('flows'), newest - hostSeconds),
  };
}

function accountOf(block: RowBlock | undefined) {
  const rows = block && new Rows(block, stats.columns);
  if (!rows?.advance()) return { source: '', partitions: 0, watermarkMs: null, complete: false, flowsLive: 0 };
  const millis = Math.max(rows.millis(stats.timestamp), rows.millis(stats.lastPacket));
  return {
    source: rows.text(stats.source),
    partitions: rows.number(stats.partitions),
    watermarkMs: millis > 0 ? millis : null,
    complete: rows.number(stats.complete) === 1,
    flowsLive: rows.number(stats.flowsLive),
  };
}

/** @param since windows that begin before are not wanted */
function countersOf(block: RowBlock | undefined, since: number): CounterSum[] {
  const sums = new Map<number, { start: number; seconds: number; packets: number; bytes: number }>();
  const rows = block && new Rows(block, traffic.columns);
  while (rows?.advance()) {
    const start = rows.number(traffic.start);
    if (start < since) continue;
    let sum = sums.get(start);
    if (!sum) {
      if (sums.size >= windowsMax) continue;
      sum = { start, seconds: rows.number(traffic.seconds), packets: 0, bytes: 0 };
      sums.set(start, sum);
    }
    sum.packets += rows.number(traffic.packets);
    sum.bytes += rows.number(traffic.bytes);
  }
  return [...sums.values()];
}

interface MutableHost {
  window: number;
  /** as in the row: eight groups */
  text: string;
  bytesSent: number;
  bytesReceived: number;
  packetsSent: number;
  packetsReceived: number;
  lastSeconds: number;
}

const blank = '0000:0000:0000:0000:0000:0000:0000:0000';

function hostsOf(
  block: RowBlock | undefined,
  since: number,
): Pick<FlushSummary, 'hostWindowSeconds' | 'hosts' | 'hostsLeftOut'> {
  const hosts = new Map<number, Map<string, MutableHost>>();
  let looked = 0;
  let leftOut = false;
  let hostWindowSeconds = 0;
  const hostOf = (window: number, text: string): MutableHost | null => {
    if (text === blank) return null; // smaller flows that were folded together have no addresses
    let ofWindow = hosts.get(window);
    if (!ofWindow) hosts.set(window, (ofWindow = new Map()));
    let host = ofWindow.get(text);
    if (host) return host;
    if (looked >= hostsLookedAtMax) {
      leftOut = true;
      return null;
    }
    looked += 1;
    host = { window, text, bytesSent: 0, bytesReceived: 0, packetsSent: 0, packetsReceived: 0, lastSeconds: 0 };
    ofWindow.set(text, host);
    return host;
  };
  const rows = block && new Rows(block, flows.columns);
  while (rows?.advance()) {
    const window = rows.number(flows.start);
    hostWindowSeconds = rows.number(flows.seconds);
    if (window + hostWindowSeconds <= since) continue;
    const client = hostOf(window, rows.text(flows.client));
    const server = hostOf(window, rows.text(flows.server));
    const clientPackets = rows.number(flows.clientPackets);
    const clientBytes = rows.number(flows.clientBytes);
    const serverPackets = rows.number(flows.serverPackets);
    const serverBytes = rows.number(flows.serverBytes);
    const last = rows.number(flows.last);
    if (client) add(client, clientPackets, clientBytes, serverPackets, serverBytes, last);
    if (server) add(server, serverPackets, serverBytes, clientPackets, clientBytes, last);
  }
  const heaviest = heaviestOf(hosts, hostsPerFlush);
  return {
    hostWindowSeconds,
    hosts: heaviest.map(({ text, lastSeconds, ...host }) => ({
      ...host,
      address: displayed(text),
      lastMs: lastSeconds * 1000,
    })),
    hostsLeftOut: leftOut || looked > heaviest.length,
  };
}

function add(
  host: MutableHost,
  packetsSent: number,
  bytesSent: number,
  packetsReceived: number,
  bytesReceived: number,
  lastSeconds: number,
): void {
  host.packetsSent += packetsSent;
  host.bytesSent += bytesSent;
  host.packetsReceived += packetsReceived;
  host.bytesReceived += bytesReceived;
  if (lastSeconds > host.lastSeconds) host.lastSeconds = lastSeconds;
}

const displayed = (text: string): string => {
  const words = parseAddress(text);
  return words ? formatAddress(words) : text;
};

const weight = (host: MutableHost): number => host.bytesSent + host.bytesReceived;

/** The `count` heaviest: one pass with a bound that rises, so that many light hosts cost no sorting. */
function heaviestOf(hosts: ReadonlyMap<number, ReadonlyMap<string, MutableHost>>, count: number): MutableHost[] {
  const kept: MutableHost[] = [];
  let bound = -1;
  const prune = (): void => {
    kept.sort((a, b) => weight(b) - weight(a) || (a.text < b.text ? -1 : 1));
    kept.length = Math.min(kept.length, count);
    if (kept.length === count) bound = weight(kept[count - 1]!);
  };
  for (const ofWindow of hosts.values()) {
    for (const host of ofWindow.values()) {
      if (weight(host) < bound) continue;
      kept.push(host);
      if (kept.length >= count * 8) prune();
    }
  }
  prune();
  return kept;
}
