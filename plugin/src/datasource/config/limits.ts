/** Settings that are numbers: what is typed, what is kept, and what is wrong with it. */
import { limitBounds } from '../../../server/src/contract/settings.js';
import type { NetSpectraJsonData } from '../types.js';

export type LimitName = keyof typeof limitBounds;
export const limitNames = ['timeoutSeconds', 'rows', 'rangeHours', 'requests'] as const satisfies readonly LimitName[];

/** The stored number as text; empty where none is. */
export function limitText(data: NetSpectraJsonData, name: LimitName): string {
  const value = name === 'timeoutSeconds' ? data.timeout : data.limits?.[name];
  return value === undefined ? '' : String(value);
}

/** One line when the text is no number in bounds; undefined when it is fine, or empty. */
export function limitProblem(name: LimitName, text: string): string | undefined {
  if (text.trim() === '') return undefined;
  const { min, max } = limitBounds[name];
  const value = Number(text);
  return Number.isInteger(value) && value >= min && value <= max
    ? undefined
    : `a whole number from ${min} to ${max.toLocaleString('en')}`;
}

/** The settings with the number, or without it where the text is empty. */
export function withLimit(data: NetSpectraJsonData, name: LimitName, text: string): NetSpectraJsonData {
  const { timeout, limits = {}, ...rest } = data;
  const { [name as 'rows']: _gone, ...others } = limits;
  const value = text.trim() === '' ? {} : { [name]: Number(text) };
  const kept = name === 'timeoutSeconds' ? limits : { ...others, ...value };
  const seconds = name === 'timeoutSeconds' ? (text.trim() === '' ? undefined : Number(text)) : timeout;
  return {
    ...rest,
    ...(seconds === undefined ? {} : { timeout: seconds }),
    ...(Object.keys(kept).length === 0 ? {} : { limits: kept }),
  };
}
