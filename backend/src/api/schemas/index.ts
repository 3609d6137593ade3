/** The shapes of requests and answers: what validates is what the OpenAPI document shows. */
export * from './common.js';
export * from './filter.js';
export * from './flows.js';
export * from './hosts.js';
export * from './live.js';
export * from './operation.js';
export * from './probes.js';
export * from './query.js';
export * from './registry.js';
