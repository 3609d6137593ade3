/** The store: opening it, its schema, writing flushes, reading positions. */
export { openStore } from './connect.js';
export type { OpenStoreOptions, StoreLogger, StoreTarget } from './connect.js';
export { defaultLimits } from './client-store.js';
export type { StoreLimits } from './client-store.js';
export { createClickHouseWriter } from './clickhouse-writer.js';
export type { ClickHouseWriter, WriterCounters, WriterObserver, WriterOptions } from './clickhouse-writer.js';
export { schemaVersion } from './migrations/index.js';
export { readPosition, readTablePosition } from './position.js';
export type { PartitionPosition, StreamPosition } from './position.js';
export { readStretches } from './stretches.js';
export type { StoredStretches } from './stretches.js';
export { applyRetention } from './retention.js';
export type { Retention } from './retention.js';
export type { ServerOptions } from './server.js';
export { rowsOf } from './store.js';
export type { InsertBlock, QueryOptions, QueryParam, QueryResult, ResultColumn, Store } from './store.js';
