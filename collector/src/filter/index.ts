/** Filters over packets, the predicate target of the filter language. Runs in Node and in browsers. */
export { PacketReader } from './packet-reader.js';
export { PacketFilter, compilePacketFilter } from './packet-filter.js';
export type { PacketFilterOptions, PacketFilterResult } from './packet-filter.js';
export { RowCompactor } from './row-compactor.js';
