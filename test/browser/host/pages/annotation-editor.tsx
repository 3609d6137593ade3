/** An annotation query, with what it draws listed below. */
import type { AnnotationQuery, DataSourceApi } from '@grafana/data';
import { CoreApp } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import { getDataSourceSrv } from '@grafana/runtime';
import { Button } from '@grafana/ui';
import type { ComponentType } from 'react';
import { useState } from 'react';
import { from, lastValueFrom } from 'rxjs';
import { Page } from '../shell.js';
import { useLoaded } from '../use-loaded.js';
import { rangeOfAddress } from './range.js';

const load = (): Promise<DataSourceApi> =>
  getDataSourceSrv().get(new URLSearchParams(window.location.search).get('ds'));

export function AnnotationEditorPage() {
  const datasource = useLoaded(load);
  return <Page title="New annotation">{datasource && <Editor datasource={datasource} />}</Page>;
}

interface EditorProps {
  readonly datasource: DataSourceApi;
  readonly query: DataQuery;
  readonly onChange: (query: DataQuery) => void;
  readonly onRunQuery: () => void;
}

function Editor({ datasource }: { readonly datasource: DataSourceApi }) {
  const support = datasource.annotations!;
  const QueryEditor = support.QueryEditor as unknown as ComponentType<EditorProps>;
  const [query, setQuery] = useState<DataQuery>(() => ({ refId: 'Anno', ...support.getDefaultQuery?.() }));
  const [outcome, setOutcome] = useState('');
  const run = async (): Promise<void> => {
    const annotation = { name: 'Alerts', enable: true, iconColor: 'red', target: query } as AnnotationQuery;
    const target = support.prepareQuery?.(annotation) ?? query;
    const request = { targets: [target], range: rangeOfAddress(), scopedVars: {}, app: CoreApp.Dashboard };
    try {
      const { data } = await lastValueFrom(from(datasource.query(request as never)));
      // What Grafana makes of the frames is not in its packages: a row is an event.
      setOutcome(`${data.reduce((sum, frame: { length: number }) => sum + frame.length, 0)} events found`);
    } catch (error) {
      setOutcome(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <QueryEditor datasource={datasource} query={query} onChange={setQuery} onRunQuery={() => void run()} />
      <p role="status">{outcome}</p>
      <Button variant="secondary" style={{ alignSelf: 'flex-start' }} onClick={() => void run()}>
        Test annotation query
      </Button>
    </>
  );
}
