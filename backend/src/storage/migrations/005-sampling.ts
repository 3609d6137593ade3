/**
 * 005: the sampling rate of the packets that a flush counted: its highest, 1 when every packet was kept. Frozen, as every
 * migration is. What was stored before was not sampled.
 */
import { addColumns } from '../schema.js';
import type { Migration } from './types.js';

export const sampling005: Migration = {
  version: 5,
  name: 'sampling',
  statements: (ddl) => addColumns('probe_stats', 'sampling_rate UInt32 DEFAULT 1 CODEC(T64, ZSTD(1))', 'reasons', ddl),
};
