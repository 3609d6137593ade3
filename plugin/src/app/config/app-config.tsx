/** The app's settings: which datasource its pages show. */
import type { AppPluginMeta, PluginConfigPageProps } from '@grafana/data';
import { DataSourcePicker, getBackendSrv } from '@grafana/runtime';
import { Alert, Button, Field, LinkButton, Stack } from '@grafana/ui';
import { useState } from 'react';
import { lastValueFrom } from 'rxjs';
import { appId, datasourceId, pages } from '../shared/ids.js';
import { resourceErrorOf } from '../shared/resources.js';
import type { AppSettings } from '../shared/source.js';
import { chosenSource } from '../shared/source.js';

type Props = PluginConfigPageProps<AppPluginMeta<AppSettings>>;

/** Saving loads the page anew: Grafana hands out an app's settings only then. */
export function AppConfig({ plugin: { meta } }: Props) {
  const [uid, setUid] = useState(meta.jsonData?.datasourceUid ?? chosenSource(undefined)?.uid);
  const [problem, setProblem] = useState<string>();
  const [saving, setSaving] = useState(false);
  const save = async (settings: Pick<AppPluginMeta<AppSettings>, 'enabled'>): Promise<void> => {
    setSaving(true);
    try {
      await saveSettings({
        ...settings,
        pinned: settings.enabled ?? false,
        jsonData: { ...meta.jsonData, ...(uid ? { datasourceUid: uid } : {}) },
      });
      window.location.reload();
    } catch (error) {
      setProblem(resourceErrorOf(error).message);
      setSaving(false);
    }
  };
  return (
    <Stack direction="column" gap={2}>
      {problem !== undefined && (
        <Alert severity="error" title="Could not save">
          {problem}
        </Alert>
      )}
      <Field noMargin label="Datasource" description="What the app's pages show" htmlFor="netspectra-app-datasource">
        <DataSourcePicker
          inputId="netspectra-app-datasource"
          width={60}
          noDefault
          current={uid ?? null}
          filter={({ type }) => type === datasourceId}
          onChange={({ uid: chosen }) => setUid(chosen)}
        />
      </Field>
      <Stack direction="row" gap={1}>
        <Button disabled={saving} onClick={() => void save({ enabled: true })}>
          {meta.enabled ? 'Save' : 'Save and enable'}
        </Button>
        {meta.enabled && (
          <>
            <LinkButton variant="secondary" href={pages.home}>
              Open the app
            </LinkButton>
            <Button
              variant="destructive"
              fill="outline"
              disabled={saving}
              onClick={() => void save({ enabled: false })}
            >
              Disable
            </Button>
          </>
        )}
      </Stack>
    </Stack>
  );
}

async function saveSettings(data: object): Promise<void> {
  const url = `/api/plugins/${appId}/settings`;
  await lastValueFrom(getBackendSrv().fetch({ url, method: 'POST', data, showErrorAlert: false }));
}
