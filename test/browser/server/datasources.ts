/** The datasources that tests make, as Grafana keeps them: secrets go in and never out. */
import type { DatasourceOptions } from '../../kit/plugin-host/index.js';

export interface SavedDatasource {
  readonly id: number;
  readonly uid: string;
  readonly name: string;
  readonly url: string;
  readonly basicAuth: boolean;
  readonly basicAuthUser: string;
  readonly jsonData: Readonly<Record<string, unknown>>;
  readonly secure: Readonly<Record<string, string>>;
  readonly version: number;
}

type Body = Partial<Omit<SavedDatasource, 'secure'>> & { readonly secureJsonData?: Readonly<Record<string, string>> };

export const datasourceId = 'netspectra-datasource';

export class Datasources {
  readonly #all = new Map<string, SavedDatasource>();

  get(uid: string): SavedDatasource | undefined {
    return this.#all.get(uid);
  }

  list(): SavedDatasource[] {
    return [...this.#all.values()];
  }

  create(body: Body): SavedDatasource {
    const id = this.#all.size + 1;
    const uid = body.uid ?? `netspectra-${id}`;
    const empty = { id, uid, name: `NetSpectra ${id}`, url: '', basicAuth: false, basicAuthUser: '' };
    return this.#save({ ...empty, jsonData: {}, secure: {}, version: 0 }, body);
  }

  update(uid: string, body: Body): SavedDatasource | undefined {
    const before = this.#all.get(uid);
    return before && this.#save(before, body);
  }

  remove(uid: string): void {
    this.#all.delete(uid);
  }

  #save(
    before: SavedDatasource,
    { name, url, basicAuth, basicAuthUser, jsonData, secureJsonData }: Body,
  ): SavedDatasource {
    const saved: SavedDatasource = {
      ...before,
      name: name ?? before.name,
      url: url ?? before.url,
      basicAuth: basicAuth ?? before.basicAuth,
      basicAuthUser: basicAuthUser ?? before.basicAuthUser,
      jsonData: jsonData ?? before.jsonData,
      secure: { ...before.secure, ...secureJsonData },
      version: before.version + 1,
    };
    this.#all.set(saved.uid, saved);
    return saved;
  }
}

/** What Grafana gives the settings page: which secrets there are, not what they are. */
export function publicSettings({ secure, ...saved }: SavedDatasource): object {
  const fields = Object.entries(secure).map(([name, value]) => [name, value !== ''] as const);
  return { ...saved, type: datasourceId, access: 'proxy', secureJsonFields: Object.fromEntries(fields) };
}

/** What Grafana gives every page. */
export const instanceSettings = (saved: SavedDatasource, meta: object): object => ({
  id: saved.id,
  uid: saved.uid,
  name: saved.name,
  type: datasourceId,
  url: `/api/datasources/proxy/uid/${saved.uid}`,
  access: 'proxy',
  readOnly: false,
  jsonData: saved.jsonData,
  meta,
});

/** What Grafana tells the plugin, with the user who asks. */
export function pluginOptions(saved: SavedDatasource, user: { login: string; role: string }): DatasourceOptions {
  return {
    url: saved.url,
    uid: saved.uid,
    jsonData: saved.jsonData,
    secure: saved.secure,
    updatedMs: saved.version,
    ...(saved.basicAuth ? { basicAuthUser: saved.basicAuthUser } : {}),
    user,
  };
}
