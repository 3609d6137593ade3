import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { durationText, expandMacros, leftVariable } from './macros.js';
import { QueryMistake, migrateQuery, newQuery, queryVersion } from './query.js';

describe('macros', () => {
  const values = { fromMs: 1_000_000, toMs: 4_600_000, intervalMs: 15_000 };

  test('each of them, in both forms', () => {
    expect(expandMacros('$__interval $__interval_ms $__range $__range_s $__range_ms $__from $__to', values)).toBe(
      '15s 15000 1h 3600 3600000 1000000 4600000',
    );
    expect(expandMacros('${__interval}x $__intervals $__unknown ${host} $1', values)).toBe(
      '15sx $__intervals $__unknown ${host} $1',
    );
    expect(expandMacros('$__proto__ $__constructor', values)).toBe('$__proto__ $__constructor');
  });

  test('durations are such as the API reads', () => {
    expect([0, 999, 1_500, 60_000, 90_000, 7_200_000, 172_800_000].map(durationText)).toEqual([
      '1s',
      '1s',
      '2s',
      '1m',
      '90s',
      '2h',
      '2d',
    ]);
  });

  test('variables that are left, but not in quotes', () => {
    expect(leftVariable('src_ip = $host')).toBe('$host');
    expect(leftVariable('src_ip = ${host:csv}')).toBe('${host:csv}');
    expect(leftVariable('src_ip = [[host]]')).toBe('[[host]]');
    expect(leftVariable('dns_name = "$host \\" ${x}" and x = 1')).toBeUndefined();
    expect(leftVariable('price $ 5')).toBeUndefined();
  });
});

describe('stored queries', () => {
  test('the present version stays as it is, and twice is once', () => {
    expect(migrateQuery(newQuery)).toEqual(newQuery);
    expect(migrateQuery(migrateQuery({}))).toEqual({
      version: queryVersion,
      type: 'timeseries',
      measures: ['bits_per_second'],
      groupBy: [],
    });
    expect(migrateQuery({ type: 'flows' })).toMatchObject({ measures: [] });
  });

  test('what Grafana writes into queries is left out', () => {
    const stored = {
      ...newQuery,
      refId: 'A',
      datasource: { uid: 'x' },
      hide: false,
      intervalMs: 1_000,
      maxDataPoints: 43_200,
      queryType: '',
    };
    expect(migrateQuery(stored)).toEqual(newQuery);
  });

  test('anything else is a query or a QueryMistake', () => {
    const keys = [
      'version',
      'type',
      'measures',
      'groupBy',
      'filter',
      'interval',
      'limit',
      'other',
      'orderBy',
      'format',
      'live',
      'bound',
    ];
    const stored = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...keys), fc.anything()));
    fc.assert(
      fc.property(stored, (value) => {
        try {
          expect(migrateQuery(value).version).toBe(queryVersion);
        } catch (error) {
          expect(error).toBeInstanceOf(QueryMistake);
        }
      }),
    );
    expect(() => migrateQuery({ version: queryVersion + 1 })).toThrow(/newer version/);
  });
});
