/**
 * Grafana as code, and the composition of containers, as far as it goes without Grafana and without Docker: the files are
 * read as those would read them, and the real programs run with the environment that they name: a ClickHouse server, the
 * reader, the API, and the datasource's executable with the provisioned settings. The alert rules ask it as Grafana's do.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { meets } from '../kit/alert-expressions.js';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { startClickHouse } from '../kit/clickhouse.js';
import type { ClickHouse } from '../kit/clickhouse.js';
import { PluginProcess, checkForAlerting } from '../kit/plugin-host/index.js';
import type { DatasourceOptions, QueryAnswer } from '../kit/plugin-host/index.js';
import { repository, run, sampleCapture, temporaryFolder } from './process.js';

const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const yaml = (path: string): unknown => parse(read(path), { merge: true });

interface Datum {
  readonly refId: string;
  readonly datasourceUid: string;
  readonly relativeTimeRange?: { readonly from: number; readonly to: number };
  readonly model: Readonly<Record<string, unknown>>;
}
interface Rule {
  readonly uid: string;
  readonly title: string;
  readonly condition: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly data: readonly Datum[];
}
interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly build?: { readonly dockerfile: string; readonly target: string };
  readonly healthcheck?: { readonly test: readonly string[] };
}

const { groups } = yaml('provisioning/alerting/rules.yaml') as { groups: { name: string; rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const { datasources } = yaml('provisioning/datasources/netspectra.yaml') as {
  datasources: {
    uid: string;
    type: string;
    url: string;
    jsonData: object;
    secureJsonData: Record<string, string>;
  }[];
};
const source = datasources[0]!;
const compose = yaml('docker-compose.yaml') as {
  services: Record<'clickhouse' | 'api' | 'reader' | 'grafana', Service>;
  networks: Record<string, { internal?: boolean } | null>;
  volumes: object;
};

/** What somebody put into .env. */
const secrets: Readonly<Record<string, string>> = {
  CLICKHOUSE_PASSWORD: 'store-password',
  API_TOKEN: 'api-token-of-24-characters',
  GRAFANA_PASSWORD: 'grafana-password',
};

/** A value of the composition: `${NAME:?message}` and `${NAME:-default}`. */
const filled = (text: string): string =>
  text.replace(/\$\{(\w+):([?-])([^}]*)\}/g, (_whole, name: string, kind: string, rest: string) => {
    const value = secrets[name] ?? (kind === '-' ? rest : undefined);
    if (value === undefined) throw new Error(`${name} has neither value nor default`);
    return value;
  });
const environment = ({ environment: given }: Service): Record<string, string> =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [name, filled(value)]));

/** As Grafana puts its environment into provisioning files. */
const expanded = (text: string): string =>
  text.replace(/\$(\w+)/g, (_whole, name: string) => environment(compose.services.grafana)[name] ?? '');

