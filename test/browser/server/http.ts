/** The HTTP server of the host page: static files, and as much of Grafana's API as a plugin's pages ask. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type { PluginProcess } from '../../kit/plugin-host/index.js';
import { readDashboards } from '../../kit/dashboards.js';
import { repository } from '../../integration/process.js';
import { Datasources, instanceSettings, pluginOptions, publicSettings } from './datasources.js';
import type { SavedDatasource } from './datasources.js';
import { resultJson } from './frame-json.js';
import { manifests, pageHtml, visitorOf } from './page.js';
import type { Visitor } from './page.js';

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.map': 'application/json',
};

const fonts = join(repository, 'node_modules/@fontsource');
const inter = (style: string): string => join(fonts, `inter/files/inter-latin-${style}.woff2`);

/** An icon that the package lacks; a name that is none at all is told by the Icon component. */
const icon = /^\/public\/build\/img\/icons\/unicons\/[\w-]+\.svg$/;
const spinner = '/public/build/img/icons/unicons/spinner.svg';
const placeholderIcon = join(repository, 'test/browser/server/placeholder-icon.svg');

/** Files of Grafana that are in none of its packages. */
const aliases: Readonly<Record<string, string>> = {
  [spinner]: join(repository, 'test/browser/server/spinner.svg'),
  '/public/fonts/inter/Inter-Regular.woff2': inter('400-normal'),
  '/public/fonts/inter/Inter-Medium.woff2': inter('500-normal'),
  '/public/fonts/inter/Inter-Italic.woff2': inter('400-italic'),
  '/public/fonts/inter/Inter-MediumItalic.woff2': inter('500-italic'),
  '/public/fonts/roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2': join(
    fonts,
    'roboto-mono/files/roboto-mono-latin-400-normal.woff2',
  ),
};

interface Asked {
  readonly method: string;
  readonly path: string;
  /** path with the query string */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly visitor: Visitor;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

const json = (status: number, value: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
const notFound = json(404, { message: 'Not found' });

const dashboards = new Map(readDashboards().map(([, dashboard]) => [dashboard.uid, dashboard]));
const dashboardAnswer = (uid: string): Answer => (dashboards.has(uid) ? json(200, dashboards.get(uid)) : notFound);

interface QueryBody {
  readonly from: string;
  readonly to: string;
  readonly queries: readonly {
    readonly refId: string;
    readonly datasource: { readonly uid: string };
    readonly intervalMs?: number;
    readonly maxDataPoints?: number;
  }[];
}

export class HostServer {
  readonly datasources = new Datasources();
  readonly #plugin: PluginProcess;
  readonly #folders: readonly (readonly [prefix: string, folder: string])[];
  readonly #server: Server;
  #app: Readonly<Record<string, unknown>> = { enabled: true, pinned: true, jsonData: {} };

  private constructor(plugin: PluginProcess, bundle: string) {
    this.#plugin = plugin;
    const dist = join(repository, 'plugin/dist');
    this.#folders = [
      ['/public/host/', bundle],
      ['/public/plugins/netspectra-app/', dist],
      ['/public/plugins/netspectra-datasource/', join(dist, 'datasource')],
      ['/public/build/img/', join(repository, 'node_modules/@grafana/ui/dist/public/img')],
    ];
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** Listen on a free port of loopback. @param bundle folder of the host's scripts */
  static async start(plugin: PluginProcess, bundle: string): Promise<HostServer> {
    const host = new HostServer(plugin, bundle);
    await new Promise<void>((resolve) => host.#server.listen(0, '127.0.0.1', resolve));
    return host;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(request.url ?? '/', 'http://host');
    const file = aliases[pathname] ?? this.#file(pathname) ?? (icon.test(pathname) ? placeholderIcon : undefined);
    if (file !== undefined) {
      // The files of a run do not change: the browser keeps them, and what it compiled of them.
      const headers = { 'cache-control': 'max-age=3600', etag: `"${String(statSync(file).mtimeMs)}"` };
      response.writeHead(200, { ...headers, 'content-type': types[extname(file)] ?? 'application/octet-stream' });
      createReadStream(file).pipe(response);
      return;
    }
    const asked: Asked = {
      method: request.method ?? 'GET',
      path: pathname,
      url: pathname + search,
      headers: request.headers,
      body: await textOf(request),
      visitor: visitorOf(request.headers.cookie),
    };
    const { status, headers, body } = await this.#answer(asked).catch((error: unknown) =>
      json(500, { message: error instanceof Error ? error.message : String(error) }),
    );
    response.writeHead(status, headers);
    response.end(body);
  }

  #file(path: string): string | undefined {
    const found = this.#folders.find(([prefix]) => path.startsWith(prefix));
    if (!found) return undefined;
    const [prefix, folder] = found;
    const file = normalize(join(folder, path.slice(prefix.length)));
    return file.startsWith(folder) && existsSync(file) && statSync(file).isFile() ? file : undefined;
  }

  #answer(asked: Asked): Promise<Answer> {
    const { path } = asked;
    if (path === '/api/ds/query') return this.#query(asked);
    if (path === '/api/datasources') return this.#create(asked);
    const [, uid, rest] = /^\/api\/datasources\/uid\/([^/]+)(.*)$/.exec(path) ?? [];
    const saved = uid === undefined ? undefined : this.datasources.get(decodeURIComponent(uid));
    if (saved) return this.#datasource(asked, saved, rest ?? '');
    const [, dashboard] = /^\/api\/dashboards\/uid\/([\w-]+)$/.exec(path) ?? [];
    if (dashboard !== undefined) return Promise.resolve(dashboardAnswer(dashboard));
    if (path === '/api/plugins/netspectra-app/settings') return this.#appSettings(asked);
    if (path.startsWith('/api/') || path.startsWith('/public/')) return Promise.resolve(notFound);
    const settings = this.datasources
      .list()
      .map((each) => [each.name, instanceSettings(each, manifests.datasource)] as const);
    const html = pageHtml(asked.visitor, Object.fromEntries(settings), this.#app);
    return Promise.resolve({ status: 200, headers: { 'content-type': 'text/html' }, body: html });
  }

  #create({ visitor, body }: Asked): Promise<Answer> {
    if (visitor.role !== 'Admin') return Promise.resolve(json(403, { message: 'Permission denied' }));
    const saved = this.datasources.create(JSON.parse(body) as object);
    return Promise.resolve(json(200, { datasource: publicSettings(saved) }));
  }

