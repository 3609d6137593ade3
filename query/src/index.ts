export * from './filter/index.js';
export * from './model.js';
export * from './registry/index.js';
