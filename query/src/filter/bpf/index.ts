export { captureFilter } from './capture-filter.js';
export type { CaptureFilterResult } from './capture-filter.js';
export { compileBpf } from './compile.js';
export type { BpfOptions, BpfResult } from './compile.js';
