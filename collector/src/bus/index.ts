/** The bus between probes and engines, for Node: the contract, and who keeps it. */
export * from './bus.js';
export { idText, isProbeId, parseId, probeIdLengthMax, subjectToken } from './message-id.js';
