export { frontierOf } from './frontier.js';
export type { Frontier, StreamProgress } from './frontier.js';
export { observingWriter } from './observing-writer.js';
export { Realtime } from './realtime.js';
export type { RedisState } from './redis-state.js';
export { hostSeconds } from './spans.js';
export type { EngineBeat, RealtimeHost, RealtimeView } from './state.js';
export { HeardEngines, sendBeat } from './heard-engines.js';
