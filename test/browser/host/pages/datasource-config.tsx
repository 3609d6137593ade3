/** The settings of one datasource, with Grafana's "Save & test" below. */
import type { DataSourceApi, DataSourceSettings } from '@grafana/data';
import { selectors } from '@grafana/e2e-selectors';
import { getBackendSrv, getDataSourceSrv } from '@grafana/runtime';
import { Alert, Button, Field, Input } from '@grafana/ui';
import { useState } from 'react';
import { importDatasource } from '../datasource-srv.js';
import type { AnyDataSourcePlugin } from '../datasource-srv.js';
import { Page } from '../shell.js';
import { useLoaded } from '../use-loaded.js';

const uid = window.location.pathname.split('/').at(-1) ?? '';
const url = `/api/datasources/uid/${uid}`;

interface Loaded {
  readonly plugin: AnyDataSourcePlugin;
  readonly settings: DataSourceSettings;
}

const load = async (): Promise<Loaded> => ({
  plugin: await importDatasource(),
  settings: await getBackendSrv().get<DataSourceSettings>(url),
});

export function DatasourceConfigPage() {
  const loaded = useLoaded(load);
  return <Page title={loaded?.settings.name ?? 'Datasource'}>{loaded && <Editor {...loaded} />}</Page>;
}

interface Outcome {
  readonly status: string;
  readonly message: string;
}

async function tested(): Promise<Outcome> {
  try {
    const datasource: DataSourceApi = await getDataSourceSrv().get(uid);
    return (await datasource.testDatasource()) as Outcome;
  } catch (error) {
    // What a datasource rejects with is its outcome.
    return { status: 'error', message: (error as Partial<Outcome>).message ?? String(error) };
  }
}

function Editor({ plugin, settings }: Loaded) {
  const [options, setOptions] = useState(settings);
  const [outcome, setOutcome] = useState<Outcome>();
  const ConfigEditor = plugin.components.ConfigEditor;
  const save = async (): Promise<void> => {
    setOutcome(undefined);
    const { datasource } = await getBackendSrv().put<{ datasource: DataSourceSettings }>(url, options);
    setOptions(datasource);
    setOutcome(await tested());
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Field label="Name" htmlFor="basic-settings-name">
        <Input
          id="basic-settings-name"
          width={60}
          value={options.name}
          onChange={(event) => setOptions({ ...options, name: event.currentTarget.value })}
        />
      </Field>
      {ConfigEditor && <ConfigEditor options={options} onOptionsChange={setOptions} />}
      {outcome && (
        <div style={{ marginTop: 16 }}>
          <Alert severity={outcome.status === 'success' ? 'success' : 'error'} title={outcome.message} />
        </div>
      )}
      <Button type="submit" data-testid={selectors.pages.DataSource.saveAndTest} style={{ marginTop: 16 }}>
        Save &amp; test
      </Button>
    </form>
  );
}
