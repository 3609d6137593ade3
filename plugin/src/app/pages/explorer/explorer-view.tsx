/** The explorer's frame: where one is, the filter, the time, and the views of it. */
import { css } from '@emotion/css';
import type { GrafanaTheme2, TimeRange } from '@grafana/data';
import { Button, Input, Tab, TabsBar, useStyles2 } from '@grafana/ui';
import type { ReactNode } from 'react';
import { useMemo, useState } from 'react';
import { FilterField } from '../../../datasource/editor/filter-field.js';
import { explorerViews } from '../../shared/links.js';
import { valuesOfSource } from '../../shared/values.js';
import type { ExplorerState } from './panels.js';

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
      {place.view === 'host' && <HostField host={place.host} onGo={(host) => onGo({ host })} />}
      {children}
    </div>
  );
}

function HostField({ host, onGo }: { readonly host: string; readonly onGo: (host: string) => void }) {
  const [text, setText] = useState(host);
  const [given, setGiven] = useState(host);
  if (given !== host) {
    setGiven(host);
    setText(host);
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onGo(text.trim());
      }}
    >
      <Input
        width={50}
        prefix="Host"
        aria-label="Host"
        placeholder="An address, such as 192.0.2.7 or 2001:db8::1"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={() => onGo(text.trim())}
      />
    </form>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  page: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(2) }),
  bar: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1), alignItems: 'flex-start' }),
  filter: css({ flex: '1 1 320px' }),
});
