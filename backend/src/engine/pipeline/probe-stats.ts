/** The accounting row that ends every flush (table `probe_stats`). */
import { before } from '../accounting.js';
import type { AccountingReport, Time } from '../accounting.js';
import type { DuplicateCounts } from '../duplicates/index.js';
import type { RowSink } from '../row-sink.js';

/** What became of packets before they were given to the engine, of the stretch that a flush covers. */
export interface CaptureShare {
  /** left out by a filter in the probe */
  readonly filtered: number;
  /** lost by the kernel because the ring was full */
  readonly kernelDropped: number;
}

export interface ProbeStats {
  /** names the source: file name or interface */
  source: string;
  partitions: number;
  /** where the source goes on after this flush; for a capture file the offset of the next record */
  position: number;
  complete: boolean;
  latePackets: number;
  flowsFolded: number;
  flowsLive: number;
  /** absent for capture files, which are read whole */
  capture?: CaptureShare;
  /** of the packets, those that another probe has brought already */
  duplicates?: DuplicateCounts;
  /** packet time up to which the source was seen, which may be later than the partition's last packet */
  seenUntil?: Time;
}

export function writeProbeStats(rows: RowSink, accounting: AccountingReport, stats: ProbeStats): void {
  const row = rows.table('probe_stats');
  const first = accounting.first ?? { seconds: 0, nanoseconds: 0 };
  const last = accounting.last ?? { seconds: 0, nanoseconds: 0 };
  const at = stats.seenUntil && before(last, stats.seenUntil) ? stats.seenUntil : last;
  row.begin();
  row.time(at.seconds, at.nanoseconds);
  row.text(stats.source);
  row.number(stats.partitions);
  row.number(stats.position);
  row.number(stats.complete ? 1 : 0);
  row.time(first.seconds, first.nanoseconds);
  row.time(last.seconds, last.nanoseconds);
  row.number(accounting.packets);
  row.number(accounting.bytes);
  row.number(accounting.capturedBytes);
  row.number(accounting.packets - accounting.undecodable);
  row.number(accounting.undecodable);
  row.number(stats.capture?.filtered ?? 0);
  row.number(stats.capture?.kernelDropped ?? 0);
  row.number(stats.latePackets);
  row.number(stats.flowsFolded);
  row.number(stats.flowsLive);
  row.map(accounting.reasons);
  row.number(accounting.samplingRate);
  row.number(stats.duplicates?.packets ?? 0);
  row.number(stats.duplicates?.bytes ?? 0);
  row.end();
}
