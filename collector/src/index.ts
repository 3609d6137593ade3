/**
 * Capture sources, for Node. What also runs in the browser is apart: decoding in `@netspectra/collector/decode`, filters over
 * packets in `@netspectra/collector/filter`.
 */
export * from './capture/index.js';
