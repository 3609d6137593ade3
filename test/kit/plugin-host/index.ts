/** A twin of Grafana's plugin host, for tests of the datasource's executable. */
export { fakeApi, healthyAnswer, plainMeta, sendJson } from './fake-api.js';
export type { FakeApi, FakeRequest } from './fake-api.js';
export type { AskedQuery, DatasourceOptions, QueryAnswer, ResourceAnswer } from './client.js';
export { checkForAlerting, decodeFrame } from './frames.js';
export type { DecodedFrame } from './frames.js';
export { PluginProcess, SupervisedPlugin, datasourceFolder, executable, parseLogLine } from './host.js';
export type { HostOptions } from './host.js';
