/** Small parts of the planner: samples, names of periods, filters of values. */
import { describe, expect, test } from 'vitest';
import { dimensions, parseFilter } from '@netspectra/query';
import { Binder } from './bind.js';
import { groupOf } from './keys.js';
import { periodName } from './period.js';
import { sampleRank, sampleWidth } from './samples.js';
import { valueFilter } from './value-filter.js';

const hour = 3_600_000;

describe('samples', () => {
  test.each([
    [60_000, 10_000, 10_000],
    [hour, 10_000, 60_000],
    [24 * hour - 1, 10_000, 60_000],
    [24 * hour, 10_000, 300_000],
    [30 * 24 * hour, 1000, 300_000],
    // Windows that no usual width is made of.
    [24 * hour, 7000, 7000],
    [24 * hour, 20_000, 300_000],
    [hour, 3_600_000, 3_600_000],
  ])('a range of %i ms over windows of %i ms has samples of %i ms', (span, window, width) =>
    expect(sampleWidth(span, window, false)).toBe(width),
  );

  test.each([
    [30_000, 1000, 10_000],
    [7000, 1000, 1000],
    [90_000, 10_000, 10_000],
    [hour + 60_000, 10_000, 60_000],
    [hour + 10_000, 10_000, 10_000],
  ])('a bucket of %i ms over windows of %i ms holds a whole number of %i ms', (span, window, width) =>
    expect(sampleWidth(span, window, true)).toBe(width),
  );

  test.each([
    [0.95, 1, 0],
    [0.95, 20, 18],
    [0.95, 21, 19],
    [0.95, 100, 94],
    // A month of five-minute samples: the highest 432 are left out.
    [0.95, 8640, 8207],
    [1, 60, 59],
  ])('%d of %i samples is the one at %i', (level, count, rank) => expect(sampleRank(level, count)).toBe(rank));
});

test.each([
  [604_800_000, '1 week before'],
  [1_209_600_000, '2 weeks before'],
  [86_400_000, '1 day before'],
  [5_400_000, '90 minutes before'],
  [1, '1 millisecond before'],
])('%i ms is called %s', (millis, name) => expect(periodName(millis)).toBe(name));

test('a parameter keeps its value', () => {
  const binder = new Binder();
  expect(binder.bind('a', 'UInt8', 1)).toBe('{a:UInt8}');
  expect(binder.bind('a', 'UInt8', 1)).toBe('{a:UInt8}');
  expect(() => binder.bind('a', 'UInt8', 2)).toThrow(/twice/);
});

describe('a shown value as a filter', () => {
  test.each([
    ['src_ip', '10.0.0.1', 'src_ip = 10.0.0.1'],
    ['src_ip/24', '10.0.0.0/24', 'src_ip in 10.0.0.0/24'],
    ['client_ip/24', '2001:db8::/64', 'client_ip in 2001:db8::/64'],
    ['server_port', 443, 'server_port = 443'],
    ['server_port', null, 'not server_port in 0..65535'],
    ['protocol', 'tcp', 'protocol = "tcp"'],
    ['traffic_direction', 'in', 'traffic_direction = "in"'],
    ['application', '', 'application = ""'],
    ['dns_name', 'a"b\\c\n', 'dns_name = "a\\"b\\\\c\\u{a}"'],
    ['dns_name', 'or', 'dns_name = "or"'],
  ])('%s %j', (key, value, text) => {
    expect(valueFilter(groupOf(key, '#'), value)).toBe(text);
    expect(parseFilter(text)).toMatchObject({ ok: true });
  });

  test('every dimension has one that can be read', () => {
    for (const { id, type } of dimensions) {
      const value = type === 'ip' ? '::1' : type === 'text' ? "it's" : type === 'enum' ? '1' : 1;
      expect(parseFilter(valueFilter(groupOf(id, '#'), value)), id).toMatchObject({ ok: true });
    }
  });
});
