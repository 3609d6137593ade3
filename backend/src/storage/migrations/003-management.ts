/**
 * 003: what people manage (rules, capture rules, tokens), who was refused (audit), and what was noticed (events). Frozen,
 * as every migration.
 *
 * A managed thing is never overwritten: each change is a row of its own with the next version, a deletion a last row that
 * says so. The deduplication token of the insert names thing and version, so that of several processes that write the same
 * version the engine takes one (docs/decisions/007-optimistic-concurrency.md). No table partitions: the engine compares
 * tokens inside one.
 */
import { deduplicationWindow } from '../schema.js';
import type { DdlContext } from '../schema.js';
import type { Migration } from './types.js';

/** Who did something, and through which request. */
const actorColumns = `
  actor_kind LowCardinality(String),
  actor_id String,
  actor_name String,
  actor_role LowCardinality(String),
  on_behalf_of String,
  address String,
  request_id String,
  action LowCardinality(String),`;

const settingsOf = (ddl: DdlContext): string => `SETTINGS ${ddl.deduplication(deduplicationWindow)}`;

function versionTable(name: string, ddl: DdlContext): string {
  return `CREATE TABLE IF NOT EXISTS ${name}${ddl.onCluster} (
  id String,
  version UInt32,
  change String,
  deleted UInt8,
  name String,
  body String CODEC(ZSTD(3)),
  created_at DateTime64(3, 'UTC'),
  changed_at DateTime64(3, 'UTC'),${actorColumns}
  stored_at DateTime64(6, 'UTC') DEFAULT now64(6)
) ENGINE = ${ddl.engine('MergeTree', [], 'everywhere')}
ORDER BY (id, version)
${settingsOf(ddl)}`;
}

export const management003: Migration = {
  version: 3,
  name: 'management',
  statements: (ddl) => [
    ...['rules', 'capture_rules', 'tokens'].map((name) => versionTable(name, ddl)),
    // When a token was last used, by process; the latest counts.
    `CREATE TABLE IF NOT EXISTS token_uses${ddl.onCluster} (
  token_id String,
  used_at DateTime64(3, 'UTC'),
  address String
) ENGINE = ${ddl.engine('ReplacingMergeTree', ['used_at'], 'everywhere')}
ORDER BY token_id`,
    // Changes that were refused. Changes that were made stand in the tables above, in the very row that made them.
    `CREATE TABLE IF NOT EXISTS audit${ddl.onCluster} (
  time DateTime64(3, 'UTC'),
  id String,${actorColumns}
  object_id String,
  result LowCardinality(String),
  detail String,
  stored_at DateTime DEFAULT now()
) ENGINE = ${ddl.engine('MergeTree', [], 'everywhere')}
PARTITION BY toYYYYMM(time, 'UTC')
ORDER BY (time, id)
TTL stored_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1`,
    // Occurrences that detectors and alert rules noticed: each change of state is a row, the highest version is the state.
    `CREATE TABLE IF NOT EXISTS events${ddl.onCluster} (
  id String,
  version UInt32,
  kind LowCardinality(String),
  source String,
  name String,
  severity LowCardinality(String),
  state LowCardinality(String),
  labels Map(LowCardinality(String), String),
  value Float64,
  threshold Float64,
  started_at DateTime64(3, 'UTC'),
  ended_at DateTime64(3, 'UTC'),
  changed_at DateTime64(3, 'UTC'),
  summary String CODEC(ZSTD(1)),
  details String CODEC(ZSTD(1)),
  stored_at DateTime DEFAULT now()
) ENGINE = ${ddl.engine('ReplacingMergeTree', ['version'], 'everywhere')}
PARTITION BY toYYYYMM(started_at, 'UTC')
ORDER BY (started_at, id)
TTL stored_at + toIntervalDay(400)
${settingsOf(ddl)}, ttl_only_drop_parts = 1`,
  ],
};
