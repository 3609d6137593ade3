/** The bus in a process that serves the API: brings capture rules to probes, and hears how they are. */
import type { Bus, JetStreamBus } from '@netspectra/collector/bus';
import type { Logger } from 'pino';
import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { RuleDirector } from '../capture-rules/index.js';
import type { Config } from '../config/index.js';
import type { DependencyStatus } from '../health.js';
import type { Management } from '../management/index.js';
import { HeardEngines } from '../realtime/index.js';
import { openConfiguredBus } from './bus.js';
import { counted, countedBy } from './metrics.js';
import { busStatus } from './probe-health.js';

export interface ApiBus {
  readonly director: RuleDirector;
  readonly engines: HeardEngines;
  /** The API answers without the bus, so that this is optional; null: it is within this process. */
  status(): DependencyStatus | null;
  close(): Promise<void>;
}

/** How a probe in this process and the API hear each other. */
export type ProbeSignals = Pick<Bus, 'listen' | 'send'>;

/**
 * Begin to connect, when `api.bus` says so; a bus that is not there is tried again for ever.
 * @param signals of the probe in this process, in place of a bus; null: there is none
 * @returns null: the API has no bus
 * @throws UserError as openConfiguredBus
 */
export function openApiBus(
  config: Config,
  rules: Management['captureRules'],
  log: Logger,
  signals: ProbeSignals | null,
): ApiBus | null {
  if (signals) {
    const director = new RuleDirector({ bus: signals, rules, log });
    director.start();
    const engines = new HeardEngines(signals);
    return {
      director,
      engines,
      status: () => null,
      close: async () => {
        engines.close();
        await director.stop();
      },
    };
  }
  if (!config.api.bus) return null;
  const bus: JetStreamBus = openConfiguredBus(config, 'netspectra api', log);
  // What is wrong with certificate or credentials is logged by the connection and told by /readyz.
  bus.ready().catch(() => {});
  const director = new RuleDirector({ bus, rules, log });
  director.start();
  const engines = new HeardEngines(bus);
  return {
    director,
    engines,
    status: () => ({ ...busStatus(bus.state), optional: true }),
    close: async () => {
      engines.close();
      await director.stop();
      await bus.close();
    },
  };
}

/** @param bus null: zeroes, so that every API process tells the same metrics */
export function registerApiBusMetrics(registry: Registry, bus: () => ApiBus | null): void {
  const director = (): RuleDirector | undefined => bus()?.director;
  counted(
    registry,
    'netspectra_api_engine_status_refused_total',
    'Status messages of engines that were refused: larger than allowed, not understood, in the name of another engine, or of more engines than are kept in mind',
    () => bus()?.engines.refused ?? 0,
  );
  counted(
    registry,
    'netspectra_api_control_sent_total',
    'Control messages sent to probes, with all their capture rules',
    () => director()?.counters.sent ?? 0,
  );
  counted(
    registry,
    'netspectra_api_capture_rules_read_failures_total',
    'Times the capture rules could not be read from the store; probes keep those they have',
    () => director()?.counters.readFailures ?? 0,
  );
  countedBy(
    registry,
    'netspectra_api_probe_status_refused_total',
    'Status messages of probes that were refused: larger than allowed, not understood, in the name of another probe, or of more probes than are kept in mind',
    'reason',
    () => director()?.counters.refused ?? { too_large: 0, malformed: 0, foreign: 0, too_many: 0 },
  );
  new Gauge({
    name: 'netspectra_api_probes',
    help: 'Probes that were heard over the bus in the last hour, by state; rules_failed: their capture rules are not in force',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const states = { live: 0, silent: 0, rules_failed: 0 };
      for (const { live, error } of director()?.probes().values() ?? []) {
        states[live ? 'live' : 'silent'] += 1;
        if (error !== '') states.rules_failed += 1;
      }
      for (const [state, probes] of Object.entries(states)) this.set({ state }, probes);
    },
  });
}