describe('provisioning', () => {
  test('names one datasource everywhere, and the app', () => {
    expect(source).toMatchObject({ uid: 'netspectra', type: 'netspectra-datasource' });
    const { apps } = yaml('provisioning/plugins/netspectra.yaml') as { apps: unknown[] };
    expect(apps).toMatchObject([{ type: 'netspectra-app', disabled: false, jsonData: { datasourceUid: source.uid } }]);
    for (const { data } of rules) {
      expect(new Set(data.map(({ datasourceUid }) => datasourceUid))).toEqual(new Set([source.uid, '__expr__']));
    }
  });

  test('has no secret in it', () => {
    for (const folder of readdirSync(join(repository, 'provisioning'))) {
      for (const file of readdirSync(join(repository, 'provisioning', folder))) {
        const values = read(`provisioning/${folder}/${file}`).matchAll(/(?:token|password|url): *(.*)/gi);
        for (const [, value] of values) expect(value, file).toMatch(/^\$[A-Z_]+$/);
      }
    }
    expect(Object.keys(environment(compose.services.grafana))).toEqual(
      expect.arrayContaining(['API_URL', 'API_TOKEN', 'ALERT_WEBHOOK_URL']),
    );
  });

  test('alerts go to the webhook by their label', () => {
    const { contactPoints } = yaml('provisioning/alerting/contact-points.yaml') as {
      contactPoints: { name: string; receivers: { uid: string; type: string; settings: { url: string } }[] }[];
    };
    const [point] = contactPoints;
    expect(point!.receivers).toMatchObject([{ type: 'webhook', settings: { url: '$ALERT_WEBHOOK_URL' } }]);
    expect(() => new URL(expanded(point!.receivers[0]!.settings.url))).not.toThrow();
    const { policies } = yaml('provisioning/alerting/policies.yaml') as {
      policies: { routes: { receiver: string; object_matchers: [string, string, string][] }[] }[];
    };
    const route = policies[0]!.routes[0]!;
    expect(route.receiver).toBe(point!.name);
    for (const { labels } of rules) {
      expect(route.object_matchers).toEqual([['app', '=', labels['app']]]);
      expect(['warning', 'critical']).toContain(labels['severity']);
    }
  });

  test('rules have uids and titles of their own, and conditions that hang together', () => {
    expect(rules.length).toBeGreaterThanOrEqual(5);
    expect(new Set(rules.map(({ uid }) => uid)).size).toBe(rules.length);
    expect(new Set(rules.map(({ title }) => title)).size).toBe(rules.length);
    // Grafana would take it for a variable of the environment.
    expect(read('provisioning/alerting/rules.yaml')).not.toContain('$');
    for (const { uid, condition, data, annotations } of rules) {
      expect(uid).toMatch(/^[a-z0-9-]{1,40}$/);
      expect(annotations['summary']).toBeTruthy();
      expect(data.at(-1)).toMatchObject({ refId: condition, model: { type: 'threshold' } });
      data.forEach(({ refId, datasourceUid, model, relativeTimeRange }, i) => {
        expect(model['refId']).toBe(refId);
        if (datasourceUid === '__expr__') {
          expect(data.slice(0, i).map((before) => before.refId)).toContain(model['expression']);
        } else expect(relativeTimeRange!.from).toBeGreaterThan(relativeTimeRange!.to);
      });
      const [asked, next] = data;
      expect(next!.model['type'] === 'reduce', uid).toBe(asked!.model['type'] === 'timeseries');
      // A template names only labels that the answer has.
      const labels = [...JSON.stringify(annotations).matchAll(/\.Labels\.(\w+)/g)].map(([, name]) => name);
      const grouped = (asked!.model['groupBy'] ?? []) as string[];
      expect(
        labels.filter((name) => !grouped.includes(name!)),
        uid,
      ).toEqual([]);
      const values = [...JSON.stringify(annotations).matchAll(/\.Values\.(\w+)/g)].map(([, name]) => name);
      expect(
        values.filter((name) => !data.some(({ refId }) => refId === name)),
        uid,
      ).toEqual([]);
    }
  });

  test('dashboards as files: a folder of their own, read only', () => {
    const { providers } = yaml('provisioning/dashboards/netspectra.yaml') as { providers: unknown[] };
    const path = expect.stringMatching(/^\//) as string;
    expect(providers).toMatchObject([{ type: 'file', allowUiUpdates: false, options: { path } }]);
  });
});

describe('the composition', () => {
  const { services } = compose;

  test('pins its images, publishes on loopback only, mounts what is there, and read only', () => {
    for (const [name, { image, ports = [], volumes = [] }] of Object.entries(services)) {
      expect(image, name).toMatch(/:\d+\.\d+(\.\d+)?$/);
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
      for (const volume of volumes) {
        const [from, , mode] = filled(volume).split(':');
        if (!from!.startsWith('.')) expect(Object.keys(compose.volumes)).toContain(from);
        else {
          expect(existsSync(join(repository, from!)), volume).toBe(true);
          expect(mode).toBe('ro');
        }
      }
    }
    expect(services.clickhouse.networks.map((name) => compose.networks[name]?.internal)).toEqual([true]);
  });

  test('has texts where texts are wanted, no secret, and no default for one', () => {
    for (const service of Object.values(services)) {
      const lists = [service.command ?? [], service.healthcheck?.test ?? []];
      for (const each of [...lists.flat(), ...Object.values(service.environment)]) expect(each).toBeTypeOf('string');
      for (const [name, value] of Object.entries(service.environment)) {
        if (/PASSWORD|TOKEN/.test(name)) expect(value, name).toMatch(/^\$\{\w+:\?[^}]+\}$/);
      }
    }
    expect(read('.gitignore')).toMatch(/^\/\.env$/m);
  });

  test('builds what its Dockerfile has, from files that are there', () => {
    const dockerfile = read('docker/Dockerfile');
    for (const { build } of [services.api, services.reader, services.grafana]) {
      expect(build!.dockerfile).toBe('docker/Dockerfile');
      expect(dockerfile).toContain(` AS ${build!.target}\n`);
    }
    for (const [, sources] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const path of sources!.split(' ')) expect(existsSync(join(repository, path)), path).toBe(true);
    }
    for (const [, path] of dockerfile.matchAll(/^COPY --from=build \/src\/(\S+) /gm)) {
      expect(existsSync(join(repository, path!)), path).toBe(true);
    }
    for (const image of dockerfile.matchAll(/^ARG \w+_IMAGE=(.*)$/gm)) expect(image[1]).toMatch(/:\d+[\w.-]+$/);
    const allowed = /UNSIGNED_PLUGINS=(\S+)/.exec(dockerfile)![1]!.split(',');
    expect(allowed).toEqual(
      ['plugin.json', 'datasource/plugin.json'].map(
        (path) => (JSON.parse(read(`plugin/dist/${path}`)) as { id: string }).id,
      ),
    );
    const executable = statSync(join(repository, 'plugin/dist/datasource/gpx_netspectra_linux_amd64'));
    expect(executable.mode & 0o111).toBe(0o111);
  });

  test('Grafana is new enough for the plugin', () => {
    const { dependencies } = JSON.parse(read('plugin/src/plugin.json')) as {
      dependencies: { grafanaDependency: string };
    };
    const least = /(\d+)\.(\d+)/.exec(dependencies.grafanaDependency)!.slice(1).map(Number);
    const used = /GRAFANA_IMAGE=grafana\/grafana:(\d+)\.(\d+)/.exec(read('docker/Dockerfile'))!.slice(1).map(Number);
    expect(used[0]! * 100 + used[1]!).toBeGreaterThanOrEqual(least[0]! * 100 + least[1]!);
  });
});

