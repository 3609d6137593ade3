/** Which alerts an annotation draws, or a panel lists. */
import type { QueryEditorProps } from '@grafana/data';
import { Combobox, InlineField, Input, Stack } from '@grafana/ui';
import type { AnnotationQuery } from '@grafana/data';
import { newQuery } from '../../../server/src/contract/query.js';
import type { AlertSelection } from '../../../server/src/contract/alerts.js';
import type { NetSpectraSource } from '../source.js';
import type { NetSpectraJsonData, NetSpectraQuery } from '../types.js';
import { alertKinds, alertSeverities, alertStates, alertsQuery } from './query.js';

type Props = QueryEditorProps<NetSpectraSource, NetSpectraQuery, NetSpectraJsonData> & {
  annotation?: AnnotationQuery<NetSpectraQuery>;
  onAnnotationChange?: (annotation: AnnotationQuery<NetSpectraQuery>) => void;
};

const kindNames = { alert: 'Alert rules', detector: 'Detectors' };
const word = (text: string): string => text[0]!.toUpperCase() + text.slice(1);

/** The editor of an annotation's query. */
export const AnnotationEditor = ({ query, onChange }: Props) => <AlertsEditor query={query} onChange={onChange} />;

/** The editor of a query for alerts. Nothing chosen: all of them. */
export function AlertsEditor({ query, onChange }: Pick<Props, 'query' | 'onChange'>) {
  const target = alertsQuery(query, { ...newQuery, ...query });
  const change = (part: { [K in keyof AlertSelection]: AlertSelection[K] | undefined }): void =>
    onChange(alertsQuery({ alerts: { ...target.alerts, ...part } }, target));
  return (
    <Stack direction="row" wrap="wrap" gap={1}>
      <InlineField label="From" tooltip="What noticed it" htmlFor="annotation-kind">
        <Combobox
          id="annotation-kind"
          width={20}
          isClearable
          placeholder="All"
          options={alertKinds.map((kind) => ({ value: kind, label: kindNames[kind] }))}
          value={target.alerts.kind ?? null}
          onChange={(option) => change({ kind: option?.value })}
        />
      </InlineField>
      <InlineField label="Severity" htmlFor="annotation-severity">
        <Combobox
          id="annotation-severity"
          width={16}
          isClearable
          placeholder="All"
          options={alertSeverities.map((severity) => ({ value: severity, label: word(severity) }))}
          value={target.alerts.severity ?? null}
          onChange={(option) => change({ severity: option?.value })}
        />
      </InlineField>
      <InlineField label="State" htmlFor="annotation-state">
        <Combobox
          id="annotation-state"
          width={16}
          isClearable
          placeholder="All"
          options={alertStates.map((state) => ({ value: state, label: word(state) }))}
          value={target.alerts.state ?? null}
          onChange={(option) => change({ state: option?.value })}
        />
      </InlineField>
      <InlineField label="Search" tooltip="Part of the name or the summary; variables are put in">
        <Input
          id="annotation-search"
          width={30}
          defaultValue={target.alerts.search ?? ''}
          onBlur={(event) => change({ search: event.currentTarget.value || undefined })}
        />
      </InlineField>
    </Stack>
  );
}
