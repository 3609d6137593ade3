/**
 * Template variables, and the filters that they make. Text boxes hold addresses and names that somebody clicked on or typed:
 * an empty one leaves its comparison out of the filter (docs/grafana.md, "Variables").
 */
import type { VariableModel } from '@grafana/schema';
import { VariableRefresh } from '@grafana/schema';
import { source } from './query.js';

const datasource: VariableModel = {
  name: 'datasource',
  label: 'Datasource',
  type: 'datasource',
  query: source.type,
  refresh: VariableRefresh.onDashboardLoad,
  regex: '',
  multi: false,
  includeAll: false,
};

/** Values that the datasource offers. Everything is a `*`, so that the filter has no comparison and the cheapest table answers. */
const choice = (name: string, label: string, description: string, query: Record<string, unknown>): VariableModel => ({
  name,
  label,
  description,
  type: 'query',
  datasource: source,
  query: { refId: 'variable', ...query },
  // Not with the time range: a value that came in with a link would be dropped where the new range does not have it.
  refresh: VariableRefresh.onDashboardLoad,
  regex: '',
  multi: true,
  includeAll: true,
  allValue: '*',
  allowCustomValue: true,
  current: { text: ['All'], value: ['$__all'] },
});

const probe = choice('probe', 'Probe', 'Which probes saw the traffic', { kind: 'probes' });
const network = choice('network', 'Network', 'Configured networks, at either end of the traffic', {
  kind: 'values',
  dimension: 'src_network',
  filter: 'src_network != ""',
  limit: 200,
});

/** A text box, empty at first. */
export const textBox = (name: string, label: string, description: string): VariableModel => ({
  name,
  label,
  description,
  type: 'textbox',
  query: '',
  current: { text: '', value: '' },
  options: [{ selected: true, text: '', value: '' }],
});

const filter = textBox('filter', 'Filter', 'Filter language: client_ip in 10.0.0.0/8 and tcp port 443');

/** A few values to choose from, the first at the beginning. */
export function custom(name: string, label: string, description: string, values: readonly string[]): VariableModel {
  const [first = ''] = values;
  return {
    name,
    label,
    description,
    type: 'custom',
    query: values.join(','),
    multi: false,
    includeAll: false,
    current: { text: first, value: first },
    options: values.map((value) => ({ selected: value === first, text: value, value })),
  };
}

/** Variables of every dashboard that shows traffic; `more` stand before the filter. */
export const trafficVariables = (...more: readonly VariableModel[]): VariableModel[] => [
  datasource,
  probe,
  network,
  ...more,
  filter,
];
/** Of what probes count without addresses. */
export const probeVariables = (): VariableModel[] => [datasource, probe];

/** The filter of panels that follow probe, network and the filter text. */
export const scope = '($filter) and probe in ($probe) and network in ($network)';
/** Of panels whose numbers are counted without addresses. */
export const probeScope = 'probe in ($probe)';
/** A scope and more terms; each is put into brackets where it is more than a comparison. */
export const within = (of: string, ...terms: readonly string[]): string => [of, ...terms].join(' and ');

/** Variables that a link to another dashboard takes along. */
export const carried = ['datasource', 'probe', 'network', 'filter'] as const;

/** Only for panels on the processes themselves; a Grafana without Prometheus has an empty list. */
export const prometheusVariable: VariableModel = {
  ...datasource,
  name: 'prometheus',
  label: 'Prometheus',
  description: 'Scrapes /metrics of NetSpectra; only the section on processes needs it',
  query: 'prometheus',
};
