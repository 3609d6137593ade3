/** A twin of Grafana's plugin host, for tests of the datasource's executable. */
export { fakeApi, healthyAnswer, plainMeta, sendJson } from './fake-api.js';
export type { FakeApi, FakeRequest } from './fake-api.js';
export { PluginClient, pluginContext } from './client.js';
export type { AskedQuery, DatasourceOptions, QueryAnswer, ResourceAnswer } from './client.js';
export { checkForAlerting, decodeFrame } from './frames.js';
export type { DecodedField, DecodedFrame } from './frames.js';
export { PluginProcess, SupervisedPlugin, datasourceFolder, executable, parseLogLine } from './host.js';
export type { HostOptions, LogLine } from './host.js';
