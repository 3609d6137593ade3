/** `netspectra config check` and `netspectra config print`. */
import { ConfigError, configJsonSchema, issueText, loadConfig, printConfig } from '../config/index.js';
import { taskSchemas } from '../engine/tasks/index.js';
import { accessConfig } from './access.js';

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
