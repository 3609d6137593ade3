/** The probe: captures interfaces or reads files, and publishes what it decoded. For Node. */
export type { BuiltMessage } from './batch-builder.js';
export type { CaptureReport, RuleSet } from './capture-loop.js';
export { CapturePlan, CapturePlanError, captureRuleLimits } from './capture-plan.js';
export type { CaptureAction, CaptureRule } from './capture-plan.js';
export { publishFile, type FileProbeOptions, type FileReport } from './file-probe.js';
export { PayloadPicker, payloadModes, type PayloadMode } from './payload-picker.js';
export { keepMemorySmall, type GiveBack } from './malloc.js';
export { restartWith } from './replace-process.js';
export { shrinkHeap } from './shrink-heap.js';
export { createProbe, type Probe, type ProbeDeps, type ProbeLog, type ProbeOptions, type RingState } from './probe.js';
