/** The datasource's settings. Secrets go into secureJsonData only: Grafana keeps them encrypted and never gives them back. */
import {
  Auth,
  AuthMethod,
  ConfigSection,
  ConnectionSettings,
  convertLegacyAuthProps,
  DataSourceDescription,
} from '@grafana/plugin-ui';
import { Divider } from '@grafana/ui';
import type { ConfigEditorProps } from './props.js';
import { LimitsFields } from './limits-fields.js';
import { TokenField } from './token-field.js';

const tokenMethod = 'custom-token';

/** The editor; Grafana adds the name above and "Save & test" below. */
export function ConfigEditor({ options, onOptionsChange }: ConfigEditorProps) {
  // plugin-ui's types are those of any datasource; the shape is the same.
  const change = onOptionsChange as (config: object) => void;
  const auth = convertLegacyAuthProps({ config: options, onChange: change });
  return (
    <>
      <DataSourceDescription dataSourceName="NetSpectra" docsLink="/plugins/netspectra-app" hasRequiredFields />
      <Divider />
      <ConnectionSettings
        config={options}
        onChange={change}
        urlPlaceholder="http://127.0.0.1:8080"
        urlTooltip="Address of the NetSpectra API, as Grafana's server reaches it"
      />
      <Divider />
      <Auth
        {...auth}
        selectedMethod={auth.selectedMethod === AuthMethod.NoAuth ? tokenMethod : auth.selectedMethod}
        visibleMethods={[tokenMethod, AuthMethod.BasicAuth, AuthMethod.OAuthForward]}
        mostCommonMethod={tokenMethod}
        customMethods={[
          {
            id: tokenMethod,
            label: 'NetSpectra token',
            description: 'A bearer token of the API; none is needed where the API asks for none',
            component: <TokenField options={options} onOptionsChange={onOptionsChange} />,
          },
        ]}
      />
      <Divider />
      <ConfigSection
        title="Limits"
        description="What one request may ask for, whoever asks. Empty: the default."
        isCollapsible
        isInitiallyOpen={options.jsonData.limits !== undefined || options.jsonData.timeout !== undefined}
      >
        <LimitsFields options={options} onOptionsChange={onOptionsChange} />
      </ConfigSection>
    </>
  );
}
