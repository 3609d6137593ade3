/** The datasource's limits on what comes through resource routes: time range and rows, in parameters and in bodies. */
import { parseTime } from '@netspectra/query';
import type { DatasourceLimits } from '../contract/settings.js';
import { PluginError } from '../errors.js';

type Values = Readonly<Record<string, unknown>>;

const hourMs = 3_600_000;

const timeOf = (value: unknown): number | undefined =>
  typeof value === 'string' || typeof value === 'number' ? parseTime(value) : undefined;

function checkRange({ from, to }: Values, { rangeHours }: Required<DatasourceLimits>): void {
  const [fromMs, toMs] = [timeOf(from), timeOf(to)];
  if (fromMs !== undefined && toMs !== undefined && toMs - fromMs > rangeHours * hourMs) {
    throw new PluginError('query', `the time range is longer than the ${rangeHours} hours that this datasource allows`);
  }
}

function checkRows({ limit }: Values, { rows }: Required<DatasourceLimits>): void {
  if (limit !== undefined && Number(limit) > rows) {
    throw new PluginError('query', `limit ${Number(limit)} is more than the ${rows} rows that this datasource allows`);
  }
}

const objectOf = (value: unknown): Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : {};

/** Throw a PluginError where a call asks for more than the datasource allows. @param body the JSON body, or undefined */
export function holdLimits(parameters: URLSearchParams, body: unknown, limits: Required<DatasourceLimits>): void {
  const whole = objectOf(body);
  const { queries } = whole;
  for (const values of [Object.fromEntries(parameters), whole]) {
    checkRange(values, limits);
    checkRows(values, limits);
  }
  if (Array.isArray(queries)) for (const query of queries) checkRows(objectOf(query), limits);
}
