export { completeFilter } from './complete.js';
export type { Completion, CompletionKind, CompletionOptions, CompletionResult } from './complete.js';
export { highlightFilter, hoverFilter } from './hover.js';
export type { FilterHover } from './hover.js';
