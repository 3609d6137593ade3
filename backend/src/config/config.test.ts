import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { UserError } from '../errors.js';
import { ConfigError, issueText, loadConfig } from './load.js';
import type { LoadOptions } from './load.js';
import { configJsonSchema, configReference, printConfig, secretMask } from './print.js';
import { configLeaves, configSchema } from './schema.js';
import type { Config, SchemaNode, TaskSchema } from './schema.js';
import { nearest } from './suggest.js';
import { formatUnit, parseUnit } from './units.js';

const taskSchemas: TaskSchema[] = [
  { type: 'flow', schema: Type.Object({}, { additionalProperties: false }) },
  {
    type: 'frequency',
    schema: Type.Object(
      {
        depth: Type.Integer({ minimum: 1, maximum: 16, default: 4, description: 'rows' }),
        by: Type.Union([Type.Literal('bytes'), Type.Literal('packets')], { default: 'bytes' }),
        interval: Type.Number({ unit: 'seconds', minimum: 1, maximum: 3600, default: 60 }),
      },
      { additionalProperties: false },
    ),
  },
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netspectra-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function load(text: string | null, env: LoadOptions['env'] = {}): Config {
  if (text === null) return loadConfig({ env: { ...env, NETSPECTRA_CONFIG: write('') }, taskSchemas });
  return loadConfig({ path: write(text), env, taskSchemas });
}
function write(text: string): string {
  const path = join(folder, `${(files += 1)}.yaml`);
  writeFileSync(path, text);
  return path;
}

/** The mistakes as `line path: message`. */
function mistakes(text: string, env: LoadOptions['env'] = {}): string[] {
  try {
    load(text, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error).toBeInstanceOf(UserError);
    expect(error.exitCode).toBe(2);
    expect(error.message).not.toContain('\n');
    for (const issue of error.issues) expect(error.message).toContain(issueText(issue, error.file));
    return error.issues.map((issue) => `${issue.line ?? '-'} ${issue.path}: ${issue.message}`);
  }
  return [];
}

describe('loading', () => {
  it('fills in every default, with all task types when none are named', () => {
    const config = load(null);
    expect(config.api).toMatchObject({ listen: '127.0.0.1:8080', admin_token: '' });
    expect(config.storage).toMatchObject({ data_dir: './netspectra-data', ttl: { flows: 30 * 86_400 } });
    expect(config.engine.windows).toEqual({ counter_seconds: 1, flow_seconds: 10, sketch_seconds: 60 });
    expect(config.engine.tasks).toEqual([{ type: 'flow' }, { type: 'frequency', depth: 4, by: 'bytes', interval: 60 }]);
    for (const { path, schema } of configLeaves()) {
      const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], config);
      if (path.at(-1) !== 'tasks') expect(value, path.join('.')).toEqual(schema.default);
    }
  });

  it('takes units, sections without keys, and task options', () => {
    const config = load(`
engine:
  windows:
  flow_table: { idle_timeout: 1.5m }
  flush: { max_bytes: 1.5 MB, interval: 250ms }
  tasks:
    - { type: frequency, depth: 8, interval: 5m }
storage: { ttl: { dns: 7d, flows: 0 }, query_memory: 512MiB }
`);
    expect(config.engine.flow_table).toMatchObject({ idle_timeout: 90 });
    expect(config.engine.flush).toEqual({ max_bytes: 1.5 * 1024 ** 2, interval: 0.25 });
    expect(config.engine.windows.flow_seconds).toBe(10);
    expect(config.engine.tasks).toEqual([{ type: 'frequency', depth: 8, by: 'bytes', interval: 300 }]);
    expect(config.storage.ttl).toMatchObject({ dns: 7 * 86_400, flows: 0 });
    expect(config.storage.query_memory).toBe(512 * 1024 ** 2);
  });

  it('reports all mistakes at once, each with its line, path and what was expected', () => {
    expect(
      mistakes(`probe:
  id: "not an id"
enigne: {}
engine:
  wrokers: 2
  flow_table:
    max_flows: many
    idle_timeout: 15 parsecs
  tasks:
    - type: flow
      depth: 3
    - type: freqency
    - depth: 1
    - type: frequency
      depth: 99
      by: bits
api:
  listen: 8080
  query_timeout: 2h
log:
  level: verbose
`),
    ).toEqual([
      '2 probe.id: expected 1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first, got "not an id"',
      '3 enigne: unknown key, did you mean "engine"?',
      '5 engine.wrokers: unknown key, did you mean "workers"?',
      '7 engine.flow_table.max_flows: expected a whole number from 1024 to 67108864, got "many"',
      '8 engine.flow_table.idle_timeout: expected a duration from 1s to 1d, written as a duration like 15s (ms, s, m, h, d), got "15 parsecs"',
      '11 engine.tasks[0].depth: unknown key; known keys are type',
      '12 engine.tasks[1].type: unknown task type "freqency", did you mean "frequency"?; expected one of flow, frequency',
      '13 engine.tasks[2].type: missing',
      '15 engine.tasks[3].depth: expected a whole number from 1 to 16, got 99',
      '16 engine.tasks[3].by: expected one of bytes, packets, got "bits"',
      '18 api.listen: expected host:port like 127.0.0.1:8080 or [::1]:8080, got 8080',
      '19 api.query_timeout: expected a duration from 100ms to 1h, got 7200',
      '21 log.level: expected one of silent, fatal, error, warn, info, debug, trace, got "verbose"',
    ]);
  });

  it('knows what only several keys together can say', () => {
    expect(mistakes('storage: {clickhouse: {tls: {cert_file: a.pem}}}')[0]).toMatch(
      /^1 storage.clickhouse.tls: cert_file and key_file/,
    );
    // The server's authority may be one of the usual ones.
    expect(mistakes('storage: {clickhouse: {tls: {cert_file: a.pem, key_file: b.pem}}}')).toEqual([]);
    expect(mistakes('storage: {clickhouse: {cluster: main, sharded: true}}')[0]).toMatch(
      /cluster: .*needs storage.clickhouse.url/,
    );
    expect(mistakes('storage: {clickhouse: {url: "http://ch:8123", sharded: true}}')[0]).toMatch(
      /sharded: .*name of their cluster/,
    );
    expect(mistakes('storage: {clickhouse: {replica_path: "/netspectra/{database}/{table}"}}')[0]).toMatch(
      /replica_path: needs \{shard\}: without it shards would share one path/,
    );
    expect(mistakes('storage: {clickhouse: {url: "http://ch:8123", cluster: main, sharded: true}}')).toEqual([]);
    expect(mistakes('engine: {windows: {counter_seconds: 4, flow_seconds: 10, sketch_seconds: 60}}')).toEqual([
      '1 engine.windows.flow_seconds: expected a multiple of counter_seconds (4), got 10',
    ]);
    expect(mistakes('api: {listen: "127.0.0.1:70000"}')[0]).toMatch(/port from 0 to 65535/);
  });

  it('names the line of what is not YAML, not a map, or doubled', () => {
    expect(mistakes('api:\n  listen: [')[0]).toMatch(/^\d+ : not valid YAML: /);
    expect(mistakes('api: {}\nlog: {}\napi: {}')[0]).toMatch(/^3 : not valid YAML: Map keys must be unique/);
    expect(mistakes('- a\n- b')).toEqual(['1 : expected sections like "api:" with keys below']);
    expect(mistakes('api: 5')).toEqual(['1 api: expected a section with keys, got 5']);
    expect(mistakes('engine: {tasks: 7}')).toEqual(['1 engine.tasks: expected a list, got 7']);
  });

  it('says which file it cannot read', () => {
    expect(() => loadConfig({ path: '/no/such/file.yaml', taskSchemas })).toThrow(
      /cannot read the configuration file \/no\/such\/file.yaml: no such file/,
    );
    const env = { NETSPECTRA_ADMIN_TOKEN_FILE: '/no/such/secret' };
    expect(() => load('', env)).toThrow(/named by NETSPECTRA_ADMIN_TOKEN_FILE \/no\/such\/secret/);
  });

  it('says so when an alias has no anchor, or there are too many', () => {
    expect(mistakes('*nobody').join()).toMatch(/not valid YAML: Unresolved alias.*nobody/);
    const bomb = `a: &a [x]\nb: &b [${'*a, '.repeat(60)}]\nc: &c [${'*b, '.repeat(60)}]\nd: [${'*c, '.repeat(60)}]`;
    expect(mistakes(bomb).join()).toMatch(/not valid YAML: Excessive alias count/);
  });

  it('never throws anything but its own errors, whatever the file holds', () => {
    const value = fc.anything({ withDate: false, withBigInt: false, withMap: false, withSet: false });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.dictionary(fc.constantFrom('api', 'engine', 'storage', 'x'), value).map((v) => JSON.stringify(v)),
        ),
        (text) => {
          try {
            load(text);
          } catch (error) {
            if (!(error instanceof UserError)) throw error;
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('the environment', () => {
  it('overrides the file, by the name of the key or its short name', () => {
    const config = load('api: { listen: "127.0.0.1:1" }\nstorage: { data_dir: file }', {
      NETSPECTRA_API_LISTEN: '127.0.0.1:2',
      NETSPECTRA_DATA_DIR: '/data',
      NETSPECTRA_ENGINE_FLOW_TABLE_IDLE_TIMEOUT: '2m',
      NETSPECTRA_ENGINE_WORKERS: '3',
      NETSPECTRA_CAPTURE_FILES: 'a.pcap, b.pcap',
      NETSPECTRA_LOG_LEVEL: '',
      OTHER: 'x',
    });
    expect(config.api.listen).toBe('127.0.0.1:2');
    expect(config.storage.data_dir).toBe('/data');
    expect(config.engine).toMatchObject({ workers: 3, flow_table: { idle_timeout: 120 } });
    expect(config.capture.files).toEqual(['a.pcap', 'b.pcap']);
    expect(config.log.level).toBe('info');
  });

  it('takes a secret from a file, but not from both', () => {
    const secret = write('s3cret\n');
    expect(load('', { NETSPECTRA_ADMIN_TOKEN_FILE: secret }).api.admin_token).toBe('s3cret');
    expect(load('', { NETSPECTRA_STORAGE_CLICKHOUSE_PASSWORD_FILE: secret }).storage.clickhouse.password).toBe(
      's3cret',
    );
    expect(mistakes('', { NETSPECTRA_ADMIN_TOKEN_FILE: secret, NETSPECTRA_ADMIN_TOKEN: 'x' })).toEqual([
      '- api.admin_token: both NETSPECTRA_ADMIN_TOKEN and NETSPECTRA_ADMIN_TOKEN_FILE are set: keep one',
    ]);
  });

  it('is checked like the file, and its mistakes name the variable', () => {
    expect(
      mistakes('', {
        NETSPECTRA_ENGINE_WORKERS: 'all',
        NETSPECTRA_API_LISTN: 'x',
        NETSPECTRA_API_LISTEN_FILE: 'x',
      }),
    ).toEqual([
      '- : unknown environment variable NETSPECTRA_API_LISTN, did you mean NETSPECTRA_API_LISTEN?',
      '- : unknown environment variable NETSPECTRA_API_LISTEN_FILE, did you mean NETSPECTRA_API_LISTEN?',
      '- engine.workers: expected a whole number from 0 to 256, got "all" (from the environment variable NETSPECTRA_ENGINE_WORKERS)',
    ]);
    expect(mistakes('engine: 5', { NETSPECTRA_ENGINE_WORKERS: '2' })).toEqual([
      '1 engine: expected a section with keys, got 5',
    ]);
  });

  it('may hold what Kubernetes puts there for services of our name', () => {
    const env = {
      NETSPECTRA_SERVICE_HOST: '10.0.0.1',
      NETSPECTRA_API_SERVICE_PORT_HTTP: '80',
      NETSPECTRA_PORT: 'tcp://10.0.0.1:80',
      NETSPECTRA_PORT_80_TCP_ADDR: '10.0.0.1',
    };
    expect(mistakes('', env)).toEqual([]);
    expect(mistakes('', { NETSPECTRA_PORT: '8080' })).toHaveLength(1);
  });

  it('has one variable for each key', () => {
    const variables = configLeaves().flatMap((leaf) => leaf.variable ?? []);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variables).toContain('NETSPECTRA_ADMIN_TOKEN');
  });
});

describe('printing', () => {
  it('gives back the same configuration, secrets apart', () => {
    const config = load('engine: { flush: { interval: 1.5s }, tasks: [{ type: frequency, interval: 90 }] }', {
      NETSPECTRA_ADMIN_TOKEN: 'hidden-token',
      NETSPECTRA_STORAGE_CLICKHOUSE_PASSWORD: 'hidden-word',
    });
    const text = printConfig(config);
    expect(text).not.toContain('hidden');
    expect(text).toContain('# How long flow records are kept after they were stored; 0 = for ever.\n    flows: 30d');
    const again = load(text);
    expect(again.api.admin_token).toBe(secretMask);
    expect({
      ...again,
      api: { ...again.api, admin_token: 'hidden-token' },
      storage: { ...again.storage, clickhouse: { ...again.storage.clickhouse, password: 'hidden-word' } },
    }).toEqual(config);
  });

  it('never shows a secret in a mistake', () => {
    expect(mistakes('api: { admin_token: [hidden] }').join()).not.toContain('hidden');
  });

  it('publishes a JSON Schema that accepts what loads, and refuses what does not', () => {
    const ajv = new Ajv2020({ strict: false });
    const validate = ajv.compile(configJsonSchema(taskSchemas));
    expect(validate(parse(printConfig(load(null))))).toBe(true);
    expect(validate({ engine: { flow_table: { idle_timeout: 15 }, tasks: [{ type: 'frequency', depth: 3 }] } })).toBe(
      true,
    );
    expect(validate({ engine: { wrokers: 1 } })).toBe(false);
    expect(validate({ engine: { tasks: [{ type: 'flow', depth: 3 }] } })).toBe(false);
    expect(validate({ engine: { tasks: [{ type: 'other' }] } })).toBe(false);
    expect(validate({ storage: { query_memory: '5 parsecs' } })).toBe(false);
  });

  it('has a description for every key, and a documented table that agrees with the schema', () => {
    const walk = (schema: SchemaNode, path: string): void => {
      expect(schema.description, path).toMatch(/\.$/);
      for (const [key, child] of Object.entries(schema.properties ?? {})) walk(child, `${path}.${key}`);
    };
    walk(configSchema as SchemaNode, 'config');
    const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
    const between = /<!-- reference: begin -->\n+([^]*?)\n+<!-- reference: end -->/.exec(page)?.[1];
    const cells = (table: string | undefined): string[] | undefined =>
      table?.split('\n').map((line) => line.replace(/\s+/g, ' ').replace(/-+/g, '-'));
    expect(cells(between)).toEqual(cells(configReference()));
  });
});

describe('units', () => {
  it('read what they write', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.constantFrom('bytes' as const, 'seconds' as const), (value, unit) => {
        expect(parseUnit(formatUnit(value, unit), unit)).toBe(value);
      }),
    );
  });

  it('know the usual spellings and refuse others', () => {
    const texts = ['64MB', '64MiB', '64 mb', '64M', '65536KB', '67108864', '67108864B'];
    expect(texts.map((text) => parseUnit(text, 'bytes'))).toEqual(texts.map(() => 64 * 1024 ** 2));
    expect(['15s', '15', '15000ms', '0.25m'].map((text) => parseUnit(text, 'seconds'))).toEqual([15, 15, 15, 15]);
    for (const text of ['', 's', '-1s', '1e3', '15S', '5x', '1 2', '0x10'])
      expect(parseUnit(text, 'seconds'), text).toBeNull();
    for (const text of ['MB', '5s', '1,5MB', '5PB']) expect(parseUnit(text, 'bytes'), text).toBeNull();
  });
});

describe('suggestions', () => {
  it('are near, or none', () => {
    expect(nearest('idle-timeout', ['max_flows', 'idle_timeout'])).toBe('idle_timeout');
    expect(nearest('lsiten', ['listen', 'level'])).toBe('listen');
    expect(nearest('colour', ['listen', 'level'])).toBeNull();
  });
});
