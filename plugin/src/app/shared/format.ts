/** Numbers and times for people. */
import { dateTimeFormat, dateTimeFormatTimeAgo, formattedValueToString, getValueFormat } from '@grafana/data';

/** A count, short: 12.3 K. */
export const countText = (value: number): string =>
  formattedValueToString(getValueFormat('short')(value, value < 1000 ? 0 : 1));

/** Bytes as panels write them: 12.3 MiB. */
export const bytesText = (value: number): string => formattedValueToString(getValueFormat('bytes')(value, 1));

/** A length of time: 3.2 hours. */
export const secondsText = (value: number): string => formattedValueToString(getValueFormat('s')(value, 1));

/** A share of a whole in percent; small ones are not rounded to nothing. */
export function shareText(part: number, whole: number): string {
  if (part === 0 || whole === 0) return '0 %';
  const percent = (100 * part) / whole;
  return percent < 0.01 ? '< 0.01 %' : `${percent.toLocaleString('en', { maximumFractionDigits: 2 })} %`;
}

/** A time with how long ago it was; a dash for none. */
export const timeText = (millis: number | null | undefined): string =>
  millis === null || millis === undefined ? '–' : `${dateTimeFormat(millis)} (${dateTimeFormatTimeAgo(millis)})`;
