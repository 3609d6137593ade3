/** Several engines on one bus: who processes which partition. */
export { Lease, stretchesMax, type FlushStretch, type LeaseEnd } from './lease.js';
export { PartitionLeases, shareOf, type LeaseRound, type PartitionLeasesOptions } from './partition-leases.js';
export { MessageOrder, type MessageOrderOptions, type OrderCounters } from './message-order.js';
