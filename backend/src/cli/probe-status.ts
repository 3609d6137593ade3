/** What a capturing process tells the API of itself: `netspectra.live.probe.<id>`. */
import type { Bus } from '@netspectra/collector/bus';
import { encodeStatus, statusSubject } from '../capture-rules/index.js';
import type { RuleKeeper } from '../capture-rules/index.js';
import type { Config } from '../config/index.js';
import { totals } from './probe-health.js';
import type { HealthWatch, ProbeFigures } from './probe-health.js';

/** How often it is told. */
export const statusMilliseconds = 1_000;

/** Tell counters, health, capture rules, and what the process itself uses. */
export function tellStatus(
  bus: Pick<Bus, 'send'>,
  config: Config,
  probe: ProbeFigures,
  watch: HealthWatch,
  rules: Pick<RuleKeeper, 'status'>,
): void {
  const { id } = config.probe;
  watch.sample();
  const { user, system } = process.cpuUsage();
  const health = watch.health();
  const status = {
    probe: id,
    time: new Date().toISOString(),
    ...totals(probe),
    health: { ...health, dependencies: [...health.dependencies] },
    cpu_seconds: (user + system) / 1e6,
    memory_bytes: process.memoryUsage.rss(),
    filter: config.capture.filter,
    interfaces: probe.rings.map(({ interface: name, report }) => ({ name, state: report?.state ?? 'up' })),
    capture_rules: rules.status,
  };
  bus.send(statusSubject(id), encodeStatus(status));
}
