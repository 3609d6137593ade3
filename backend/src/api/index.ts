/** The query API: `createApi(deps, config)`. */
export type { QueryParameter, QueryParameters, QueryStore, StoreColumn, StoreResult } from './query-store.js';
export type { Authorize, Role } from './roles.js';
export type { ApiAnswerMeta } from './routes/meta.js';
export { createApi, defaultApiLimits, parseListen } from './server.js';
export type { Api, ApiConfig, ApiDeps, ApiLimits } from './server.js';
export type { DependencyStatus, ProcessStatus, StatusProvider } from './status.js';
