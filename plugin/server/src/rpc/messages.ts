/**
 * The messages of the plugin protocol as the handlers see them (proto/plugin.proto). Requests come complete: what the
 * sender left out is the empty value of its type, a message that is not there is null.
 */

export interface DataSourceSettings {
  readonly name: string;
  readonly url: string;
  readonly basicAuthEnabled: boolean;
  readonly basicAuthUser: string;
  readonly jsonData: Uint8Array;
  readonly decryptedSecureJsonData: Readonly<Record<string, string>>;
  readonly lastUpdatedMS: number;
  readonly uid: string;
}

export interface PluginUser {
  readonly login: string;
  readonly name: string;
  readonly email: string;
  /** Grafana's role in the organisation: Viewer, Editor, Admin, None or empty */
  readonly role: string;
}

export interface PluginContext {
  readonly orgId: number;
  /** null for what Grafana does on its own, as evaluating alert rules */
  readonly user: PluginUser | null;
  readonly dataSourceInstanceSettings: DataSourceSettings | null;
}

export interface DataQuery {
  readonly refId: string;
  readonly maxDataPoints: number;
  readonly intervalMS: number;
  readonly timeRange: { readonly fromEpochMS: number; readonly toEpochMS: number } | null;
  readonly json: Uint8Array;
  readonly queryType: string;
}

export interface QueryDataRequest {
  readonly pluginContext: PluginContext | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly queries: readonly DataQuery[];
}

export interface DataResponse {
  /** each an Arrow IPC file */
  readonly frames?: readonly Uint8Array[];
  readonly error?: string;
  /** HTTP status of this query alone */
  readonly status?: number;
  readonly errorSource?: 'plugin' | 'downstream';
}

export interface QueryDataResponse {
  readonly responses: Readonly<Record<string, DataResponse>>;
}

export interface CheckHealthRequest {
  readonly pluginContext: PluginContext | null;
  readonly headers: Readonly<Record<string, string>>;
}

export const HealthStatus = { Unknown: 0, Ok: 1, Error: 2 } as const;

export interface CheckHealthResponse {
  readonly status: (typeof HealthStatus)[keyof typeof HealthStatus];
  readonly message: string;
  readonly jsonDetails: Uint8Array;
}

export interface CollectMetricsResponse {
  readonly metrics: { readonly prometheus: Uint8Array };
}

export interface StringList {
  readonly values: readonly string[];
}

export interface CallResourceRequest {
  readonly pluginContext: PluginContext | null;
  readonly path: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, StringList>>;
  readonly body: Uint8Array;
}

/** The first message of an answer carries code and headers, later ones only more of the body. */
export interface CallResourceResponse {
  readonly code?: number;
  readonly headers?: Readonly<Record<string, StringList>>;
  readonly body?: Uint8Array;
}

/** SubscribeStream, PublishStream and RunStream ask alike. */
export interface StreamRequest {
  readonly pluginContext: PluginContext | null;
  readonly path: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export const StreamStatus = { Ok: 0, NotFound: 1, PermissionDenied: 2 } as const;

export interface StreamResponse {
  readonly status: (typeof StreamStatus)[keyof typeof StreamStatus];
  readonly data?: Uint8Array;
}

export interface StreamPacket {
  readonly data: Uint8Array;
}
