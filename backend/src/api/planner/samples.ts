/**
 * Samples: the equal pieces of time over which peaks and percentiles of rates are taken. Transit is billed by the 95th
 * percentile of 5-minute means, so that is the width for a day and more; shorter spans have too few of those.
 */
import type { Measure } from '@netspectra/query';

/** Sample widths by the span they divide, widest first; milliseconds. */
const widths: readonly { readonly spanMin: number; readonly width: number }[] = [
  { spanMin: 86_400_000, width: 300_000 },
  { spanMin: 3_600_000, width: 60_000 },
  { spanMin: 0, width: 10_000 },
];

export const needsSamples = (measures: readonly Measure[]): boolean =>
  measures.some((measure) => measure.kind === 'rate_quantile');

/**
 * Width of the samples of a span, milliseconds.
 * @param spanMs the range, or the bucket of a time series
 * @param windowMs width of the table's rows: a sample is made of whole ones
 * @param whole the span must hold a whole number of samples (a bucket); else the range is to grow to one
 */
export function sampleWidth(spanMs: number, windowMs: number, whole: boolean): number {
  const fits = (width: number): boolean => width % windowMs === 0 && (!whole || spanMs % width === 0);
  return widths.find(({ spanMin, width }) => spanMs >= spanMin && fits(width))?.width ?? windowMs;
}

/**
 * Place of the wanted sample among `count` samples in ascending order, from 0, by nearest rank: the smallest value that at
 * least the share `level` of all samples do not exceed. Reckoned in percent, so that 0.95 of 20 is 19.
 */
export const sampleRank = (level: number, count: number): number =>
  Math.max(0, Math.ceil((Math.round(level * 100) * count) / 100) - 1);
