/** All migrations, in order. A new one is a file NNN-name.ts and a line here. */
import { tables001 } from './001-tables.js';
import { enrichment002 } from './002-enrichment.js';
import { management003 } from './003-management.js';
import { rollups004 } from './004-rollups.js';
import { sampling005 } from './005-sampling.js';
import { deduplication006 } from './006-deduplication.js';
import { duplicates007 } from './007-duplicates.js';
import type { Migration } from './types.js';

export type { Migration } from './types.js';

export const migrations: readonly Migration[] = [
  tables001,
  enrichment002,
  management003,
  rollups004,
  sampling005,
  deduplication006,
  duplicates007,
];

/** The schema version this code writes; part of every deduplication token. */
export const schemaVersion: number = migrations.length;
