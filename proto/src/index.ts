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
