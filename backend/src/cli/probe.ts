/**
 * `netspectra probe`: captures interfaces, or reads a capture file, and publishes the packets to the bus. SIGINT or SIGTERM
 * ends it: what is in the rings is published, then exit code 0. `--mode sub` prints what is published.
 */
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { openCaptureFile, openCaptureStream } from '@netspectra/collector';
import { createOutbox } from '@netspectra/collector/bus';
import type { JetStreamBus, Publisher, PublisherOptions, Spool } from '@netspectra/collector/bus';
import { CapturePlan, createProbe, publishFile } from '@netspectra/collector/probe';
import type { Probe } from '@netspectra/collector/probe';
import pino from 'pino';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { RuleKeeper, controlSubject } from '../capture-rules/index.js';
import { loadConfig } from '../config/index.js';
import type { Config } from '../config/index.js';
import { taskSchemas } from '../engine/tasks/index.js';
import { UserError } from '../errors.js';
import { busUserError, openConfiguredBus, prepareStreams } from './bus.js';
import { damageLines } from './damage.js';
import { fileEpoch } from './file-identity.js';
import { checkInputs, inputName, isNoCapture, noCaptureError } from './inputs.js';
import { registerProcessMetrics } from './metrics.js';
import { ownTrafficFilter } from './own-traffic.js';
import { HealthWatch, totals } from './probe-health.js';
import type { ProbeBusFigures } from './probe-health.js';
import { registerProbeMetrics } from './probe-metrics.js';
import { checkCaptureFilter, probeOptions } from './probe-options.js';
import { statusMilliseconds, tellStatus } from './probe-status.js';
import { openConfiguredSpool, rulesFile } from './probe-spool.js';
import { printMessages } from './probe-sub.js';
import { stopSignals, version } from './process.js';
import { serveStatus } from './status-http.js';

export interface ProbeCommandOptions {
  mode: 'probe' | 'sub';
  interface?: string[];
  read?: string;
  filter?: string;
  packets?: boolean;
  all?: boolean;
  config?: string;
  listen?: string;
}

const connectMilliseconds = 10_000;

/** @returns exit code */
export async function probe(options: ProbeCommandOptions): Promise<number> {
  const loaded = loadConfig({ path: options.config, env: process.env, taskSchemas: taskSchemas() });
  const { capture } = loaded;
  const config: Config = {
    ...loaded,
    probe: { ...loaded.probe, listen: options.listen ?? loaded.probe.listen },
    capture: {
      ...capture,
      filter: options.filter ?? capture.filter,
      interfaces: [...new Set(options.interface ?? capture.interfaces)],
    },
  };
  checkCaptureFilter(config);
  if (options.mode === 'probe' && options.read === undefined && config.capture.interfaces.length === 0) {
    throw new UserError('NS_USAGE', 'nothing to capture: name an interface (--interface eth0) or a file (--read FILE)');
  }
  if (options.read !== undefined && options.interface) {
    throw new UserError('NS_USAGE', '--interface and --read exclude each other: run one probe for each');
  }
  if (options.read !== undefined) await checkInputs([options.read]);
  const logger = pino({ name: 'netspectra', level: config.log.level }, pino.destination({ dest: 2, sync: true }));
  const bus = openConfiguredBus(config, `netspectra probe ${config.probe.id}`, logger);
  try {
    if (options.mode === 'sub') return await printMessages(bus, options, stopSignals);
    if (options.read !== undefined) return await publishOne(config, options.read, bus, logger);
    return await captureInterfaces(config, bus, logger);
  } catch (error) {
    throw busUserError(error);
  } finally {
    await bus.close();
  }
}

