/**
 * How wide the columns of a table are. Grafana divides what is left by columns without a width of their own evenly, and a
 * least width above that share pushes the last columns out of the panel. So numbers get what they and their heading need, and
 * names and bars divide the rest.
 */
import { findDimension, findMeasure, parseGroupKey } from '@netspectra/query';
import type { GroupKey } from '@netspectra/query';

/** A heading breaks between words. */
const headingPx = (label: string): number =>
  Math.ceil(16 + 7.5 * Math.max(...label.split(/[\s/]/).map((word) => word.length)));

/** Pixels of a number with its unit, and of a port or VLAN. */
const numberPx = 82;
const portPx = 72;
/** Least pixels of what takes the rest. */
const barPx = 92;
const namePx = 128;

export interface ColumnWidth {
  readonly id: 'custom.width' | 'custom.minWidth';
  readonly value: number;
}
const fixed = (value: number): ColumnWidth => ({ id: 'custom.width', value });
const atLeast = (value: number): ColumnWidth => ({ id: 'custom.minWidth', value });

/** @param measure an id @param isBar drawn as a bar, which is the longer the better */
export function measureWidth(measure: string, isBar: boolean): ColumnWidth {
  const heading = headingPx(findMeasure(measure)?.label ?? measure);
  return isBar ? atLeast(Math.max(barPx, heading)) : fixed(Math.max(numberPx, heading));
}

/** Columns whose texts are long: addresses, names. */
const isLong = /_ip(?:\/|$)|_name$|_host$|_path$|_user_agent$/;

export function groupWidth(key: GroupKey): ColumnWidth {
  if (isLong.test(key)) return atLeast(namePx);
  const parsed = parseGroupKey(key);
  const dimension = typeof parsed === 'string' ? undefined : findDimension(parsed.dimension);
  const heading = headingPx(dimension?.label ?? key);
  const isNumber = dimension?.type === 'number' || dimension?.type === 'port';
  return isNumber ? fixed(Math.max(portPx, heading)) : atLeast(heading);
}
