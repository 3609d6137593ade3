// @vitest-environment jsdom
import '../../../testing/dom.js';
import { describe, expect, it } from 'vitest';
import { migrateQuery } from '../../../../server/src/contract/query.js';
import { alertRuleUrl, exploreUrl } from './panel-menu.js';
import { panelsOf, start } from './panels.js';

const filter = 'dns_name = "a&b#c" and tcp';
const [series] = panelsOf({ ...start, filter });
const range = { from: 'now-30m', to: 'now' };
const parameter = (url: string | undefined, name: string): unknown =>
  JSON.parse(new URL(url ?? '', 'http://grafana').searchParams.get(name) ?? 'null');

describe('from the explorer', () => {
  it("to Grafana's Explore goes the same query, with its datasource and range", () => {
    expect(parameter(exploreUrl('u1', series!.query, range), 'panes')).toMatchObject({
      netspectra: { datasource: 'u1', range, queries: [{ refId: 'A', filter, datasource: { uid: 'u1' } }] },
    });
  });

  it('to an alert rule goes a query that needs no dashboard, what makes a number of it, and a threshold', () => {
    type Model = { refId: string; relativeTimeRange?: object; model: { type: string; expression?: string } };
    const rule = (of: number) =>
      parameter(alertRuleUrl('u1', 'Traffic', panelsOf({ ...start, filter })[of]!.query, range), 'defaults') as {
        condition: string;
        queries: Model[];
      };
    const [a, b, c] = rule(0).queries;
    expect(a).toMatchObject({ refId: 'A', relativeTimeRange: { from: 1_800, to: 0 }, model: { filter } });
    expect(migrateQuery(a!.model)).toMatchObject({ type: 'timeseries', measures: ['bits_per_second'] });
    expect([b!.model, c!.model]).toMatchObject([
      { type: 'reduce', expression: 'A' },
      { type: 'threshold', expression: 'B' },
    ]);
    // A table has its numbers already; one measure of them.
    const [table, threshold] = rule(2).queries;
    expect(migrateQuery(table!.model).measures).toHaveLength(1);
    expect([rule(2).queries.length, threshold!.model.expression, rule(2).condition]).toEqual([2, 'A', 'C']);
  });

  it('what gives no numbers makes no rule', () => {
    for (const view of ['flows', 'graph'] as const) {
      expect(alertRuleUrl('u1', 'x', panelsOf({ ...start, view })[0]!.query, range)).toBeUndefined();
    }
  });
});
