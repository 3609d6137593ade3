/** The bus between probes and engines, for Node: the contract, and who keeps it. */
export * from './bus.js';
export { createJetStreamBus, type JetStreamBus, type JetStreamBusOptions } from './jetstream-bus.js';
export { createMemoryBus, type MemoryBusOptions } from './memory-bus.js';
export { idText, isProbeId, parseId, probeIdLengthMax, subjectToken } from './message-id.js';
export { partitionsMax, streamDefaults, type ConnectionOptions, type StreamOptions } from './options.js';
export { createOutbox } from './outbox.js';
export { openSpool, type Spool, type SpoolOptions, type SpoolState } from './spool.js';
export { createMemoryRecords, createNatsRecords, type Records, type StoredRecord } from './records.js';
