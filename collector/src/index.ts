/** Capture sources and packet filters for Node. Decoding, which also runs in the browser, is `@netspectra/collector/decode`. */
export * from './capture/index.js';
export * from './filter/index.js';
