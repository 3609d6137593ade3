/** For tests: an API over the real embedded store, filled with rows of the test's own. */
import { Registry } from 'prom-client';
import type { Frame, FrameValue } from '@netspectra/query';
import { createManagement } from '../management/index.js';
import type { Management } from '../management/index.js';
import { createClickHouseWriter, openStore } from '../storage/index.js';
import type { Store } from '../storage/index.js';
import { makeFlush, temporaryDataDir } from '../storage/testing.js';
import type { RowValues } from '../storage/testing.js';
import type { TableName } from '../tables/index.js';
import { createApi } from './server.js';
import type { Api, ApiConfig, ApiDeps } from './server.js';
import type { QueryStore } from './query-store.js';

export interface TestApi {
  readonly api: Api;
  readonly store: QueryStore;
  readonly management: Management;
  /** POST /api/v1/query; the results by refId */
  query(request: object): Promise<Record<string, TestResult>>;
  get(url: string): Promise<{ status: number; type: string; body: string; json: () => unknown }>;
  post(
    url: string,
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; type: string; json: () => unknown }>;
  close(): Promise<void>;
}

export interface TestResult {
  readonly frames: readonly Frame[];
  readonly meta: Record<string, unknown> & {
    tables: string[];
    sql: string;
    truncated: boolean;
    errorBounds: unknown[];
  };
  readonly error?: string;
  readonly status?: number;
  readonly errors?: readonly { pointer: string; detail: string; suggestion?: string; position?: object }[];
}

/** Rows by probe and table. */
export type TestRows = Readonly<Record<string, Readonly<Partial<Record<TableName, readonly RowValues[]>>>>>;

/** Open a store in a temporary folder, write the rows, and put an API over it (which does not listen). */
export async function openTestApi(
  rows: TestRows,
  options: {
    config?: Partial<ApiConfig>;
    deps?: Partial<ApiDeps>;
    wrap?: (store: QueryStore) => QueryStore;
    /** opens another store than an embedded one in the temporary folder */
    open?: () => Promise<Store>;
    /** is given the server before its routes are there */
    watch?: (app: Api['app']) => void;
  } = {},
): Promise<TestApi> {
  const folder = temporaryDataDir();
  const opened = options.open ? await options.open() : await openStore({ dataDir: folder.path });
  const writer = createClickHouseWriter(opened);
  for (const [probe, tables] of Object.entries(rows)) {
    await writer.write(makeFlush({ probe, epoch: 1n, partition: 0, firstSeq: 1, lastSeq: 1 }, tables));
  }
  const store = options.wrap ? options.wrap(opened) : opened;
  const management = createManagement(opened);
  const api = createApi(
    {
      store,
      management,
      metrics: new Registry(),
      status: () => ({ dependencies: [], watermarkMs: null }),
      ...options.deps,
    },
    { listen: '127.0.0.1:0', ...options.config },
  );
  options.watch?.(api.app);
  await api.app.ready();
  const post: TestApi['post'] = async (url, body, headers = {}) => {
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await api.app.inject({
      method: 'POST',
      url,
      payload,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: answer.statusCode, type: String(answer.headers['content-type']), json: () => answer.json() };
  };
  return {
    api,
    store,
    management,
    post,
    query: async (request) => {
      const answer = await post('/api/v1/query', request);
      if (answer.status !== 200) throw new Error(`status ${answer.status}: ${JSON.stringify(answer.json())}`);
      return (answer.json() as { results: Record<string, TestResult> }).results;
    },
    get: async (url) => {
      const answer = await api.app.inject({ method: 'GET', url });
      return {
        status: answer.statusCode,
        type: String(answer.headers['content-type']),
        body: answer.body,
        json: () => answer.json(),
      };
    },
    close: async () => {
      await api.stop();
      await opened.close();
      folder.remove();
    },
  };
}

/** A frame as one object a row. */
export const frameRows = (frame: Frame | undefined): Record<string, FrameValue>[] => {
  if (!frame) throw new Error('there is no frame');
  return (frame.data.values[0] ?? []).map((_, row) =>
    Object.fromEntries(frame.schema.fields.map((field, i) => [field.name, frame.data.values[i]?.[row] ?? null])),
  );
};
