/** Which NetSpectra datasource the pages show. */
import type { DataSourceInstanceSettings } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import { createContext, useContext } from 'react';
import { datasourceId } from './ids.js';

/** `jsonData` of the app. */
export interface AppSettings {
  /** uid of the datasource that the pages show; absent: the default one, or the first */
  readonly datasourceUid?: string;
}

/** The app's choice among all NetSpectra datasources; undefined when there is none. */
export function chosenSource(settings: AppSettings | undefined): DataSourceInstanceSettings | undefined {
  const all = getDataSourceSrv().getList({ type: datasourceId });
  return all.find(({ uid }) => uid === settings?.datasourceUid) ?? all.find(({ isDefault }) => isDefault) ?? all[0];
}

/** The NetSpectra datasource of a uid, or of `default`, which variables of dashboards hold for the default one. */
export const namedSource = (uid: string): string | undefined =>
  getDataSourceSrv()
    .getList({ type: datasourceId })
    .find((each) => each.uid === uid || (uid === 'default' && each.isDefault))?.uid;

/** uid of the datasource; only pages inside of the app's root have it. */
export const SourceContext = createContext<string | undefined>(undefined);

export function useSourceUid(): string {
  const uid = useContext(SourceContext);
  if (uid === undefined) throw new Error('a page was drawn outside of the app');
  return uid;
}
