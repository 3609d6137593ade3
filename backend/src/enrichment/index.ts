/** Enrichment: what is known about addresses (docs/enrichment.md). */
export { Enricher, sharedEnricher } from './enricher.js';
export type { EnrichmentData } from './enricher.js';
export { openEnrichment } from './source.js';
export type { EnrichmentLog, EnrichmentSource } from './source.js';
export { createHostLookup } from './hosts.js';
export type { HostLookup } from './hosts.js';
export { ReverseDns } from './reverse-dns.js';
