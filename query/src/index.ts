export * from './filter/index.js';
export * from './group-key.js';
export * from './model.js';
export * from './registry/index.js';
