import { describe, expect, it } from 'vitest';
import { isFailure, parseOffset, parseTime } from './model.js';

describe('parseTime', () => {
  it.each([
    ['2024-05-01T12:00:00Z', 1714564800000],
    ['2024-05-01t14:00:00.25+02:00', 1714564800250],
    ['2024-02-29T00:00:00Z', 1709164800000],
    ['1714564800000', 1714564800000],
    [1714564800000, 1714564800000],
    ['-1', -1],
    ['2024-05-01', undefined],
    ['2024-05-01T12:00:00', undefined],
    ['2024-02-30T00:00:00Z', undefined],
    ['2024-05-01T24:00:00Z', undefined],
    ['2024-13-01T00:00:00Z', undefined],
    ['2024-05-01T12:00:00+99:00', undefined],
    ['now-1h', undefined],
    ['', undefined],
    [NaN, undefined],
    [Infinity, undefined],
    ['9999999999999999', undefined],
  ])('%j is %j', (input, expected) => expect(parseTime(input)).toBe(expected));
});

describe('isFailure', () => {
  it('tells them apart', () => expect(isFailure({ error: 'x', status: 400 })).toBe(true));
});

describe('parseOffset', () => {
  it.each([
    ['90s', 90_000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['1w', 604_800_000],
    ['0h', undefined],
    ['1', undefined],
    ['h', undefined],
    ['-1h', undefined],
    ['1.5h', undefined],
    ['1y', undefined],
    ['1 h', undefined],
    ['999999999w', undefined],
    ['', undefined],
  ])('%j is %j', (text, expected) => expect(parseOffset(text)).toBe(expected));
});
