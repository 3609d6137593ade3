/** The explorer's frame: where one is, the filter, the time, and the views of it. */
import { css } from '@emotion/css';
import type { GrafanaTheme2, TimeRange } from '@grafana/data';
import { Button, FieldValidationMessage, Input, Stack, Tab, TabsBar, Text, useStyles2 } from '@grafana/ui';
import { parseTime } from '@netspectra/query';
import type { ReactNode } from 'react';
import { useMemo, useState } from 'react';
import { FilterField } from '../../../datasource/editor/filter-field.js';
import { explorerViews } from '../../shared/links.js';
import { valuesOfSource } from '../../shared/values.js';
import { HostFacts } from './host-facts.js';
import type { ExplorerState } from './panels.js';
import { rowSteps } from './panels.js';

interface Props {
  readonly place: ExplorerState;
  readonly uid: string;
  readonly range: TimeRange;
  readonly controls: ReactNode;
  readonly onGo: (place: Partial<ExplorerState>) => void;
  readonly children: ReactNode;
}

const labels = { overview: 'Overview', host: 'Host', flows: 'Flows', graph: 'Graph', changes: 'What changed' } as const;

export function ExplorerView({ place, uid, range, controls, onGo, children }: Props) {
  const styles = useStyles2(getStyles);
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const values = useMemo(() => valuesOfSource(uid, { from, to }), [uid, from, to]);
  return (
    <div className={styles.page}>
      <div className={styles.bar}>
        <div className={styles.filter}>
          <FilterField
            value={place.filter}
            values={values}
            onChange={(filter) => onGo({ filter })}
            onRun={(filter) => onGo({ filter })}
          />
        </div>
        {place.filter !== '' && (
          <Button variant="secondary" icon="times" onClick={() => onGo({ filter: '' })}>
            Clear
          </Button>
        )}
        {controls}
      </div>
      <TabsBar>
        {explorerViews.map((view) => (
          <Tab key={view} label={labels[view]} active={place.view === view} onChangeTab={() => onGo({ view })} />
        ))}
      </TabsBar>
      <PlaceFields place={place} onGo={onGo} />
      {place.view === 'host' && place.host !== '' && (
        <HostFacts uid={uid} host={place.host} filter={place.filter} from={from} to={to} />
      )}
      {children}
    </div>
  );
}

/** What a view can be told besides filter and time. */
function PlaceFields({ place, onGo }: Pick<Props, 'place' | 'onGo'>) {
  switch (place.view) {
    case 'overview':
      return (
        <div>
          <Button
            size="sm"
            variant={place.live ? 'primary' : 'secondary'}
            icon={place.live ? 'pause' : 'play'}
            aria-pressed={place.live}
            tooltip="The traffic by application goes on each second; choose a range that ends now"
            onClick={() => onGo({ live: !place.live })}
          >
            Live
          </Button>
        </div>
      );
    case 'host':
      return (
        <PlaceInput
          label="Host"
          placeholder="An address, such as 192.0.2.7 or 2001:db8::1"
          value={place.host}
          onGo={(host) => onGo({ host })}
        />
      );
    case 'flows':
      return <MoreRows rows={place.rows} onGo={(rows) => onGo({ rows })} />;
    case 'changes':
      return (
        <PlaceInput
          label="Moment"
          placeholder="Such as 2026-01-31T14:05:00Z, to compare before and after it"
          value={momentText(place.at)}
          problem={
            place.at === '' || parseTime(place.at) !== undefined
              ? undefined
              : 'a time such as 2026-01-31T14:05:00Z, or milliseconds since 1970'
          }
          onGo={(at) => onGo({ at })}
        />
      );
    case 'graph':
      return null;
  }
}

/** Milliseconds, as links of points have them, are for people a time. */
function momentText(at: string): string {
  const millis = parseTime(at);
  return millis === undefined ? at : new Date(millis).toISOString();
}

function MoreRows({ rows, onGo }: { readonly rows: number; readonly onGo: (rows: number) => void }) {
  const next = rowSteps.find((step) => step > rows);
  return (
    <Stack direction="row" gap={1} alignItems="center">
      <Text color="secondary">The latest {rows.toLocaleString('en')} flows of the range at most.</Text>
      {next !== undefined && (
        <Button size="sm" variant="secondary" onClick={() => onGo(next)}>
          Show {next.toLocaleString('en')}
        </Button>
      )}
    </Stack>
  );
}

interface PlaceInputProps {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly problem?: string | undefined;
  readonly onGo: (text: string) => void;
}

/** A text that counts when it is complete: with Enter, or when the field is left. */
function PlaceInput({ label, placeholder, value, problem, onGo }: PlaceInputProps) {
  const [text, setText] = useState(value);
  const [given, setGiven] = useState(value);
  if (given !== value) {
    setGiven(value);
    setText(value);
  }
  const go = (): void => {
    if (text.trim() !== value) onGo(text.trim());
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        go();
      }}
    >
      <Input
        width={60}
        prefix={label}
        aria-label={label}
        placeholder={placeholder}
        value={text}
        invalid={problem !== undefined}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={go}
      />
      {problem !== undefined && <FieldValidationMessage>{problem}</FieldValidationMessage>}
    </form>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  page: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(2) }),
  bar: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1), alignItems: 'flex-start' }),
  filter: css({ flex: '1 1 320px' }),
});
