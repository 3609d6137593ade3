/** The API's token. */
import { Field, SecretInput } from '@grafana/ui';
import type { ConfigEditorProps } from './props.js';

/** Shown empty or as "configured"; the token itself never comes back from Grafana. */
export function TokenField({ options, onOptionsChange }: ConfigEditorProps) {
  return (
    <Field
      label="Token"
      description="Made with POST /api/v1/tokens, or printed at the first start. Role viewer is enough to query; editor changes alert and capture rules; admin is for tokens and the audit."
      htmlFor="netspectra-token"
    >
      <SecretInput
        id="netspectra-token"
        width={60}
        autoComplete="new-password"
        placeholder="none"
        isConfigured={options.secureJsonFields['token'] === true}
        value={options.secureJsonData?.token ?? ''}
        onChange={(event) =>
          onOptionsChange({
            ...options,
            secureJsonData: { ...options.secureJsonData, token: event.currentTarget.value.trim() },
          })
        }
        onReset={() =>
          onOptionsChange({
            ...options,
            secureJsonFields: { ...options.secureJsonFields, token: false },
            secureJsonData: { ...options.secureJsonData, token: '' },
          })
        }
      />
    </Field>
  );
}