async function captureInterfaces(config: Config, bus: JetStreamBus, logger: Logger): Promise<number> {
  const { capture } = config;
  const except = capture.own_bus_traffic
    ? ''
    : await ownTrafficFilter(config.bus.servers, capture.interfaces, (server) =>
        logger.warn({ server }, "no address found: the probe's own connection to it may be captured"),
      );
  const spool = openConfiguredSpool(config);
  if (spool?.state.previousUnfinished)
    logger.warn(
      { probe: config.probe.id },
      'the probe before was killed: what it had sent and not heard of may be lost, and its epochs have no last message',
    );
  const publisherOf = (options: PublisherOptions): Publisher =>
    spool ? createOutbox(bus, spool, options, logger) : bus.publisher(options);
  let publisher: Publisher | undefined;
  const options = probeOptions(config, config.bus.partitions, except);
  const rules: RuleKeeper = new RuleKeeper({
    probe: config.probe.id,
    file: rulesFile(config),
    apply: (set) => running.rules(set),
    versions: () => running.rings.map(({ report }) => report?.rulesVersion ?? ''),
    log: logger,
  });
  const kept = rules.load((set) => new CapturePlan({ ...options, ...set, snapLength: options.live.snapLength }));
  const running = createProbe(
    {
      publisher: (told) => (publisher = publisherOf({ windowBytes: config.bus.window_bytes, ...told })),
      log: logger,
    },
    { ...options, rules: kept },
  );
  const figures = (): ProbeBusFigures => ({
    bus: bus.state,
    publisher: publisher!.state,
    spool: spool ? { ...spool.state, bytesMax: config.bus.spool_bytes } : null,
  });
  const watch = new HealthWatch(running, figures, rules);
  const metrics = new Registry();
  registerProcessMetrics(metrics, version);
  registerProbeMetrics(metrics, running, figures, rules);
  const stop = stopSignals();
  // Wrong certificates and credentials do not mend themselves; a bus that is not there yet may come.
  const refused = bus.ready().then(
    () => prepareStreams(bus, logger),
    (error: unknown) => Promise.reject(error),
  );
  const neverReady = new Promise<never>((_, reject) => refused.catch(reject));
  neverReady.catch(() => {});
  const http = await serveStatus({
    listen: config.probe.listen,
    setting: 'probe.listen',
    metrics,
    health: () => watch.health(),
  }).catch(async (error: unknown) => {
    await running.stop(0); // it has the spool open: the next start would take us for killed
    stop.release();
    throw error;
  });
  let unhear = (): void => {};
  let status: NodeJS.Timeout | undefined;
  try {
    await running.start();
    unhear = bus.listen(controlSubject(config.probe.id), (_, bytes) => rules.hear(bytes));
    status = setInterval(() => tellStatus(bus, config, running, watch, rules), statusMilliseconds);
    logger.info({ interfaces: capture.interfaces, address: http.address }, 'capturing');
    process.stderr.write(
      `netspectra: capturing ${capture.interfaces.join(', ')} as ${config.probe.id}, ${http.address}/metrics; Ctrl-C ends\n`,
    );
    await Promise.race([stop.asked, running.failed, neverReady]);
    return (await drain(running, config, spool, logger)) ? 0 : 1;
  } finally {
    clearInterval(status);
    unhear();
    await running.stop(0); // after an error; else it has stopped
    await http.close();
    stop.release();
  }
}

/** Publish what is in the rings, and end. @returns whether all of it is on the bus or on disk */
async function drain(running: Probe, config: Config, spool: Spool | null, logger: Logger): Promise<boolean> {
  const left = await running.stop(config.probe.drain_timeout * 1000);
  if (left > 0) {
    logger.warn({ messages: left }, 'messages are not known to be on the bus; their packets may be lost');
  }
  const spooled = spool?.left ?? 0;
  if (spooled > 0) logger.warn({ messages: spooled }, 'messages wait on disk for the next start of this probe');
  const { received, kernelDropped, publishDropped } = totals(running);
  logger.info({ received, kernelDropped, publishDropped }, 'capture ended');
  return left === 0;
}

async function publishOne(config: Config, file: string, bus: JetStreamBus, logger: Logger): Promise<number> {
  const standardInput = file === '-' ? process.stdin : null;
  const stop = stopSignals(() => standardInput?.destroy());
  const ended = new AbortController();
  void stop.asked.then(() => ended.abort());
  try {
    await bus.ready(connectMilliseconds);
    await prepareStreams(bus, logger);
    const capture = standardInput
      ? await openCaptureStream(standardInput, inputName(file))
      : await openCaptureFile(file);
    const publisher = bus.publisher({ windowBytes: config.bus.window_bytes });
    const report = await publishFile(capture, publisher, {
      probe: config.probe.id,
      epoch: standardInput ? randomBytes(8).readBigUInt64BE(0) : await fileEpoch(file),
      source: basename(inputName(file)),
      partitions: config.bus.partitions,
      payload: config.capture.payload,
      rowsMax: config.probe.batch_rows,
      messageBytesMax: config.bus.message_bytes,
      filter: config.capture.filter,
      stop: ended.signal,
    });
    const left = await publisher.close(config.probe.drain_timeout * 1000);
    if (isNoCapture(report.state, report.streamDamage)) throw noCaptureError(file, report.state);
    const { received, filtered } = report.counters;
    logger.info(
      { file, packets: received, filtered, messages: report.messages, duplicates: publisher.state.duplicates },
      'capture published',
    );
    if (left.length > 0) {
      throw new UserError(
        'NS_BUS_UNAVAILABLE',
        `${left.length} messages of ${file} were not confirmed in time; run it again, nothing counts twice`,
      );
    }
    const lines = damageLines(file, report.state, report.streamDamage);
    for (const line of lines) process.stderr.write(`netspectra: ${line}\n`);
    return lines.length > 0 ? 3 : 0;
  } finally {
    stop.release();
    standardInput?.destroy();
  }
}
