// @vitest-environment jsdom
import '../../testing/dom.js';
import type { DataSourceSettings } from '@grafana/data';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { describe, expect, it } from 'vitest';
import type { NetSpectraJsonData, NetSpectraSecureJsonData } from '../types.js';
import { ConfigEditor } from './config-editor.js';

type Settings = DataSourceSettings<NetSpectraJsonData, NetSpectraSecureJsonData>;
const fresh = { url: '', jsonData: {}, secureJsonFields: {}, readOnly: false } as unknown as Settings;

/** The editor as Grafana holds it: what changes is handed in again. */
function show(options: Partial<Settings> = {}): { latest: () => Settings } {
  let latest = { ...fresh, ...options } as Settings;
  function Host() {
    const [settings, setSettings] = useState(latest);
    return (
      <ConfigEditor
        options={settings}
        onOptionsChange={(changed) => {
          latest = changed;
          setSettings(changed);
        }}
      />
    );
  }
  render(<Host />);
  return { latest: () => latest };
}

describe('the settings of the datasource', () => {
  it('takes a URL and a token, the token only as a secret', async () => {
    const user = userEvent.setup();
    const { latest } = show();
    await user.type(screen.getByPlaceholderText('http://127.0.0.1:8080'), 'https://api.example.org');
    await user.type(screen.getByLabelText(/^Token/), ' secret ');
    expect(latest()).toMatchObject({ url: 'https://api.example.org', secureJsonData: { token: 'secret' } });
    expect(JSON.stringify(latest().jsonData)).not.toContain('secret');
  });

  it('shows that a token is there without showing it, and takes it away', async () => {
    const user = userEvent.setup();
    const { latest } = show({ secureJsonFields: { token: true } });
    expect(screen.getByLabelText(/^Token/)).toBeDisabled();
    await user.click(screen.getByRole('button', { name: /reset/i }));
    expect(latest()).toMatchObject({ secureJsonFields: { token: false }, secureJsonData: { token: '' } });
  });

  it('stores limits that are numbers in bounds, and tells others', async () => {
    const user = userEvent.setup();
    const { latest } = show({ jsonData: { limits: {} } });
    await user.type(screen.getByLabelText(/^Rows/), '5000');
    expect(latest().jsonData).toMatchObject({ limits: { rows: 5000 } });
    await user.type(screen.getByLabelText(/^Requests at once/), '100');
    expect(screen.getByText('a whole number from 1 to 64')).toBeInTheDocument();
    expect(latest().jsonData.limits?.requests).toBe(10);
  });

  it('has TLS and custom headers', () => {
    show();
    expect(screen.getByText('TLS settings')).toBeInTheDocument();
    expect(screen.getByText('HTTP headers')).toBeInTheDocument();
  });
});
