/** Packet decoding, pure TypeScript: link layer to transport, tunnels, fragments. Runs in Node and in browsers. */
export { PacketDecoder, layersMax } from './packet-decoder.js';
export { outerPerFrameMax } from './frame.js';
export { DecodeReason, decodeReasonNames } from './reason.js';
export { flowHash, partitionOf } from './flow-hash.js';
export { Defragmenter, DefragmentResult, defragmenterDefaults } from './defragmenter.js';
export type { DefragmenterCounters, DefragmenterOptions } from './defragmenter.js';
export * from './application/index.js';
export * from './application/index.js';
