export * from './dimensions.js';
export * from './measures.js';
export * from './names.js';
export * from './rollups.js';
export * from './source.js';
export * from './tables.js';
export * from './units.js';
