/**
 * Loads the configuration: file, then environment, then defaults; checked as a whole, all mistakes reported at once.
 *
 * Every mistake names where it stands (file:line, or the environment variable), the path of the key and what was
 * expected. Unknown keys, and unknown variables that begin with NETSPECTRA_, are mistakes: a typo must not be a default.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { ErrorObject } from 'ajv';
import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { UserError } from '../errors.js';
import { networkIssues } from './networks.js';
import { configLeaves, configSchema, expectedText, variablePrefix } from './schema.js';
import type { Config, Leaf, SchemaNode, TaskSchema } from './schema.js';
import { nearest } from './suggest.js';
import { parseUnit, unitHint } from './units.js';

export const configFileName = 'netspectra.yaml';
/** names the configuration file */
export const configPathVariable = `${variablePrefix}CONFIG`;
const fileSuffix = '_FILE';
/** A configuration file larger than this is not one. */
const fileBytesMax = 4 * 1024 ** 2;

export interface ConfigIssue {
  /** keys from the root, with list positions: engine.tasks[2].depth; '' for the whole file */
  readonly path: string;
  readonly message: string;
  /** from 1; absent when the value came from the environment */
  readonly line?: number;
}

/** All mistakes of a configuration. Its message has them in one line; `issues` one by one. */
export class ConfigError extends UserError {
  override readonly name = 'ConfigError';
  readonly issues: readonly ConfigIssue[];
  /** the file that was read, if any */
  readonly file: string | null;

  constructor(issues: readonly ConfigIssue[], file: string | null) {
    const lines = issues.map((issue) => issueText(issue, file));
    super(
      'NS_CONFIG_INVALID',
      lines.length === 1 ? lines[0]! : `${lines.length} mistakes in the configuration: ${lines.join('; ')}`,
    );
    this.issues = issues;
    this.file = file;
  }
}

/** `file:line: path: message`, with what is known of it. */
export function issueText(issue: ConfigIssue, file: string | null): string {
  const place = issue.line !== undefined && file !== null ? `${file}:${issue.line}: ` : '';
  return `${place}${issue.path === '' ? '' : `${issue.path}: `}${issue.message}`;
}

export interface LoadOptions {
  /** configuration file; without it NETSPECTRA_CONFIG, then netspectra.yaml in the working directory if there is one */
  readonly path?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** the engine's task types */
  readonly taskSchemas: readonly TaskSchema[];
}

/**
 * Load, complete and check.
 * @throws UserError NS_CONFIG_NOT_FOUND (the file, or one named by a ..._FILE variable, cannot be read), ConfigError
 */
export function loadConfig(options: LoadOptions): Config {
  return new Loader(options.env ?? {}, options.taskSchemas).load(options.path);
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readText(path: string, what: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > fileBytesMax) throw new Error(`more than ${fileBytesMax} bytes`);
    return text;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message;
    throw new UserError('NS_CONFIG_NOT_FOUND', `cannot read ${what} ${path}: ${reason}`, { cause: error });
  }
}

class Loader {
  private readonly issues: ConfigIssue[] = [];
  private readonly env: Readonly<Record<string, string | undefined>>;
  private readonly taskSchemas: ReadonlyMap<string, TaskSchema>;
  private readonly lines = new LineCounter();
  private document: Document | null = null;
  private file: string | null = null;
  /** path -> environment variable it came from */
  private readonly fromEnvironment = new Map<string, string>();
  /** paths that are wrong already: what the checker says about them would only repeat it */
  private readonly wrong = new Set<string>();

  constructor(env: Readonly<Record<string, string | undefined>>, taskSchemas: readonly TaskSchema[]) {
    this.env = env;
    this.taskSchemas = new Map(taskSchemas.map((task) => [task.type, task]));
  }

