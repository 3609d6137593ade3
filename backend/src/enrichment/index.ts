/** Enrichment: what is known about addresses (docs/enrichment.md). */
export { Enricher } from './enricher.js';
export type { EnricherCounters, EnricherOptions, EnrichmentData, NetworkConfig, Place } from './enricher.js';
export { openEnrichment } from './source.js';
export type { DatabaseState, EnrichmentLog, EnrichmentOptions, EnrichmentSource, FileKey } from './source.js';
