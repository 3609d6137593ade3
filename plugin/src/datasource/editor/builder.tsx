/** The query as fields. Every field takes template variables: what is typed and not offered is taken as it is. */
import { EditorField, EditorRow, EditorRows } from '@grafana/plugin-ui';
import { Combobox, MultiCombobox } from '@grafana/ui';
import type { NetSpectraQuery } from '../types.js';
import { withParts, withType } from './change.js';
import { checkQuery, wrong } from './check.js';
import { directionOptions, dimensionOptions, measureOptions, optionOf, typeOptions, valueOf } from './choices.js';
import type { FetchValues } from './filter-completion.js';
import { FilterField } from './filter-field.js';
import { filterProblems } from './filter-problems.js';
import { OptionFields } from './option-fields.js';

interface Props {
  readonly query: NetSpectraQuery;
  readonly onChange: (query: NetSpectraQuery) => void;
  readonly onRun: (query: NetSpectraQuery) => void;
  readonly values: FetchValues;
}

export function QueryBuilder({ query, onChange, onRun, values }: Props) {
  const problems = checkQuery(query);
  const id = (name: string): string => `netspectra-${query.refId}-${name}`;
  /** Selects take effect at once; texts when they are left. A query with a mistake is kept, and not asked. */
  const set = (changed: NetSpectraQuery): void => {
    onChange(changed);
    const isFine = Object.keys(checkQuery(changed)).length === 0 && filterProblems(changed.filter ?? '').length === 0;
    if (isFine) onRun(changed);
  };
  const isFlows = query.type === 'flows';
  return (
    <EditorRows>
      <EditorRow>
        <EditorField
          label="Show"
          tooltip="Lines over time, rows, single flows, a graph of who talks to whom, or what accounts for a change"
        >
          <Combobox
            id={id('type')}
            width={20}
            options={typeOptions}
            value={query.type}
            onChange={({ value }) => set(withType(query, value))}
          />
        </EditorField>
        <EditorField
          label="Measures"
          optional={isFlows}
          tooltip="What is computed; the list names the unit of each"
          {...wrong(problems.measures)}
        >
          <MultiCombobox
            id={id('measures')}
            width="auto"
            minWidth={24}
            maxWidth={60}
            createCustomValue
            placeholder={isFlows ? 'All columns' : 'Choose'}
            options={measureOptions}
            value={query.measures.map((each) => optionOf(measureOptions, each))}
            onChange={(chosen) =>
              set({ ...query, measures: chosen.map(({ value }) => valueOf(measureOptions, value)) })
            }
          />
        </EditorField>
        {!isFlows && (
          <EditorField
            label={groupByLabel(query)}
            optional={query.type !== 'graph'}
            tooltip="An address can be cut to a network: src_ip/24, or src_ip/24/48 with a length for IPv6"
            {...wrong(problems.groupBy)}
          >
            <MultiCombobox
              id={id('groupBy')}
              width="auto"
              minWidth={24}
              maxWidth={60}
              createCustomValue
              placeholder={query.type === 'explain' ? 'Where there is something' : 'Everything in one'}
              options={dimensionOptions}
              value={query.groupBy.map((each) => optionOf(dimensionOptions, each))}
              onChange={(chosen) =>
                set({ ...query, groupBy: chosen.map(({ value }) => valueOf(dimensionOptions, value)) })
              }
            />
          </EditorField>
        )}
        <EditorField
          label="Direction"
          tooltip="Which way traffic went: into or out of the local networks, or from which side of a flow"
        >
          <Combobox
            id={id('direction')}
            width={20}
            createCustomValue
            options={directionOptions}
            value={query.direction ?? 'both'}
            onChange={({ value }) => set(withParts(query, { direction: value === 'both' ? undefined : value }))}
          />
        </EditorField>
      </EditorRow>
      <EditorRow>
        <EditorField
          label="Filter"
          tooltip="Which traffic counts, in the filter language; empty: all"
          width="100%"
          {...wrong(problems.filter)}
        >
          <FilterField
            value={query.filter ?? ''}
            values={values}
            onChange={(filter) => set(withParts(query, { filter }))}
            onRun={(filter) => set(withParts(query, { filter }))}
          />
        </EditorField>
      </EditorRow>
      <EditorRow>
        <OptionFields query={query} problems={problems} id={id} onChange={set} />
      </EditorRow>
    </EditorRows>
  );
}

function groupByLabel({ type }: NetSpectraQuery): string {
  if (type === 'graph') return 'Levels';
  return type === 'explain' ? 'Look at' : 'Group by';
}
