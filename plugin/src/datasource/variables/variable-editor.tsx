/** What a template variable offers. */
import type { QueryEditorProps } from '@grafana/data';
import { Combobox, InlineField, Input, Stack } from '@grafana/ui';
import { dimensions } from '@netspectra/query';
import type { NetSpectraSource } from '../source.js';
import type { NetSpectraJsonData, NetSpectraQuery } from '../types.js';
import type { VariableKind, VariableQuery } from './query.js';
import { variableQueryOf } from './query.js';

type Props = QueryEditorProps<NetSpectraSource, NetSpectraQuery, NetSpectraJsonData, VariableQuery>;

const kinds: { value: VariableKind; label: string; description: string }[] = [
  { value: 'values', label: 'Values of a dimension', description: 'The heaviest first' },
  { value: 'dimensions', label: 'Dimensions', description: 'What queries can group by' },
  { value: 'measures', label: 'Measures', description: 'What queries can compute' },
  { value: 'probes', label: 'Probes', description: 'Who captures' },
];
const dimensionOptions = dimensions.map(({ id, label, description }) => ({ value: id as string, label, description }));

/** The editor of a variable query; Grafana asks anew after each change. */
export function VariableEditor({ query: stored, onChange }: Props) {
  const query = variableQueryOf(stored);
  return (
    <Stack direction="column" gap={0.5}>
      <InlineField label="Offer" labelWidth={16} tooltip="What the variable can be" htmlFor="variable-kind">
        <Combobox
          id="variable-kind"
          width={40}
          options={kinds}
          value={query.kind}
          onChange={({ value }) => onChange({ ...query, kind: value })}
        />
      </InlineField>
      {query.kind === 'values' && (
        <>
          <InlineField
            label="Dimension"
            labelWidth={16}
            tooltip="Whose values, in the time range"
            htmlFor="variable-dimension"
          >
            <Combobox
              id="variable-dimension"
              width={40}
              createCustomValue
              options={dimensionOptions}
              value={query.dimension ?? null}
              onChange={({ value }) => onChange({ ...query, dimension: value })}
            />
          </InlineField>
          <InlineField label="Filter" labelWidth={16} tooltip="Only values in traffic that this filter keeps">
            <Input
              id="variable-filter"
              width={60}
              placeholder="dst_port = 443 and probe = $probe"
              defaultValue={query.filter ?? ''}
              onBlur={(event) => onChange({ ...query, filter: event.currentTarget.value })}
            />
          </InlineField>
          <InlineField label="At most" labelWidth={16} tooltip="How many values, 1 to 1,000; empty: 200">
            <Input
              id="variable-limit"
              width={16}
              type="number"
              min={1}
              max={1000}
              placeholder="200"
              defaultValue={query.limit}
              onBlur={(event) => {
                const limit = Number(event.currentTarget.value);
                const { limit: _before, ...rest } = query;
                onChange(limit >= 1 ? { ...rest, limit: Math.min(1000, Math.round(limit)) } : rest);
              }}
            />
          </InlineField>
        </>
      )}
    </Stack>
  );
}
