/**
 * One datasource's settings as Grafana sends them with every call, read and checked. What Grafana's Go SDK does for plugins
 * (TLS, headers, timeouts) is done here by hand.
 */
import { limitBounds } from '../contract/settings.js';
import type { DatasourceJsonData, DatasourceLimits, DatasourceSecureJsonData } from '../contract/settings.js';
import { PluginError } from '../errors.js';
import type { DataSourceSettings } from '../rpc/messages.js';

export interface TlsSettings {
  /** PEM */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly skipVerify: boolean;
  readonly serverName?: string;
}

export interface InstanceSettings {
  /** scheme, host and port */
  readonly origin: string;
  /** what stands before /api/v1 in paths: empty, or /prefix of a proxy */
  readonly basePath: string;
  /** headers of every request, in lower case; secret */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsSettings;
  readonly timeoutMs: number;
  readonly oauthPassThru: boolean;
  readonly limits: Required<DatasourceLimits>;
}

const tokenCharacters = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** RFC 9110 section 5.5: visible characters, spaces and tabs inside. */
const headerValue = /^[\t\x20-\x7e\x80-\xff]{0,8192}$/;
const headersMax = 32;
/** Headers that frame the message or say who asks: not the settings' to make. */
const reserved = new Set(
  'host connection content-length content-type transfer-encoding upgrade keep-alive te trailer expect accept x-grafana-user'.split(
    ' ',
  ),
);

const mistake = (message: string): PluginError => new PluginError('config', message);

function jsonOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw mistake('the settings of the datasource are not JSON; save them again');
}

function bounded(name: keyof typeof limitBounds, value: unknown): number {
  const { fallback, min, max } = limitBounds[name];
  if (value === undefined || value === null || value === '') return fallback;
  const number = Number(value);
  if (!Number.isFinite(number)) throw mistake(`${name}: a number is expected`);
  return Math.min(max, Math.max(min, Math.round(number)));
}

/** The URL's parts. Throws for what is no address of an API. */
function parseUrl(text: string): { readonly origin: string; readonly basePath: string } {
  if (text.trim() === '') throw mistake('no URL is set; the API listens on http://127.0.0.1:8080 unless configured');
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    throw mistake('the URL cannot be read; it looks like http://127.0.0.1:8080');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw mistake('the URL must begin with http:// or https://');
  if (url.username !== '' || url.password !== '')
    throw mistake('the URL holds a password; use the token, or basic auth');
  if (url.search !== '' || url.hash !== '') throw mistake('the URL must end with the path, without ? and #');
  return { origin: url.origin, basePath: url.pathname.replace(/\/+$/, '').replace(/\/api\/v1$/, '') };
}

function headersOf(
  settings: DataSourceSettings,
  json: Readonly<Record<string, unknown>>,
  secure: DatasourceSecureJsonData,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [key, name] of Object.entries(json)) {
    const number = /^httpHeaderName(\d{1,4})$/.exec(key)?.[1];
    if (number === undefined || typeof name !== 'string' || name.trim() === '') continue;
    const lower = name.trim().toLowerCase();
    const value = settings.decryptedSecureJsonData[`httpHeaderValue${number}`] ?? '';
    if (!tokenCharacters.test(lower) || reserved.has(lower)) throw mistake(`header ${name.trim()} cannot be set`);
    if (!headerValue.test(value)) throw mistake(`the value of header ${name.trim()} has characters no header may have`);
    headers[lower] = value;
    if (Object.keys(headers).length > headersMax) throw mistake(`more than ${headersMax} headers are set`);
  }
  const token = secure.token?.trim() ?? '';
  if (token !== '') {
    if (!/^[\x21-\x7e]{1,4096}$/.test(token)) throw mistake('the token has characters no token has; paste it again');
    headers['authorization'] = `Bearer ${token}`;
  } else if (settings.basicAuthEnabled) {
    const pair = `${settings.basicAuthUser}:${secure.basicAuthPassword ?? ''}`;
    headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  return headers;
}

function tlsOf(json: DatasourceJsonData, secure: DatasourceSecureJsonData): TlsSettings {
  const pem = (text: string | undefined, what: string): string => {
    if (!text?.includes('-----BEGIN ')) throw mistake(`${what} is not in PEM form (-----BEGIN ...)`);
    return text;
  };
  return {
    skipVerify: json.tlsSkipVerify === true,
    ...(json.serverName ? { serverName: String(json.serverName) } : {}),
    ...(json.tlsAuthWithCACert ? { ca: pem(secure.tlsCACert, 'the CA certificate') } : {}),
    ...(json.tlsAuth
      ? {
          cert: pem(secure.tlsClientCert, 'the client certificate'),
          key: pem(secure.tlsClientKey, "the client certificate's key"),
        }
      : {}),
  };
}

/** Read the settings. Throws a PluginError that says what is wrong with them. */
export function readSettings(settings: DataSourceSettings): InstanceSettings {
  const raw = jsonOf(settings.jsonData);
  const json = raw as DatasourceJsonData;
  const secure = settings.decryptedSecureJsonData as DatasourceSecureJsonData;
  const limits = (typeof json.limits === 'object' && json.limits) || {};
  return {
    ...parseUrl(settings.url),
    headers: headersOf(settings, raw, secure),
    tls: tlsOf(json, secure),
    timeoutMs: bounded('timeoutSeconds', json.timeout) * 1000,
    oauthPassThru: json.oauthPassThru === true,
    limits: {
      rows: bounded('rows', limits.rows),
      rangeHours: bounded('rangeHours', limits.rangeHours),
      requests: bounded('requests', limits.requests),
    },
  };
}
