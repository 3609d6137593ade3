/**
 * The clients of all datasources that this process serves, one for each (organisation, datasource), made anew when
 * Grafana says that the settings changed. The one before goes on with what it does and is closed after.
 */
import { ApiClient } from '../api/client.js';
import { PluginError } from '../errors.js';
import type { PluginContext } from '../rpc/messages.js';
import { readSettings } from './settings.js';

interface Entry {
  readonly updatedMs: number;
  readonly client: ApiClient;
}

/** Datasources of one Grafana that are in use at once; past it the one that waited longest is closed. */
const instancesMax = 500;

export class InstanceCache {
  /** in the order of their last use */
  readonly #entries = new Map<string, Entry>();
  readonly #make: (context: NonNullable<PluginContext['dataSourceInstanceSettings']>) => ApiClient;
  readonly #closing = new Set<Promise<void>>();

  constructor(
    make = (settings: NonNullable<PluginContext['dataSourceInstanceSettings']>) =>
      new ApiClient(readSettings(settings)),
  ) {
    this.#make = make;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Requests that run now. */
  get running(): number {
    return [...this.#entries.values()].reduce((sum, { client }) => sum + client.running, 0);
  }

  /** The client for a call. Throws a PluginError when the settings are not to be used. */
  get(context: PluginContext | null): ApiClient {
    const settings = context?.dataSourceInstanceSettings;
    if (!context || !settings) throw new PluginError('config', 'the call names no datasource');
    const key = `${context.orgId}/${settings.uid}`;
    const found = this.#entries.get(key);
    if (found) {
      this.#entries.delete(key);
      if (found.updatedMs === settings.lastUpdatedMS) {
        this.#entries.set(key, found);
        return found.client;
      }
      this.#close(found.client);
    }
    const client = this.#make(settings);
    this.#entries.set(key, { updatedMs: settings.lastUpdatedMS, client });
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= instancesMax) break;
      this.#entries.delete(oldest);
      this.#close(entry.client);
    }
    return client;
  }

  #close(client: ApiClient, graceMs?: number): void {
    const closing = client.close(graceMs).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Close all; what runs after `graceMs` is cut. */
  async closeAll(graceMs: number): Promise<void> {
    for (const { client } of this.#entries.values()) this.#close(client, graceMs);
    this.#entries.clear();
    await Promise.all(this.#closing);
  }
}
