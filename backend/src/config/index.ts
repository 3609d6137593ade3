/** The configuration: netspectra.yaml and the environment, checked, printed and described. */
export { ConfigError, configFileName, configPathVariable, issueText, loadConfig } from './load.js';
export type { ConfigIssue, LoadOptions } from './load.js';
export { cidrList } from './networks.js';
export { configJsonSchema, configReference, printConfig, secretMask } from './print.js';
export { configSchema, logLevels } from './schema.js';
export type { Config, TaskSchema } from './schema.js';
export { nearest } from './suggest.js';
export { formatUnit, parseUnit } from './units.js';
