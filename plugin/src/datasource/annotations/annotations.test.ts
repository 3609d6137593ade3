// @vitest-environment jsdom
import '../../testing/dom.js';
import type { DataFrame, DataQueryRequest, DataSourceInstanceSettings } from '@grafana/data';
import { FieldType } from '@grafana/data';
import { DataSourceWithBackend } from '@grafana/runtime';
import { lastValueFrom, of } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { newQuery } from '../../../server/src/contract/query.js';
import { NetSpectraDatasource } from '../datasource.js';
import type { NetSpectraJsonData, NetSpectraQuery } from '../types.js';
import { annotationFrame } from './frames.js';
import { alertsQuery, annotationTarget, fillAlerts, isAlertsQuery } from './query.js';

const base = { ...newQuery, refId: 'A' };

const frame = (refId: string): DataFrame => {
  const field = (name: string, type: FieldType, values: unknown[]) => ({ name, type, values, config: {} });
  return {
    refId,
    length: 1,
    fields: [
      field('time', FieldType.time, [1_000]),
      field('timeEnd', FieldType.time, [null]),
      field('title', FieldType.string, ['<b>a & b</b>']),
      field('text', FieldType.string, ['<img src=x onerror=alert(1)>']),
      field('tags', FieldType.string, ['alert,<i>']),
    ],
  };
};
const valuesOf = ({ fields }: DataFrame): unknown[] => fields.map(({ values }) => values[0] as unknown);

describe('alerts as annotations', () => {
  it('last until now while they go on, and their texts stay text', () => {
    expect(valuesOf(annotationFrame(frame('Anno'), 5_000))).toEqual([
      1_000,
      5_000,
      '&lt;b&gt;a &amp; b&lt;/b&gt;',
      '&lt;img src=x onerror=alert(1)&gt;',
      'alert,<i>',
    ]);
  });

  it('keep of a stored selection what is known, with room for more than a list', () => {
    const target = annotationTarget({ alerts: { kind: 'detector', state: '', colour: 'red', search: 5 } }, base);
    expect(target).toMatchObject({ queryType: 'alerts', limit: 1_000 });
    expect(target.alerts).toEqual({ kind: 'detector' });
    expect(annotationTarget('old', base).alerts).toEqual({});
  });
});

describe('queries for alerts', () => {
  it('have values in place of variables', () => {
    const replace = (text: string): string => text.replace('$rule', 'r1');
    expect(fillAlerts(alertsQuery({ alerts: { source: '$rule', kind: 'alert' } }, base), {}, replace).alerts).toEqual({
      source: 'r1',
      kind: 'alert',
    });
    // Stored by hand, with no selection at all.
    const bare = { ...base, queryType: 'alerts' };
    expect(isAlertsQuery(bare) && fillAlerts(bare, {}, replace).alerts).toEqual({});
    expect(isAlertsQuery(base)).toBe(false);
  });
});

describe('the datasource', () => {
  afterEach(() => vi.restoreAllMocks());

  it('asks the server side for annotations and for panels of events, and writes only the texts of annotations', async () => {
    const asked: string[] = [];
    vi.spyOn(DataSourceWithBackend.prototype, 'query').mockImplementation(({ targets }) => {
      asked.push(...targets.map(({ refId }) => refId));
      return of({ data: targets.map(({ refId }) => frame(refId)) });
    });
    const settings = { uid: 'u', type: 'netspectra-datasource', jsonData: {} };
    const datasource = new NetSpectraDatasource(
      settings as DataSourceInstanceSettings<NetSpectraJsonData>,
      { replace: (text?: string) => text ?? '', getVariables: () => [] } as never,
    );
    const titleOf = async (target: NetSpectraQuery): Promise<unknown> => {
      const request = { targets: [target, { ...base, refId: 'B', hide: true }] };
      const { data } = await lastValueFrom(datasource.query(request as DataQueryRequest<NetSpectraQuery>));
      return valuesOf(data[0] as DataFrame)[2];
    };
    const selection = { alerts: { kind: 'alert' } };
    expect(await titleOf(annotationTarget(selection, { ...base, refId: 'Anno' }))).toBe('&lt;b&gt;a &amp; b&lt;/b&gt;');
    expect(await titleOf(alertsQuery(selection, base))).toBe('<b>a & b</b>');
    expect(asked).toEqual(['Anno', 'A']);
  });
});
