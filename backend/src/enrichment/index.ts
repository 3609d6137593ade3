/** Enrichment: what is known about addresses (docs/enrichment.md). */
export { Enricher } from './enricher.js';
export type { EnricherCounters, EnricherOptions, EnrichmentData, NetworkConfig, Place } from './enricher.js';
export { openEnrichment } from './source.js';
export type { DatabaseState, EnrichmentLog, EnrichmentOptions, EnrichmentSource, FileKey } from './source.js';
export { createHostLookup } from './hosts.js';
export type { HostInfo, HostLookup, HostLookupDeps } from './hosts.js';
export { ReverseDns } from './reverse-dns.js';
export type { ReverseDnsCounters, ReverseDnsOptions } from './reverse-dns.js';
