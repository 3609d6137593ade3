export { probesMax, RecentPackets } from './recent-packets.js';
export type { RecentPacketsCounters, RecentPacketsOptions } from './recent-packets.js';
export { DuplicateFlows } from './duplicate-flows.js';
export type { DuplicateCounts } from './duplicate-flows.js';