  load(path: string | undefined): Config {
    const values = this.readFile(path);
    this.applyEnvironment(values);
    this.convertUnits(configSchema as SchemaNode, values, []);
    const tasks = this.completeTasks(values);
    this.check(configSchema as SchemaNode, values, []);
    for (const [i, task] of tasks.entries()) this.checkTask(task, i);
    const config = values as unknown as Config;
    if (this.issues.length === 0) this.checkTogether(config);
    if (this.issues.length > 0) {
      this.issues.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity));
      throw new ConfigError(this.issues, this.file);
    }
    return config;
  }

  private readFile(given: string | undefined): JsonObject {
    const named = given ?? (this.env[configPathVariable] || undefined);
    if (named === undefined && !existsSync(configFileName)) return {};
    this.file = named ?? configFileName;
    const text = readText(this.file, 'the configuration file');
    this.document = parseDocument(text, { lineCounter: this.lines, uniqueKeys: true });
    if (this.document.errors.length > 0) {
      throw new ConfigError(
        this.document.errors.map((error) => ({
          path: '',
          message: `not valid YAML: ${error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')}`,
          line: error.linePos?.[0].line ?? 1,
        })),
        this.file,
      );
    }
    let values: unknown;
    try {
      values = this.document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      // Aliases are looked up only here: one without its anchor, or too many of them.
      const reason = (error as Error).message.split('\n')[0]!;
      throw new ConfigError([{ path: '', message: `not valid YAML: ${reason}`, line: 1 }], this.file);
    }
    if (values === null || values === undefined) return {};
    if (!isObject(values)) {
      throw new ConfigError(
        [{ path: '', message: 'expected sections like "api:" with keys below', line: 1 }],
        this.file,
      );
    }
    return values;
  }

  /** Where a path stands in the file: the line of its key (or list item). */
  private lineOf(path: readonly (string | number)[]): number | undefined {
    let node: unknown = this.document?.contents;
    let at: unknown = node;
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find(
          (item) => isPair(item) && String(isScalar(item.key) ? item.key.value : item.key) === String(step),
        );
        if (!pair) break;
        at = pair.key;
        node = pair.value;
      } else {
        node = isNode(node) && 'items' in node ? (node.items as unknown[])[Number(step)] : undefined;
        if (node === undefined) break;
        at = node;
      }
    }
    const offset = isNode(at) ? at.range?.[0] : undefined;
    return offset === undefined ? undefined : this.lines.linePos(offset).line;
  }

  private report(path: readonly (string | number)[], message: string): void {
    const text = pathText(path);
    if (this.wrong.has(text)) return;
    this.wrong.add(text);
    const variable = this.fromEnvironment.get(text);
    if (variable !== undefined) {
      this.issues.push({ path: text, message: `${message} (from the environment variable ${variable})` });
      return;
    }
    const line = this.lineOf(path);
    this.issues.push({ path: text, message, ...(line === undefined ? {} : { line }) });
  }

  private applyEnvironment(values: JsonObject): void {
    const leaves = new Map<string, Leaf>();
    for (const leaf of configLeaves()) if (leaf.variable !== null) leaves.set(leaf.variable, leaf);
    for (const [variable, text] of Object.entries(this.env)) {
      // An empty variable is one that was passed through without a value.
      if (!variable.startsWith(variablePrefix) || variable === configPathVariable || !text) continue;
      const leaf = leaves.get(variable);
      const secretLeaf = variable.endsWith(fileSuffix) ? leaves.get(variable.slice(0, -fileSuffix.length)) : undefined;
      if (leaf) {
        this.setFromEnvironment(values, leaf, variable, environmentValue(leaf.schema, text));
      } else if (secretLeaf?.schema.secret) {
        if (this.env[secretLeaf.variable!]) {
          this.issues.push({
            path: secretLeaf.path.join('.'),
            message: `both ${secretLeaf.variable} and ${variable} are set: keep one`,
          });
          continue;
        }
        const content = readText(text, `the file named by ${variable}`).replace(/\r?\n$/, '');
        this.setFromEnvironment(values, secretLeaf, variable, content);
      } else if (!isKubernetesService(variable, text)) {
        const near = nearest(variable, [...leaves.keys()]);
        this.issues.push({
          path: '',
          message: `unknown environment variable ${variable}${near === null ? '' : `, did you mean ${near}?`}`,
        });
      }
    }
  }

  private setFromEnvironment(values: JsonObject, leaf: Leaf, variable: string, value: Json): void {
    let at = values;
    for (const key of leaf.path.slice(0, -1)) {
      const next = at[key];
      if (next !== undefined && next !== null && !isObject(next)) return; // the checker reports the section
      at[key] ??= {};
      at = at[key] as JsonObject;
    }
    at[leaf.path.at(-1)!] = value;
    this.fromEnvironment.set(leaf.path.join('.'), variable);
  }

  /** "15s" -> 15, where the schema says that a unit may stand; a section without keys (null) -> {}. */
  private convertUnits(schema: SchemaNode, value: Json, path: readonly (string | number)[]): Json {
    if (schema.unit && typeof value === 'string') {
      const number = parseUnit(value, schema.unit);
      if (number === null) {
        this.report(
          path,
          `expected ${expectedText(schema)}, written as ${unitHint(schema.unit)}, got ${shown(value, schema)}`,
        );
        return value;
      }
      return number;
    }
    if (schema.properties && value === null) return {};
    if (schema.properties && isObject(value)) {
      for (const [key, child] of Object.entries(schema.properties)) {
        if (Object.hasOwn(value, key)) value[key] = this.convertUnits(child, value[key]!, [...path, key]);
      }
    }
    return value;
  }

  /** The tasks of the file, or all task types; each with its own units converted. Returns those to be checked. */
  private completeTasks(values: JsonObject): JsonObject[] {
    if (values['engine'] === undefined) values['engine'] = {};
    const { engine } = values;
    if (!isObject(engine)) return [];
    engine['tasks'] ??= [...this.taskSchemas.keys()].map((type) => ({ type }));
    const { tasks } = engine;
    if (!Array.isArray(tasks)) return [];
    return tasks.map((task, i) => {
      if (!isObject(task) || typeof task['type'] !== 'string') return {};
      const known = this.taskSchemas.get(task['type']);
      if (known) this.convertUnits(known.schema as SchemaNode, task, ['engine', 'tasks', i]);
      return task;
    });
  }

  private checkTask(task: JsonObject, i: number): void {
    const { type, ...given } = task;
    if (typeof type !== 'string') return; // reported with the rest of the file
    const known = this.taskSchemas.get(type);
    const path = ['engine', 'tasks', i];
    if (!known) {
      const types = [...this.taskSchemas.keys()];
      const near = nearest(type, types);
      this.report(
        [...path, 'type'],
        `unknown task type "${type}"${near === null ? '' : `, did you mean "${near}"?`}; expected one of ${types.join(', ')}`,
      );
      return;
    }
    this.check(known.schema as SchemaNode, given, path);
    Object.assign(task, given); // the options' defaults
  }

  /** Check a value against a schema and fill in defaults. */
  private check(schema: SchemaNode, value: JsonObject, path: readonly (string | number)[]): void {
    const ajv = new Ajv({ allErrors: true, useDefaults: true, verbose: true, strict: false });
    const validate = ajv.compile(schema);
    if (validate(value)) return;
    for (const error of validate.errors ?? []) {
      const at = [...path, ...pointerPath(error.instancePath)];
      if (error.keyword === 'const' || error.schemaPath.includes('/anyOf/')) continue; // told by anyOf itself
      this.reportError(error, at);
    }
  }

  private reportError(error: ErrorObject, at: readonly (string | number)[]): void {
    if (error.keyword === 'additionalProperties') {
      const key = String((error.params as { additionalProperty: string }).additionalProperty);
      const known = Object.keys((error.parentSchema as SchemaNode).properties ?? {});
      if (at[1] === 'tasks') known.push('type');
      const near = nearest(key, known);
      const hint = near === null ? `; known keys are ${known.join(', ')}` : `, did you mean "${near}"?`;
      this.report([...at, key], `unknown key${hint}`);
      return;
    }
    if (error.keyword === 'required') {
      const key = String((error.params as { missingProperty: string }).missingProperty);
      this.report([...at, key], 'missing');
      return;
    }
    const schema = error.parentSchema as SchemaNode;
    this.report(at, `expected ${expectedText(schema)}, got ${shown(error.data, schema)}`);
  }

  private checkSideWriters({ storage: { victoria_metrics: metrics, files } }: Config): void {
    const path = ['storage', 'victoria_metrics'];
    if ((metrics.tls.cert_file === '') !== (metrics.tls.key_file === '')) {
      this.report([...path, 'tls'], 'cert_file and key_file belong together: set both or none');
    }
    if (metrics.token !== '' && metrics.user !== '')
      this.report([...path, 'token'], 'token and user exclude each other');
    const own = metrics.labels.map((label) => label.slice(0, label.indexOf('=')));
    const taken = own.find((name, i) => ownLabels.has(name) || own.indexOf(name) !== i);
    if (taken !== undefined) {
      this.report([...path, 'labels'], `the label ${taken} is one of the series' own, or stands there twice`);
    }
    if (files.dir !== '' && files.max_bytes < files.rotate_bytes * files.tables.length) {
      this.report(
        ['storage', 'files', 'max_bytes'],
        'expected at least rotate_bytes for each table: files that are not closed are not deleted',
      );
    }
  }

  /** What no single key can say. */
  private checkTogether(config: Config): void {
    for (const { path, message } of networkIssues(config.networks)) this.report(['networks', ...path], message);
    const { tls, url, cluster, sharded, replica_path: replicaPath } = config.storage.clickhouse;
    if (cluster !== '' && url === '') {
      this.report(['storage', 'clickhouse', 'cluster'], 'a cluster needs storage.clickhouse.url');
    }
    if (sharded && cluster === '') {
      this.report(
        ['storage', 'clickhouse', 'sharded'],
        'shards need the name of their cluster: set storage.clickhouse.cluster',
      );
    }
    for (const macro of ['{shard}', '{database}', '{table}']) {
      if (replicaPath.includes(macro)) continue;
      const why = macro === '{shard}' ? 'shards' : `${macro.slice(1, -1)}s`;
      this.report(['storage', 'clickhouse', 'replica_path'], `needs ${macro}: without it ${why} would share one path`);
    }
    if ((tls.cert_file === '') !== (tls.key_file === '')) {
      this.report(['storage', 'clickhouse', 'tls'], 'cert_file and key_file belong together: set both or none');
    }
    this.checkSideWriters(config);
    const { tls: redisTls } = config.redis;
    if ((redisTls.cert_file === '') !== (redisTls.key_file === '')) {
      this.report(['redis', 'tls'], 'cert_file and key_file belong together: set both or none');
    }
    const { tls: apiTls } = config.api;
    if ((apiTls.cert_file === '') !== (apiTls.key_file === '')) {
      this.report(['api', 'tls'], 'cert_file and key_file belong together: set both or none');
    }
    if (apiTls.client_certificate !== 'none' && (apiTls.cert_file === '' || apiTls.client_ca_file === '')) {
      this.report(
        ['api', 'tls', 'client_certificate'],
        'client certificates need cert_file, key_file and client_ca_file',
      );
    } else if (apiTls.client_certificate === 'none' && apiTls.client_roles.length > 0) {
      this.report(['api', 'tls', 'client_roles'], 'nobody is asked for a certificate: set client_certificate');
    }
    const port = Number(/\d+$/.exec(config.api.listen)?.[0]);
    if (port > 65_535) this.report(['api', 'listen'], `expected a port from 0 to 65535, got ${port}`);
    const { counter_seconds: counter, flow_seconds: flow, sketch_seconds: sketch } = config.engine.windows;
    if (flow % counter !== 0) {
      this.report(
        ['engine', 'windows', 'flow_seconds'],
        `expected a multiple of counter_seconds (${counter}), got ${flow}`,
      );
    }
    if (sketch % counter !== 0) {
      this.report(
        ['engine', 'windows', 'sketch_seconds'],
        `expected a multiple of counter_seconds (${counter}), got ${sketch}`,
      );
    }
  }
}

