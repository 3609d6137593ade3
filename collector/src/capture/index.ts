/** Captures: files (byte sources, framing, writers) and interfaces. */
export {
  openCaptureFile,
  openCaptureStream,
  type CaptureCompression,
  type CaptureFile,
  type CaptureInput,
  type CaptureStream,
  type StreamDamage,
} from './byte-source.js';
export { CaptureError, captureErrorCodes, type CaptureErrorCode } from './errors.js';
export {
  CaptureDamage,
  captureDamageNames,
  describeCaptureDamage,
  type CaptureDamageReason,
} from './framing/damage.js';
export {
  CaptureFormat,
  CaptureState,
  damagePlacesMax,
  interfacesPerSectionMax,
  linkTypeUnknown,
  type DamagePlace,
} from './framing/capture-state.js';
export { CaptureFramer, recordBytesMax } from './framing/framer.js';
export { FrameFlag, FrameTable } from './framing/frame-table.js';
export { instructionBytes, keepAll, keepNothing, sampled } from './live/bpf-program.js';
export type { CompileExpression } from './live/pcap/filter-compiler.js';
export type {
  BpfProgram,
  FanoutGroup,
  InterfaceState,
  LiveCounters,
  LiveSource,
  LiveSourceOptions,
} from './live/live-source.js';
export { loadFilterCompiler, openLiveSource, type LiveSourceKind } from './live/open.js';
export { frameBytes, frameStream, type FramesHandler } from './framing/frame-stream.js';
export {
  PcapngWriter,
  PcapWriter,
  type PcapngInterface,
  type PcapngWriterOptions,
  type PcapWriterOptions,
} from './pcap-writer.js';
