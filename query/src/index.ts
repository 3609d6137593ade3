export * from './model.js';
export * from './registry/index.js';
