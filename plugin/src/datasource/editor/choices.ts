/** What selects of the editor offer. */
import type { ComboboxOption } from '@grafana/ui';
import { dimensions, measures } from '@netspectra/query';
import type { QueryDirection, QueryType } from '@netspectra/query';

const groups: readonly (readonly [RegExp, string])[] = [
  [/^(probe_|late_|folded_)/, 'Capture'],
  [/dns/, 'DNS'],
  [/^http_/, 'HTTP'],
  [/tls/, 'TLS'],
  [/^(tcp_|retransmission|out_of_order|zero_window|rtt_)/, 'TCP health'],
  [/^distinct_/, 'Distinct'],
];
const groupOf = (id: string): string => groups.find(([pattern]) => pattern.test(id))?.[1] ?? 'Traffic';

const unitWords: Readonly<Record<string, string>> = {
  short: 'number',
  bps: 'bits/s',
  pps: 'packets/s',
  cps: 'flows/s',
  ns: 'time',
  percentunit: 'share',
};

const order = ['Traffic', 'Distinct', 'TCP health', 'DNS', 'HTTP', 'TLS', 'Capture'];

/** Measures by group, with unit and meaning. */
export const measureOptions: ComboboxOption[] = measures
  .map(({ id, label, description, unit }) => ({
    value: id as string,
    label,
    description: `${description} (${unitWords[unit] ?? unit})`,
    group: groupOf(id),
  }))
  .sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group));

const prefixes = [
  { bits: '/24', words: '/24 networks (IPv6 /64)' },
  { bits: '/16/48', words: '/16 networks (IPv6 /48)' },
];

/** Dimensions; addresses also cut to networks, after all others. */
export const dimensionOptions: ComboboxOption[] = [
  ...dimensions.map(({ id, label, description }) => ({ value: id as string, label, description, group: 'Dimensions' })),
  ...dimensions
    .filter(({ type }) => type === 'ip')
    .flatMap(({ id, label }) =>
      prefixes.map(({ bits, words }) => ({ value: `${id}${bits}`, label: `${label}, ${words}`, group: 'Networks' })),
    ),
];

/** A value as an option, also one that is not offered: a variable, another prefix. */
export const optionOf = (options: readonly ComboboxOption[], value: string): ComboboxOption =>
  options.find((option) => option.value === value) ?? { value, label: value };

/** What was chosen or typed as a value: a label stands for its option. */
export const valueOf = (options: readonly ComboboxOption[], typed: string): string =>
  options.find(({ label }) => label?.toLowerCase() === typed.trim().toLowerCase())?.value ?? typed.trim();

export const typeOptions: ComboboxOption<QueryType>[] = [
  { value: 'timeseries', label: 'Time series', description: 'Values over time, a line for each group' },
  { value: 'table', label: 'Table', description: 'A row for each group' },
  { value: 'flows', label: 'Flow records', description: 'Single flows, the latest first' },
  { value: 'graph', label: 'Graph', description: 'Who talks to whom: nodes and edges' },
  { value: 'explain', label: 'What changed', description: 'Which values account for a change' },
];

export const directionOptions: ComboboxOption<QueryDirection>[] = [
  { value: 'both', label: 'Both' },
  { value: 'in', label: 'In', description: 'Into the local networks' },
  { value: 'out', label: 'Out', description: 'Out of the local networks' },
  { value: 'client', label: 'From clients', description: 'What sides sent that began flows' },
  { value: 'server', label: 'From servers', description: 'What sides sent that answered' },
];

export const compareOptions: ComboboxOption[] = [
  { value: '', label: 'Nothing' },
  { value: 'previous', label: 'The time before', description: 'As long, right before the range' },
  { value: '1h', label: 'An hour before' },
  { value: '1d', label: 'A day before' },
  { value: '1w', label: 'A week before' },
];

export const liveOptions: ComboboxOption[] = [
  { value: '', label: 'Off' },
  { value: 'rates', label: 'Rates' },
  { value: 'protocols', label: 'Protocols' },
  { value: 'applications', label: 'Applications' },
  { value: 'talkers', label: 'Talkers' },
];