  async #datasource(asked: Asked, saved: SavedDatasource, rest: string): Promise<Answer> {
    const { visitor, method, headers, body } = asked;
    const options = pluginOptions(saved, visitor);
    if (rest === '') return this.#settings(asked, saved);
    if (rest === '/health') {
      const { ok, message, details } = await this.#plugin.client.health(options);
      return json(ok ? 200 : 400, { status: ok ? 'OK' : 'ERROR', message, details });
    }
    const prefix = '/resources/';
    if (!rest.startsWith(prefix)) return notFound;
    const start = asked.url.indexOf(prefix) + prefix.length;
    const kept = ['accept', 'if-match', 'if-none-match', 'content-type'].flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value] as const] : [];
    });
    const answer = await this.#plugin.client.resource(options, method, rest.slice(prefix.length), {
      url: asked.url.slice(start),
      headers: Object.fromEntries(kept),
      ...(body === '' ? {} : { raw: Buffer.from(body) }),
    });
    const received = Object.entries(answer.headers).map(([name, values]) => [name, values.join(', ')] as const);
    return { status: answer.code, headers: Object.fromEntries(received), body: answer.body };
  }

  #settings({ method, visitor, body }: Asked, saved: SavedDatasource): Answer {
    if (visitor.role !== 'Admin') return json(403, { message: 'Permission denied' });
    if (method === 'DELETE') {
      this.datasources.remove(saved.uid);
      return json(200, { message: 'Data source deleted' });
    }
    if (method !== 'PUT') return json(200, publicSettings(saved));
    const changed = this.datasources.update(saved.uid, JSON.parse(body) as object);
    return json(200, { datasource: changed && publicSettings(changed) });
  }

  #appSettings({ method, visitor, body }: Asked): Promise<Answer> {
    if (method !== 'POST') return Promise.resolve(json(200, { ...manifests.app, ...this.#app }));
    if (visitor.role !== 'Admin') return Promise.resolve(json(403, { message: 'Permission denied' }));
    this.#app = { ...this.#app, ...(JSON.parse(body) as object) };
    return Promise.resolve(json(200, { message: 'Plugin settings updated' }));
  }

  async #query({ body, visitor }: Asked): Promise<Answer> {
    const { from, to, queries } = JSON.parse(body) as QueryBody;
    const uid = queries[0]?.datasource.uid ?? '';
    const saved = this.datasources.get(uid);
    if (!saved) return json(404, { message: 'Data source not found' });
    const asked = queries.map(({ intervalMs = 1_000, maxDataPoints = 500, ...query }) => {
      return { refId: query.refId, from: Number(from), to: Number(to), query, intervalMs, maxDataPoints };
    });
    const answers = await this.#plugin.client.query(pluginOptions(saved, visitor), asked);
    const results = Object.entries(answers).map(([refId, answer]) => [refId, resultJson(answer)] as const);
    const failed = Object.values(answers).some(({ error }) => error !== '');
    return json(failed ? 400 : 200, { results: Object.fromEntries(results) });
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
