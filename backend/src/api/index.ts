/** The query API: `createApi(deps, config)`. */
export type { QueryParameter, QueryParameters, QueryStore, StoreColumn, StoreResult } from './query-store.js';
export { isCertificateMatch, parseListen, parseNetwork } from './access/index.js';
export type { AccessConfig, Role } from './access/index.js';
export type { ApiAnswerMeta } from './routes/meta.js';
export { createApi, defaultApiLimits } from './server.js';
export type { Api, ApiConfig, ApiDeps, ApiLimits } from './server.js';
export type { DependencyStatus, EngineStatus, ProcessStatus, StatusProvider } from './status.js';
