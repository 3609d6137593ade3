export {
  Layer,
  TunnelType,
  tunnelTypeNames,
  packetColumns,
  outerColumns,
  packetBatchBytes,
  PacketBatch,
} from './packet-batch.js';
export type { PacketColumn, OuterColumn } from './packet-batch.js';
export {
  wireVersion,
  wireLimits,
  emptyCounters,
  batchHeader,
  batchTimes,
  encodePacketBatch,
  decodePacketBatch,
} from './codec.js';
export type { BatchHeader, CaptureCounters, DecodedBatch, WireError } from './codec.js';
