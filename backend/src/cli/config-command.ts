/** `netspectra config check`, `config print` and `config schema-sql`. */
import { ConfigError, configJsonSchema, issueText, loadConfig, printConfig } from '../config/index.js';
import { taskSchemas } from '../engine/tasks/index.js';
import { layoutOf, schemaScript } from '../storage/index.js';
import { accessConfig } from './access.js';
import { version } from './process.js';
import { serverOptions } from './store.js';

/** Says every mistake on a line of its own. @returns exit code 0 or 2 */
export async function checkConfig(path: string | undefined): Promise<number> {
  try {
    accessConfig(loadConfig({ path, env: process.env, taskSchemas: taskSchemas() }));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const issue of error.issues) process.stderr.write(`${issueText(issue, error.file)}\n`);
    return 2;
  }
  process.stdout.write('the configuration is right\n');
  return 0;
}

/** Prints the configuration in force, or its JSON Schema. */
export async function showConfig(path: string | undefined, schema: boolean): Promise<number> {
  const tasks = taskSchemas();
  process.stdout.write(
    schema
      ? `${JSON.stringify(configJsonSchema(tasks), null, 2)}\n`
      : printConfig(loadConfig({ path, env: process.env, taskSchemas: tasks })),
  );
  return 0;
}

/** Prints the statements that make the tables of the configured ClickHouse server or cluster, to be applied by hand. */
export async function showSchemaSql(path: string | undefined): Promise<number> {
  const config = loadConfig({ path, env: process.env, taskSchemas: taskSchemas() });
  const { database, cluster, sharded } = config.storage.clickhouse;
  const layout =
    cluster === '' ? 'one server' : `cluster ${cluster}, ${sharded ? 'rows by shard' : 'all rows on each server'}`;
  const statements = schemaScript(database, layoutOf(serverOptions(config)), config.storage.ttl);
  process.stdout.write(
    `-- NetSpectra ${version}: tables for ${layout}. Apply once to an empty database, with clickhouse-client < this-file.\n\n` +
      `${statements.join(';\n\n')};\n`,
  );
  return 0;
}
