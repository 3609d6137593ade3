/** Everything behind the host page: the API with captures, the datasource's executable, the page's own server. */
import { join } from 'node:path';
import { endServings, startServing } from '../../kit/api-process.js';
import { PluginProcess } from '../../kit/plugin-host/index.js';
import { repository, sampleCapture, temporaryFolder, until } from '../../integration/process.js';
import { bundleHost } from './bundle.js';
import { writeHostileCapture } from './hostile-capture.js';
import { HostServer } from './http.js';

export interface Running {
  readonly url: string;
  readonly apiUrl: string;
  stop(): Promise<void>;
}

/** An API that has read the sample and the capture with names that look like markup. */
export async function startApi(): Promise<Running> {
  const folder = temporaryFolder();
  const hostile = join(folder.path, 'hostile.pcap');
  writeHostileCapture(hostile);
  const api = await startServing(['up', '--read', sampleCapture, hostile, '--data', join(folder.path, 'data')]);
  await until('both captures are read', () => api.stderr().split('"capture read"').length > 2);
  const stop = async (): Promise<void> => {
    await endServings();
    folder.remove();
  };
  return { url: api.url, apiUrl: api.url, stop };
}

export async function startHost(): Promise<Running> {
  const bundle = join(repository, 'test/.output/browser-host');
  const [api, plugin] = await Promise.all([startApi(), PluginProcess.start(), bundleHost(bundle)]);
  const host = await HostServer.start(plugin, bundle);
  host.datasources.create({ uid: 'netspectra', name: 'NetSpectra', url: api.url });
  return {
    url: host.url,
    apiUrl: api.url,
    stop: async () => {
      await host.stop();
      await plugin.stop();
      await api.stop();
    },
  };
}
