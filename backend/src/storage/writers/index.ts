/** Writers beside the store (docs/storage.md, "Other writers"), and what puts them together. */
export { counterTables } from './counter-series.js';
export { createFanOutWriter } from './fan-out-writer.js';
export { createLaggingWriter } from './lagging-writer.js';
export type { LaggingCounters, LaggingWriter } from './lagging-writer.js';
export { openNdjsonWriter } from './ndjson-writer.js';
export type { NdjsonCounters, NdjsonWriter } from './ndjson-writer.js';
export type { SideWriter, WriterLogger } from './side-writer.js';
export { createVictoriaMetricsWriter } from './victoria-metrics-writer.js';
export type { VictoriaMetricsCounters, VictoriaMetricsWriter } from './victoria-metrics-writer.js';
