import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import type { NetSpectraJsonData, NetSpectraSecureJsonData } from '../types.js';

/** What the settings editor and its parts get from Grafana. */
export type ConfigEditorProps = DataSourcePluginOptionsEditorProps<NetSpectraJsonData, NetSpectraSecureJsonData>;
