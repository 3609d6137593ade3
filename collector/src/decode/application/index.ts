/** Application protocols: pure parsers of messages, and the ordering of TCP segments they need. */
export * from './dns.js';
export * from './dns-names.js';
export { questionSlots } from './name-cache.js';
export * from './http.js';
export * from './http-extent.js';
export * from './recognition.js';
export * from './tcp-stream.js';
export * from './tls.js';
