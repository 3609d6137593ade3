/**
 * 007: packets that another probe has brought already (`engine.duplicates`): how many of each flow, in rows of the probe that
 * brought them again, and how many a flush had. Frozen, as every migration is. What was stored before was not compared.
 */
import { addColumns } from '../schema.js';
import type { Migration } from './types.js';

const counter = (name: string): string => `${name} UInt64 DEFAULT 0 CODEC(T64, ZSTD(1))`;
const ofFlows = [
  'client_duplicate_packets',
  'client_duplicate_bytes',
  'server_duplicate_packets',
  'server_duplicate_bytes',
];

export const duplicates007: Migration = {
  version: 7,
  name: 'duplicates',
  statements: (ddl) => [
    ...addColumns('flows', ofFlows.map(counter).join('\n'), 'end_reason', ddl),
    ...addColumns(
      'probe_stats',
      ['duplicate_packets', 'duplicate_bytes'].map(counter).join('\n'),
      'sampling_rate',
      ddl,
    ),
  ],
};
