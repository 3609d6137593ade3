/** Values of dimensions as people read them. */
import type { Dimension, FrameFieldConfig, Unit } from '@netspectra/query';
import { nameOrNumber } from './names.js';

const mapped = '::ffff:';

/** IPv6 text; IPv4-mapped addresses (RFC 4291 section 2.5.5.2) as dotted IPv4. */
export function addressText(text: string): string {
  return text.startsWith(mapped) && text.includes('.') ? text.slice(mapped.length) : text;
}

/** A dimension's value out of the store: addresses dotted, protocols by name, numbers as numbers, absent as null. */
export function displayValue(dimension: Dimension, value: unknown): string | number | null {
  if (value === null || value === undefined) return null;
  if (dimension.type === 'ip') return addressText(String(value));
  if (dimension.type === 'enum') return dimension.names ? nameOrNumber(dimension.names, Number(value)) : String(value);
  if (dimension.type === 'text') return String(value);
  return Number(value);
}

/** Field type of a dimension's column. */
export const isNumeric = (dimension: Dimension): boolean => dimension.type === 'number' || dimension.type === 'port';

/** Measures in the units that queries may ask for instead of the base ones: factor and Grafana's unit id. */
export function displayUnit(unit: Unit, display: boolean): { readonly unit: string; readonly factor: number } {
  if (display && unit === 'ns') return { unit: 'ms', factor: 1e-6 };
  if (display && unit === 'percentunit') return { unit: 'percent', factor: 100 };
  return { unit, factor: 1 };
}

/** `none` is Grafana's default: leaving it out keeps the user's own default. */
export const unitConfig = (unit: string): FrameFieldConfig => (unit === 'none' ? {} : { unit });
