/**
 * What a datasource's settings hold, shared by the config editor and the server side. Keys that Grafana's own components
 * write have Grafana's names. Runs in a browser.
 */

/** Bounds of one datasource, for everybody who uses it. */
export interface DatasourceLimits {
  /** rows of one answer */
  readonly rows?: number;
  /** longest time range, hours */
  readonly rangeHours?: number;
  /** requests to the API at once */
  readonly requests?: number;
}

/** `jsonData`; besides, `httpHeaderName1` and on. */
export interface DatasourceJsonData {
  readonly tlsAuth?: boolean;
  readonly tlsAuthWithCACert?: boolean;
  readonly tlsSkipVerify?: boolean;
  /** name that the API's certificate must have, where it is not the URL's */
  readonly serverName?: string;
  /** seconds until a request is given up */
  readonly timeout?: number | string;
  /** send the user's OAuth token in place of the datasource's */
  readonly oauthPassThru?: boolean;
  readonly limits?: DatasourceLimits;
}

/** `secureJsonData`; besides, `httpHeaderValue1` and on. */
export interface DatasourceSecureJsonData {
  /** the API's bearer token */
  readonly token?: string;
  readonly basicAuthPassword?: string;
  readonly tlsCACert?: string;
  readonly tlsClientCert?: string;
  readonly tlsClientKey?: string;
}

/** Limits where the settings name none, and how far settings may go. */
export const limitBounds = {
  rows: { fallback: 50_000, min: 1, max: 1_000_000 },
  rangeHours: { fallback: 400 * 24, min: 1, max: 10 * 366 * 24 },
  requests: { fallback: 8, min: 1, max: 64 },
  timeoutSeconds: { fallback: 30, min: 1, max: 600 },
} as const;