// ---- the programs, with the composition's environment ----

const folder = temporaryFolder();
/** Where the programs begin. */
const home = join(folder.path, 'home');
let store: ClickHouse;
let api: Serving;
let plugin: PluginProcess;

/** The addresses of services are ports of loopback here; everything else is as the file says. */
const here = (service: Service): Record<string, string> => {
  const { NETSPECTRA_API_LISTEN: _listen, ...rest } = environment(service);
  return { ...rest, HOME: home, NETSPECTRA_STORAGE_CLICKHOUSE_URL: store.url };
};
const datasource = (): DatasourceOptions => {
  const { api: service, grafana } = compose.services;
  const url = new URL(expanded(source.url));
  expect(url.host).toBe(`api:${environment(service)['NETSPECTRA_API_LISTEN']!.split(':')[1]}`);
  const { API_TOKEN: token } = environment(grafana);
  expect(expanded(source.secureJsonData['token']!)).toBe(token);
  return { url: api.url, uid: source.uid, jsonData: source.jsonData, secure: { token: token! } };
};

beforeAll(async () => {
  mkdirSync(home);
  const { clickhouse, reader, api: apiService } = compose.services;
  const { CLICKHOUSE_USER, CLICKHOUSE_PASSWORD } = environment(clickhouse);
  store = await startClickHouse({
    dataDir: join(folder.path, 'store'),
    users: [`${CLICKHOUSE_USER}:${CLICKHOUSE_PASSWORD}`],
  });
  const [command, ...args] = reader.command!;
  const captures = args.map((arg) => (arg.startsWith('/captures/') ? sampleCapture : arg));
  expect(captures).toContain(sampleCapture);
  const [done] = await Promise.all([
    run([command!, ...captures], { env: here(reader), cwd: home }),
    PluginProcess.start().then((started) => (plugin = started)),
  ]);
  expect(done.stderr).toContain('capture read');
  expect(done.code).toBe(0);
  api = await startServing([...apiService.command!], { env: here(apiService), cwd: home });
});

