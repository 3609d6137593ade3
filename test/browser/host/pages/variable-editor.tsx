/** The query of a template variable, with the values that come of it, as in a dashboard's settings. */
import type { DataSourceApi, MetricFindValue } from '@grafana/data';
import { CoreApp } from '@grafana/data';
import { selectors } from '@grafana/e2e-selectors';
import { getDataSourceSrv } from '@grafana/runtime';
import { Button, Text } from '@grafana/ui';
import type { ComponentType } from 'react';
import { useState } from 'react';
import { lastValueFrom, from } from 'rxjs';
import { Page } from '../shell.js';
import { useLoaded } from '../use-loaded.js';
import { rangeOfAddress } from './range.js';

const load = (): Promise<DataSourceApi> =>
  getDataSourceSrv().get(new URLSearchParams(window.location.search).get('ds'));

export function VariableEditorPage() {
  const datasource = useLoaded(load);
  return <Page title="New variable">{datasource && <Editor datasource={datasource} />}</Page>;
}

interface VariableQuery {
  readonly refId: string;
}

interface EditorProps {
  readonly datasource: DataSourceApi;
  readonly query: VariableQuery;
  readonly onChange: (query: VariableQuery) => void;
  readonly onRunQuery: () => void;
}

const { previewOfValuesOption, submitButton } = selectors.pages.Dashboard.Settings.Variables.Edit.General;

function Editor({ datasource }: { readonly datasource: DataSourceApi }) {
  const support = datasource.variables as unknown as {
    readonly editor: ComponentType<EditorProps>;
    query(request: object): ReturnType<DataSourceApi['query']>;
    getDefaultQuery?(): Partial<VariableQuery>;
  };
  const [query, setQuery] = useState<VariableQuery>(() => ({ refId: 'variable', ...support.getDefaultQuery?.() }));
  const [values, setValues] = useState<readonly MetricFindValue[]>([]);
  const run = async (): Promise<void> => {
    const request = { targets: [query], range: rangeOfAddress(), scopedVars: {}, app: CoreApp.Dashboard };
    const { data } = await lastValueFrom(from(support.query(request)));
    setValues(data as unknown as MetricFindValue[]);
  };
  return (
    <>
      <support.editor datasource={datasource} query={query} onChange={setQuery} onRunQuery={() => void run()} />
      <div style={{ marginTop: 16 }}>
        <Text element="h2" variant="h5">
          Preview of values
        </Text>
        <ul aria-label="Preview of values" style={{ display: 'flex', flexWrap: 'wrap', gap: 8, listStyle: 'none' }}>
          {values.map(({ text }) => (
            <li key={text} data-testid={previewOfValuesOption}>
              {text}
            </li>
          ))}
        </ul>
      </div>
      <Button
        variant="secondary"
        style={{ alignSelf: 'flex-start', marginTop: 16 }}
        data-testid={submitButton}
        onClick={() => void run()}
      >
        Run query
      </Button>
    </>
  );
}
