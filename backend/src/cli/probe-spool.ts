/** Where a capturing probe keeps messages while the bus is away. */
import { join } from 'node:path';
import { BusError, openSpool } from '@netspectra/collector/bus';
import type { Spool } from '@netspectra/collector/bus';
import type { Config } from '../config/index.js';
import { UserError } from '../errors.js';

/** The folder of a probe's own: its spool, and the capture rules that it was told. */
export const spoolFolder = ({ bus, probe, storage }: Config): string =>
  bus.spool_dir || join(storage.data_dir, 'spool', probe.id);

/** Where a probe keeps the capture rules that it was told: beside the spool. */
export const rulesFile = (config: Config): string => join(spoolFolder(config), 'capture-rules.json');

/**
 * Open the spool of the configuration, with what an earlier probe left there.
 * @returns null when it is turned off
 * @throws UserError NS_CONFIG_INVALID when the folder cannot be used or another probe has it
 */
export function openConfiguredSpool(config: Config): Spool | null {
  const { bus } = config;
  if (bus.spool_bytes === 0) return null;
  const folder = spoolFolder(config);
  try {
    return openSpool({ folder, bytesMax: bus.spool_bytes });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    throw new UserError('NS_CONFIG_INVALID', `${error.message} (bus.spool_dir; bus.spool_bytes: 0 does without)`, {
      cause: error,
    });
  }
}
