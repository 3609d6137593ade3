/** What `probe` and `up` capture, from the configuration. */
import type { ProbeOptions } from '@netspectra/collector/probe';
import { captureFilter } from '@netspectra/query';
import type { Config } from '../config/index.js';
import { UserError } from '../errors.js';

/** With headers only, enough for tunnels, tags and long extension chains. */
const headerSnapLength = 256;
/** Whole packets, segmentation offload included. */
const payloadSnapLength = 65_535;
const blockTimeoutMilliseconds = 10;

/** @throws UserError NS_FILTER_INVALID when packets cannot be judged by the filter of the configuration */
export function checkCaptureFilter({ capture }: Config): void {
  const result = captureFilter(capture.filter);
  if (result.ok) return;
  const reason = result.reasons[0]!;
  throw new UserError('NS_FILTER_INVALID', `capture filter, column ${reason.column}: ${reason.message}`);
}

/**
 * @param partitions into how many the packets are cut
 * @param except what is never captured, in the filter language; '' = nothing
 */
export function probeOptions(config: Config, partitions: number, except: string): ProbeOptions {
  const { bus, capture, probe } = config;
  return {
    probe: probe.id,
    interfaces: capture.interfaces,
    ringsPerInterface: capture.rings,
    partitions,
    samplingRate: capture.sampling_rate,
    payload: capture.payload,
    rowsMax: probe.batch_rows,
    messageBytesMax: bus.message_bytes,
    filter: capture.filter,
    except,
    flushMilliseconds: probe.batch_interval * 1000,
    idleMilliseconds: probe.idle_interval * 1000,
    queueBytesMax: probe.queue_bytes,
    live: {
      promiscuous: capture.promiscuous,
      snapLength: capture.snap_length || (capture.payload === 'none' ? headerSnapLength : payloadSnapLength),
      ringBytes: capture.ring_bytes,
      blockTimeoutMilliseconds,
      hardwareTimestamps: capture.timestamps === 'hardware',
    },
    liveSource: capture.source,
  };
}
