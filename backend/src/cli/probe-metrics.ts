/** Prometheus metrics of a probe. Its interfaces are the only label that is not fixed; the configuration bounds them. */
import { decodeReasonNames } from '@netspectra/collector/decode';
import type { CaptureReport } from '@netspectra/collector/probe';
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { RuleKeeper } from '../capture-rules/index.js';
import { counted, countedBy } from './metrics.js';
import { totals } from './probe-health.js';
import type { ProbeBusFigures, ProbeFigures } from './probe-health.js';

export function registerProbeMetrics(
  registry: Registry,
  probe: ProbeFigures,
  figures: () => ProbeBusFigures,
  rules: Pick<RuleKeeper, 'refused' | 'taken' | 'status'>,
): void {
  perInterface(
    registry,
    probe,
    'netspectra_probe_packets_total',
    'Packets that matched the kernel filter, dropped ones included',
    (report) => report.counters.received,
  );
  perInterface(
    registry,
    probe,
    'netspectra_probe_bytes_total',
    'Bytes on the wire of the packets that were decoded',
    (report) => report.counters.bytes,
  );
  perInterface(
    registry,
    probe,
    'netspectra_probe_kernel_dropped_total',
    'Packets for which the ring had no room',
    (report) => report.counters.kernelDropped,
  );
  perInterface(
    registry,
    probe,
    'netspectra_probe_freezes_total',
    'How often the ring was full and the kernel stopped writing',
    (report) => report.live.freezes,
  );
  perInterface(
    registry,
    probe,
    'netspectra_probe_filtered_total',
    'Packets that the probe left out by its filter; those the kernel leaves out are not counted',
    (report) => report.counters.filtered,
  );
  perInterface(
    registry,
    probe,
    'netspectra_probe_publish_dropped_total',
    'Packets given up because the bus took no more',
    (report) => report.counters.publishDropped,
  );
  new Gauge({
    name: 'netspectra_probe_interface_up',
    help: '1 where the interface is up, 0 where it is down or gone',
    labelNames: ['interface'],
    registers: [registry],
    collect() {
      for (const { interface: name, report } of probe.rings)
        this.set({ interface: name }, !report || report.state === 'up' ? 1 : 0);
    },
  });
  countedBy(
    registry,
    'netspectra_probe_decode_errors_total',
    'Packets that could not be decoded to the end, by reason',
    'reason',
    () => reasonsOf(probe),
  );
  counted(
    registry,
    'netspectra_probe_messages_confirmed_total',
    'Messages that the bus confirmed',
    () => figures().publisher.confirmed,
  );
  counted(
    registry,
    'netspectra_probe_bytes_confirmed_total',
    'Bytes of these messages',
    () => figures().publisher.confirmedBytes,
  );
  counted(
    registry,
    'netspectra_probe_duplicates_total',
    'Confirmed messages that the bus had already',
    () => figures().publisher.duplicates,
  );
  counted(registry, 'netspectra_probe_retries_total', 'Sends that were tried again', () => figures().publisher.retries);
  counted(
    registry,
    'netspectra_probe_repeated_messages_total',
    'Messages sent once more after they were confirmed, because the connection broke soon after',
    () => figures().publisher.repeated,
  );
  counted(
    registry,
    'netspectra_probe_restored_messages_total',
    'Of these, messages that the bus did not know any more: lost by its server, or stored and cleared away',
    () => figures().publisher.restored,
  );
  counted(
    registry,
    'netspectra_probe_refused_total',
    'Sends that the bus refused because a stream is full',
    () => figures().publisher.refused,
  );
  counted(
    registry,
    'netspectra_probe_messages_lost_total',
    'Messages given up because they are larger than the bus takes',
    () => figures().publisher.lost,
  );
  countedBy(
    registry,
    'netspectra_probe_spool_refused_total',
    'Messages that the disk did not take: its bound was met, or writing failed',
    'reason',
    () => ({ full: figures().spool?.full ?? 0, failed: figures().spool?.failed ?? 0 }),
  );
  counted(
    registry,
    'netspectra_probe_spool_torn_total',
    'Places on disk where a message was not whole, as after a kill',
    () => figures().spool?.torn ?? 0,
  );
  counted(
    registry,
    'netspectra_probe_spool_torn_bytes_total',
    'Bytes that were cut off there',
    () => figures().spool?.tornBytes ?? 0,
  );
  gauge(
    registry,
    'netspectra_probe_previous_epoch_unfinished',
    '1 when the probe before, of the same id, was killed: its epochs have no last message; 0 also without a spool',
    () => (figures().spool?.previousUnfinished ? 1 : 0),
  );
  counted(
    registry,
    'netspectra_probe_reconnects_total',
    'Connections to the bus that were made anew',
    () => figures().bus.reconnects,
  );
  gauge(registry, 'netspectra_probe_bus_connected', '1 while there is a connection to the bus', () =>
    figures().bus.connected ? 1 : 0,
  );
  gauge(registry, 'netspectra_probe_queued_messages', 'Messages that wait for the publisher', () => probe.queued);
  gauge(
    registry,
    'netspectra_probe_unacknowledged_messages',
    'Messages that were sent and not confirmed yet',
    () => figures().publisher.unacknowledged,
  );
  gauge(
    registry,
    'netspectra_probe_unacknowledged_bytes',
    'Bytes of messages that were sent and not confirmed yet',
    () => figures().publisher.unacknowledgedBytes,
  );
  gauge(
    registry,
    'netspectra_probe_spooled_messages',
    'Messages on disk that are not confirmed yet',
    () => figures().publisher.spooled,
  );
  gauge(
    registry,
    'netspectra_probe_spooled_bytes',
    'Bytes they take on disk; files go as a whole',
    () => figures().publisher.spooledBytes,
  );
  gauge(
    registry,
    'netspectra_probe_spool_limit_bytes',
    'Most bytes on disk; 0 = no spool',
    () => figures().spool?.bytesMax ?? 0,
  );
  gauge(
    registry,
    'netspectra_probe_held_packets',
    'Packets of messages that are not confirmed yet',
    () => totals(probe).held,
  );
  registerRules(registry, rules);
}

/** What became of control messages. */
function registerRules(registry: Registry, rules: Pick<RuleKeeper, 'refused' | 'taken' | 'status'>): void {
  counted(
    registry,
    'netspectra_probe_control_taken_total',
    'Control messages whose capture rules were taken',
    () => rules.taken,
  );
  countedBy(
    registry,
    'netspectra_probe_control_refused_total',
    'Control messages that were refused: larger than allowed, not understood, for another probe, older than what is in force, or asking for what this probe cannot do',
    'reason',
    () => rules.refused,
  );
  gauge(registry, 'netspectra_probe_capture_rules', 'Capture rules in force', () => rules.status.rules);
}

function perInterface(
  registry: Registry,
  probe: ProbeFigures,
  name: string,
  help: string,
  read: (report: CaptureReport) => number,
): void {
  new Counter({
    name,
    help,
    labelNames: ['interface'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { interface: label, report } of probe.rings) this.inc({ interface: label }, report ? read(report) : 0);
    },
  });
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function reasonsOf(probe: ProbeFigures): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { report } of probe.rings) {
    for (const [reason, packets] of Object.entries(report?.counters.reasons ?? {})) {
      const name = decodeReasonNames[Number(reason)] ?? 'unknown';
      sums[name] = (sums[name] ?? 0) + packets;
    }
  }
  return sums;
}
