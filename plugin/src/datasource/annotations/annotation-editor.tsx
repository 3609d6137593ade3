/** Which alerts an annotation draws, or a panel lists. */
import type { AnnotationQuery, QueryEditorProps } from '@grafana/data';
import type { ComboboxOption } from '@grafana/ui';
import { Combobox, InlineField, Stack } from '@grafana/ui';
import { useId } from 'react';
import { newQuery } from '../../../server/src/contract/query.js';
import type { AlertSelection } from '../../../server/src/contract/alerts.js';
import { TextField } from '../editor/text-field.js';
import type { NetSpectraSource } from '../source.js';
import type { NetSpectraJsonData, NetSpectraQuery } from '../types.js';
import { alertKinds, alertSeverities, alertStates, alertsQuery } from './query.js';

type Props = QueryEditorProps<NetSpectraSource, NetSpectraQuery, NetSpectraJsonData> & {
  annotation?: AnnotationQuery<NetSpectraQuery>;
  onAnnotationChange?: (annotation: AnnotationQuery<NetSpectraQuery>) => void;
};

const kindNames = { alert: 'Alert rules', detector: 'Detectors' };
const word = (value: string): ComboboxOption => ({ value, label: value[0]!.toUpperCase() + value.slice(1) });

interface Choice {
  readonly key: 'kind' | 'severity' | 'state';
  readonly label: string;
  readonly tooltip: string;
  readonly options: readonly ComboboxOption[];
}
const choices: readonly Choice[] = [
  {
    key: 'kind',
    label: 'From',
    tooltip: 'What noticed it',
    options: alertKinds.map((kind) => ({ value: kind, label: kindNames[kind] })),
  },
  { key: 'severity', label: 'Severity', tooltip: 'How bad it is', options: alertSeverities.map(word) },
  {
    key: 'state',
    label: 'State',
    tooltip: 'Pending: not for long enough yet; firing: goes on; resolved: over',
    options: alertStates.map(word),
  },
];

/** The editor of an annotation's query. */
export const AnnotationEditor = ({ query, onChange }: Props) => <AlertsEditor query={query} onChange={onChange} />;

/** The editor of a query for alerts. Nothing chosen: all of them. Variables may stand in every field. */
export function AlertsEditor({ query, onChange }: Pick<Props, 'query' | 'onChange'>) {
  // A panel may have several of these.
  const prefix = useId();
  const target = alertsQuery(query, { ...newQuery, ...query });
  const change = (key: keyof AlertSelection, value: string | undefined): void =>
    onChange(alertsQuery({ alerts: { ...target.alerts, [key]: value } }, target));
  return (
    <Stack direction="row" wrap="wrap" gap={1}>
      {choices.map(({ key, label, tooltip, options }) => (
        <InlineField key={key} label={label} tooltip={tooltip} htmlFor={`${prefix}${key}`}>
          <Combobox
            id={`${prefix}${key}`}
            width={20}
            isClearable
            createCustomValue
            placeholder="All"
            options={[...options]}
            value={target.alerts[key] ?? null}
            onChange={(option) => change(key, option?.value)}
          />
        </InlineField>
      ))}
      <InlineField label="Search" tooltip="Part of the name or of the summary" htmlFor={`${prefix}search`}>
        <TextField
          id={`${prefix}search`}
          width={30}
          placeholder="Any"
          value={target.alerts.search ?? ''}
          onChange={(search) => change('search', search)}
        />
      </InlineField>
    </Stack>
  );
}