/** What the writer for VictoriaMetrics puts on series (storage/writers/counter-series.ts). */
const ownLabels: ReadonlySet<string> = new Set([
  ...['run', 'other', 'probe', 'ip_version', 'protocol', 'application', 'vlan', 'reason', 'le'],
]);

const pathText = (path: readonly (string | number)[]): string =>
  path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');

/** JSON pointer (RFC 6901) as steps. */
function pointerPath(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}

/** A wrong value as it is shown: short, and never a secret. */
function shown(value: unknown, schema: SchemaNode): string {
  if (schema.secret) return 'something else';
  if (value === null || value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A variable's text as the value its key wants; what does not fit stays text and is reported by the checker. */
function environmentValue(schema: SchemaNode, text: string): Json {
  if (schema.type === 'array') {
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }
  if ((schema.type === 'integer' || schema.type === 'number') && /^-?\d+(\.\d+)?$/.test(text.trim()))
    return Number(text);
  if (schema.type === 'boolean' && /^(true|false)$/i.test(text.trim())) return text.trim().toLowerCase() === 'true';
  return text;
}

/**
 * Kubernetes gives every container variables for each service of its namespace; a service called "netspectra" or
 * "netspectra-api" makes some that begin like ours.
 */
function isKubernetesService(variable: string, text: string): boolean {
  if (/_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/.test(variable)) return true;
  if (/_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(variable)) return true;
  return variable.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(text);
}
