export {
  HyperLogLog,
  addToRegisters,
  boundsOf,
  hyperLogLogSigmas,
  log2RegistersMin,
  log2RegistersMax,
} from './hyper-log-log.js';
export type { Estimate } from './hyper-log-log.js';
export { DistinctCounter, mergeDistinct } from './distinct-counter.js';
export type { DistinctState } from './distinct-counter.js';
export { CountMin, depthMin, depthMax, log2WidthMin, log2WidthMax } from './count-min.js';
export {
  HeavyKeys,
  mergeHeavyKeys,
  heaviest,
  capacityMin,
  capacityMax,
  countedBytes,
  countedPackets,
  errorBytes,
  errorPackets,
  counterFields,
} from './heavy-keys.js';
export type { HeavyKeysState } from './heavy-keys.js';
export { SketchWindows, sketchSlots } from './sketch-windows.js';
export { FlowDeltas, deltaRows, flowDeltasOf } from './flow-deltas.js';
export type { DeltaSide } from './flow-deltas.js';
export { keyText, keyWords } from './key-text.js';
export type { KeyKind } from './key-text.js';
export { SuperSpreaders } from './super-spreaders.js';
export type { Spreader } from './super-spreaders.js';
export { SlotPools } from './slot-pool.js';
export type { SlotPool } from './slot-pool.js';
