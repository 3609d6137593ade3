/**
 * What a partition saw: every row it was given is counted here exactly once, decoded or not. These sums become the
 * accounting rows (`probe_stats`) and the head of an analysis.
 */
import { Layer } from '@netspectra/proto';
import { DecodeReason, decodeReasonNames } from '@netspectra/collector/decode';
import type { PacketSelection } from './packet-selection.js';

/** Protocols of an analysis, and their Layer bit. All seven stand in the lowest bits, so one table counts all sets. */
const counted = {
  ipv4: Layer.Ipv4,
  ipv6: Layer.Ipv6,
  arp: Layer.Arp,
  tcp: Layer.Tcp,
  udp: Layer.Udp,
  icmp: Layer.Icmp,
  icmpv6: Layer.Icmpv6,
} as const;
const countedMask = 127;

export interface Time {
  seconds: number;
  nanoseconds: number;
}

export interface AccountingReport {
  packets: number;
  bytes: number;
  capturedBytes: number;
  /** packets whose decoding ended early, for whatever reason */
  undecodable: number;
  /** of these, the ones whose own bytes are wrong: not cut by a snap length, not of a link type we do not know */
  badPackets: number;
  /** highest sampling rate of the batches; what is counted here are the packets that were kept, not what they stand for */
  samplingRate: number;
  /** null while nothing with a time was seen */
  first: Time | null;
  last: Time | null;
  protocols: Record<string, { packets: number; bytes: number }>;
  reasons: Record<string, number>;
}

export const before = (a: Time, b: Time): boolean =>
  a.seconds < b.seconds || (a.seconds === b.seconds && a.nanoseconds < b.nanoseconds);

/** Add counts by name to others. */
export function addCounts(into: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) into[name] = (into[name] ?? 0) + count;
}

/** Sum of several partitions' (or flushes') accounts. */
export function mergeAccounting(reports: readonly AccountingReport[]): AccountingReport {
  const sum = new Accounting().take();
  for (const report of reports) {
    sum.packets += report.packets;
    sum.bytes += report.bytes;
    sum.capturedBytes += report.capturedBytes;
    sum.undecodable += report.undecodable;
    sum.badPackets += report.badPackets;
    if (report.samplingRate > sum.samplingRate) sum.samplingRate = report.samplingRate;
    if (report.first && (!sum.first || before(report.first, sum.first))) sum.first = report.first;
    if (report.last && (!sum.last || before(sum.last, report.last))) sum.last = report.last;
    for (const [name, { packets, bytes }] of Object.entries(report.protocols)) {
      const into = (sum.protocols[name] ??= { packets: 0, bytes: 0 });
      into.packets += packets;
      into.bytes += bytes;
    }
    addCounts(sum.reasons, report.reasons);
  }
  return sum;
}

export class Accounting {
  private packets = 0;
  private bytes = 0;
  private capturedBytes = 0;
  private badPackets = 0;
  private samplingRate = 1;
  private firstSeconds = -1;
  private firstNanoseconds = 0;
  private lastSeconds = -1;
  private lastNanoseconds = 0;
  private readonly layerPackets = new Float64Array(countedMask + 1);
  private readonly layerBytes = new Float64Array(countedMask + 1);
  private readonly reasons = new Float64Array(256);

  count(selection: PacketSelection): void {
    const { batch, rows, count } = selection;
    const { layers, wireLength, capturedLength, timestampSeconds, timestampNanoseconds, reason } = batch;
    let bytes = 0;
    let captured = 0;
    if (batch.samplingRate > this.samplingRate) this.samplingRate = batch.samplingRate;
    for (let i = 0; i < count; i += 1) {
      const row = rows[i]!;
      const bits = layers[row]!;
      const wire = wireLength[row]!;
      bytes += wire;
      captured += capturedLength[row]!;
      const set = bits & countedMask;
      this.layerPackets[set] = this.layerPackets[set]! + 1;
      this.layerBytes[set] = this.layerBytes[set]! + wire;
      const why = reason[row]!;
      if (why !== DecodeReason.Ok) {
        this.reasons[why] = this.reasons[why]! + 1;
        if (
          (bits & Layer.Truncated) === 0 &&
          why !== DecodeReason.UnsupportedLinkType &&
          why !== DecodeReason.TooManyLayers
        ) {
          this.badPackets += 1;
        }
      }
      if ((bits & Layer.NoTimestamp) === 0) {
        const seconds = timestampSeconds[row]!;
        const nanoseconds = timestampNanoseconds[row]!;
        if (seconds > this.lastSeconds || (seconds === this.lastSeconds && nanoseconds > this.lastNanoseconds)) {
          this.lastSeconds = seconds;
          this.lastNanoseconds = nanoseconds;
        }
        if (
          this.firstSeconds < 0 ||
          seconds < this.firstSeconds ||
          (seconds === this.firstSeconds && nanoseconds < this.firstNanoseconds)
        ) {
          this.firstSeconds = seconds;
          this.firstNanoseconds = nanoseconds;
        }
      }
    }
    this.packets += count;
    this.bytes += bytes;
    this.capturedBytes += captured;
  }

  /** The sums since the last call; they restart at zero. */
  take(): AccountingReport {
    const protocols: AccountingReport['protocols'] = {};
    for (const [name, bit] of Object.entries(counted)) {
      let packets = 0;
      let bytes = 0;
      for (let set = 0; set <= countedMask; set += 1) {
        if ((set & bit) === 0) continue;
        packets += this.layerPackets[set]!;
        bytes += this.layerBytes[set]!;
      }
      if (packets > 0) protocols[name] = { packets, bytes };
    }
    const reasons: Record<string, number> = {};
    let undecodable = 0;
    this.reasons.forEach((count, reason) => {
      if (count === 0) return;
      reasons[decodeReasonNames[reason] ?? `reason_${reason}`] = count;
      undecodable += count;
    });
    const report: AccountingReport = {
      packets: this.packets,
      bytes: this.bytes,
      capturedBytes: this.capturedBytes,
      undecodable,
      badPackets: this.badPackets,
      samplingRate: this.samplingRate,
      first: this.firstSeconds < 0 ? null : { seconds: this.firstSeconds, nanoseconds: this.firstNanoseconds },
      last: this.lastSeconds < 0 ? null : { seconds: this.lastSeconds, nanoseconds: this.lastNanoseconds },
      protocols,
      reasons,
    };
    this.packets = 0;
    this.bytes = 0;
    this.capturedBytes = 0;
    this.badPackets = 0;
    this.samplingRate = 1;
    this.firstSeconds = -1;
    this.lastSeconds = -1;
    this.layerPackets.fill(0);
    this.layerBytes.fill(0);
    this.reasons.fill(0);
    return report;
  }
}
