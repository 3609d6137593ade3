/** The rest of a query: how many, in which order, against what, how wide. Only what the type of query has. */
import { EditorField, EditorSwitch } from '@grafana/plugin-ui';
import { Combobox, InlineSwitch } from '@grafana/ui';
import { queryLimits } from '@netspectra/query';
import type { NetSpectraQuery } from '../types.js';
import { withParts } from './change.js';
import type { Problems } from './check.js';
import { limitMax, wrong } from './check.js';
import { compareOptions, liveOptions, optionOf } from './choices.js';
import {
  comparedOffset,
  explainChoice,
  explainOptions,
  orderChoice,
  orderOptions,
  withExplain,
  withOrder,
} from './option-values.js';
import { TextField } from './text-field.js';

interface Props {
  readonly query: NetSpectraQuery;
  readonly problems: Problems;
  readonly id: (name: string) => string;
  readonly onChange: (query: NetSpectraQuery) => void;
}

export function OptionFields(props: Props) {
  const { query, problems, id, onChange } = props;
  const { type } = query;
  const set = (parts: Parameters<typeof withParts>[1]): void => onChange(withParts(query, parts));
  const grouped = type === 'timeseries' || type === 'table' || type === 'graph';
  return (
    <>
      <EditorField label="Limit" tooltip={limitTip(query)} {...wrong(problems.limit)}>
        <TextField
          id={id('limit')}
          placeholder={String(queryLimits.limitDefault)}
          value={String(query.limit ?? '')}
          onChange={(text) => set({ limit: /^\d+$/.test(text) ? Number(text) : text })}
        />
      </EditorField>
      {grouped && (
        <EditorField label="Other" tooltip="All that is outside of the limit as one more group">
          <EditorSwitch
            id={id('other')}
            value={query.other ?? type === 'graph'}
            onChange={(event) => onChange({ ...query, other: event.currentTarget.checked })}
          />
        </EditorField>
      )}
      {(type === 'table' || type === 'flows') && (
        <EditorField label="Order" tooltip="What comes first, and so what the limit keeps">
          <Combobox
            id={id('order')}
            width={28}
            options={orderOptions(query)}
            value={orderChoice(query)}
            onChange={({ value }) => onChange(withOrder(query, value))}
          />
        </EditorField>
      )}
      {(type === 'timeseries' || type === 'table' || (type !== 'explain' && problems.compareTo !== undefined)) && (
        <EditorField
          label="Compare with"
          tooltip="The same of an earlier time: right before the range, or so long ago: 1h, 1d, 1w"
          {...wrong(problems.compareTo)}
        >
          <Combobox
            id={id('compare')}
            width={22}
            createCustomValue
            options={compareOptions}
            value={optionOf(compareOptions, comparedOffset(query))}
            onChange={({ value }) => set({ compareTo: value === '' ? undefined : { offset: value } })}
          />
        </EditorField>
      )}
      {type === 'explain' && <ExplainFields {...props} />}
      {type === 'timeseries' && (
        <>
          <EditorField
            label="Interval"
            tooltip="Width of a point, such as 10s, 5m or 1h; empty: as many points as the panel has room for"
            {...wrong(problems.interval)}
          >
            <TextField
              id={id('interval')}
              placeholder="auto"
              value={query.interval ?? ''}
              onChange={(interval) => set({ interval })}
            />
          </EditorField>
          <EditorField label="Go on live" tooltip="After the answer, what happens now, once a second">
            <Combobox
              id={id('live')}
              width={16}
              options={liveOptions}
              value={query.live ?? ''}
              onChange={({ value }) => set({ live: (value === '' ? undefined : value) as NetSpectraQuery['live'] })}
            />
          </EditorField>
        </>
      )}
      {type === 'graph' && (
        <EditorField label="Map" tooltip="A value is one node, on whatever level it stands">
          <EditorSwitch
            id={id('merge')}
            value={query.mergeNodes ?? false}
            onChange={(event) => set({ mergeNodes: event.currentTarget.checked || undefined })}
          />
        </EditorField>
      )}
      {type !== 'flows' && (
        <EditorField
          label="Units"
          tooltip="On: milliseconds and percent; off: nanoseconds and shares of 1, which panels write as they fit"
        >
          <InlineSwitch
            id={id('units')}
            transparent
            value={query.units === 'display'}
            onChange={(event) => set({ units: event.currentTarget.checked ? 'display' : undefined })}
          />
        </EditorField>
      )}
    </>
  );
}

function limitTip(query: NetSpectraQuery): string {
  const what = query.type === 'flows' ? 'How many flow records' : 'How many groups, the largest first';
  return `${what}: 1 to ${limitMax(query).toLocaleString('en')}; empty: ${queryLimits.limitDefault}`;
}

function ExplainFields({ query, problems, id, onChange }: Props) {
  const choice = explainChoice(query);
  const { explain } = query;
  const at = explain !== undefined && 'at' in explain ? explain : undefined;
  return (
    <>
      <EditorField label="Compare" tooltip="The two times whose difference is explained">
        <Combobox
          id={id('explain')}
          width={34}
          options={explainOptions}
          value={choice}
          onChange={({ value }) => onChange(withExplain(query, value))}
        />
      </EditorField>
      {choice === 'at' && (
        <>
          <EditorField
            label="Moment"
            tooltip="A time such as 2026-01-31T14:05:00Z, milliseconds since 1970, or a variable"
            {...wrong(problems.at)}
          >
            <TextField
              id={id('at')}
              width={26}
              placeholder="2026-01-31T14:05:00Z"
              value={String(at?.at ?? '')}
              onChange={(text) => onChange({ ...query, explain: { ...at, at: text } })}
            />
          </EditorField>
          <EditorField
            label="Width"
            tooltip="So long before and after, such as 10m or 1h; empty: all of the range"
            {...wrong(problems.width)}
          >
            <TextField
              id={id('width')}
              width={10}
              placeholder="10m"
              value={at?.width ?? ''}
              onChange={(width) =>
                onChange({ ...query, explain: { at: at?.at ?? '', ...(width === '' ? {} : { width }) } })
              }
            />
          </EditorField>
        </>
      )}
      {choice === 'offset' && (
        <EditorField
          label="Earlier by"
          tooltip="How long before the range the other time is: 1h, 1d, 1w"
          {...wrong(problems.compareTo)}
        >
          <Combobox
            id={id('compare')}
            width={22}
            createCustomValue
            options={compareOptions.slice(2)}
            value={optionOf(compareOptions, comparedOffset(query))}
            onChange={({ value }) => onChange({ ...query, compareTo: { offset: value } })}
          />
        </EditorField>
      )}
    </>
  );
}
