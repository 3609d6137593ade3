export { BufferPool } from './buffer-pool.js';
export type { BufferPoolOptions } from './buffer-pool.js';
export { freeMemory } from './free-memory.js';
export { growableBuffer, growBuffer } from './growable-buffer.js';