afterAll(async () => {
  await plugin?.stop();
  await endServings();
  await store?.stop();
  folder.remove();
});

describe('with the environment of the composition', () => {
  test('the API is healthy, and lets nobody in without the token', async () => {
    const [, path] = /http:\/\/127\.0\.0\.1:8080(\/\w+)/.exec(compose.services.api.healthcheck!.test.at(-1)!)!;
    expect((await api.text(path!)).status).toBe(200);
    expect((await api.text('/api/v1/probes')).status).toBe(401);
  });

  test('reader and API write no file, since they may not', () => {
    const { reader, api: apiService } = compose.services;
    expect([reader, apiService]).toMatchObject([{ read_only: true }, { read_only: true }]);
    expect(readdirSync(home)).toEqual([]);
  });

  test('the provisioned datasource is well', async () => {
    expect(await plugin.client.health(datasource())).toMatchObject({ ok: true });
  });

  test.each(rules)('rule "$title" has an answer that alerting takes, as nobody, without variables', async (rule) => {
    const { model, relativeTimeRange } = rule.data[0]!;
    // As if it were evaluated when the capture had just ended.
    const { frames } = await answerAt(rule, captureEnd + relativeTimeRange!.to * 1000);
    checkForAlerting(frames);
    const numbers = frames.flatMap(({ fields }) =>
      fields.filter(({ type }) => type === 'number').flatMap(({ values }) => values),
    );
    expect(numbers.filter((value) => value !== null).length).toBeGreaterThan(0);
    const labels = frames.flatMap(({ fields }) =>
      fields.flatMap((field) => [field.name, ...Object.keys(field.labels)]),
    );
    for (const dimension of (model['groupBy'] ?? []) as string[]) expect(labels).toContain(dimension);
  });

  test('of the sample no rule makes an alert while it lasts, and its silence one five minutes after', async () => {
    const minute = 60_000;
    const firingAt = async (now: number): Promise<string[]> => {
      const all = await Promise.all(rules.map(async (rule) => ((await isFiring(rule, now)) ? [rule.uid] : [])));
      return all.flat();
    };
    expect(await firingAt(captureEnd + minute)).toEqual([]);
    expect(await firingAt(captureEnd + 5 * minute)).toEqual(['netspectra-probe-silent']);
  });
});

const captureEnd = Date.UTC(2026, 0, 1, 0, 1);

/** What a rule's query answers when it is evaluated at a moment (ms since 1970). */
async function answerAt({ data }: Rule, now: number): Promise<QueryAnswer> {
  const { model, relativeTimeRange } = data[0]!;
  const from = now - relativeTimeRange!.from * 1000;
  const to = now - relativeTimeRange!.to * 1000;
  const answers = await plugin.client.alertQuery(datasource(), [
    { refId: 'A', from, to, query: model, maxDataPoints: 43_200, intervalMs: 1_000 },
  ]);
  expect(answers['A']).toMatchObject({ error: '', status: 200 });
  return answers['A']!;
}

/** Whether any series or row is beyond the threshold. */
async function isFiring(rule: Rule, now: number): Promise<boolean> {
  const { frames } = await answerAt(rule, now);
  const columns = frames.flatMap(({ fields }) => fields.filter(({ type }) => type === 'number'));
  return meets(
    rule.data.slice(1).map(({ model }) => model),
    columns.map(({ values }) => values as (number | null)[]),
  );
}
