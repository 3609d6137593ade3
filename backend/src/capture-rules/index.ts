/** Capture rules on their way to probes: what is sent, what a probe keeps, what it tells. */
export { controlSubject, encodeControl, encodeStatus, parseControl, parseStatus, statusSubject } from './messages.js';
export type { ProbeStatus } from './messages.js';
export { RuleKeeper } from './rule-keeper.js';
export { compareVersions, versionOf } from './version.js';
export type { RulesRevision } from './version.js';
export { RuleDirector } from './rule-director.js';
export type { CaptureControl, LiveProbe } from './rule-director.js';
