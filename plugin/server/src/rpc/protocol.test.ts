import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { serviceDefinition } from './services.js';

test('the generated descriptors are those of the .proto files', async () => {
  const script = fileURLToPath(new URL('../../../scripts/make-protocol.js', import.meta.url));
  const { protocolModule } = (await import(script)) as { protocolModule(): string };
  expect(readFileSync(new URL('protocol.generated.ts', import.meta.url), 'utf8')).toBe(protocolModule());
});

/** A field of a message on the wire: number << 3 | 2, length, bytes (protobuf encoding, "Message structure"). */
const field = (number: number, content: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
};
const integer = (number: number, value: number): Buffer => Buffer.from([number << 3, value]);

test('requests as Grafana writes them, byte by byte', () => {
  const settings = [
    integer(1, 7),
    field(2, 'name'),
    field(3, 'http://x'),
    integer(6, 1),
    field(7, 'user'),
    field(8, '{}'),
    field(9, Buffer.concat([field(1, 'token'), field(2, 'secret')])),
    integer(10, 5),
    field(11, 'uid'),
  ];
  const context = [
    integer(1, 3),
    field(2, 'id'),
    field(3, Buffer.concat([field(1, 'ann'), field(4, 'Editor')])),
    field(5, Buffer.concat(settings)),
  ];
  const query = [
    field(1, 'A'),
    integer(2, 100),
    integer(3, 50),
    field(4, Buffer.concat([integer(1, 1), integer(2, 2)])),
    field(5, '{"a":1}'),
  ];
  const bytes = Buffer.concat([
    field(1, Buffer.concat(context)),
    field(2, Buffer.concat([field(1, 'FromAlert'), field(2, 'true')])),
    field(3, Buffer.concat(query)),
    field(15, 'a field of later times'),
  ]);
  expect(serviceDefinition('pluginv2.Data')['QueryData']!.requestDeserialize(bytes)).toMatchObject({
    pluginContext: {
      orgId: 3,
      user: { login: 'ann', role: 'Editor', email: '' },
      dataSourceInstanceSettings: {
        url: 'http://x',
        basicAuthEnabled: true,
        basicAuthUser: 'user',
        decryptedSecureJsonData: { token: 'secret' },
        lastUpdatedMS: 5,
        uid: 'uid',
      },
    },
    headers: { FromAlert: 'true' },
    queries: [{ refId: 'A', maxDataPoints: 100, intervalMS: 50, timeRange: { fromEpochMS: 1, toEpochMS: 2 } }],
  });
  const answer = { responses: { A: { frames: [Buffer.from('f')], error: 'e', status: 4, errorSource: 's' } } };
  const response = [field(1, 'f'), field(2, 'e'), integer(4, 4), field(5, 's')];
  expect(serviceDefinition('pluginv2.Data')['QueryData']!.responseSerialize(answer)).toEqual(
    field(1, Buffer.concat([field(1, 'A'), field(2, Buffer.concat(response))])),
  );
});

test('resources, streams and health, byte by byte', () => {
  const headers = Buffer.concat([field(1, 'Accept'), field(2, field(1, 'text/csv'))]);
  const call = [field(2, 'rules'), field(3, 'GET'), field(4, 'rules?x=1'), field(5, headers), field(6, 'body')];
  expect(serviceDefinition('pluginv2.Resource')['CallResource']!.requestDeserialize(Buffer.concat(call))).toMatchObject(
    {
      pluginContext: null,
      path: 'rules',
      method: 'GET',
      url: 'rules?x=1',
      headers: { Accept: { values: ['text/csv'] } },
      body: Buffer.from('body'),
    },
  );
  expect(
    serviceDefinition('pluginv2.Resource')['CallResource']!.responseSerialize({ code: 5, body: Buffer.from('b') }),
  ).toEqual(Buffer.concat([integer(1, 5), field(3, 'b')]));
  const stream = Buffer.concat([field(2, 'live/x'), field(3, '{}')]);
  expect(serviceDefinition('pluginv2.Stream')['RunStream']!.requestDeserialize(stream)).toMatchObject({
    path: 'live/x',
    data: Buffer.from('{}'),
  });
  expect(serviceDefinition('pluginv2.Stream')['RunStream']!.responseSerialize({ data: Buffer.from('p') })).toEqual(
    field(1, 'p'),
  );
  expect(
    serviceDefinition('pluginv2.Diagnostics')['CheckHealth']!.responseSerialize({
      status: 2,
      message: 'm',
      jsonDetails: Buffer.from('{}'),
    }),
  ).toEqual(Buffer.concat([integer(1, 2), field(2, 'm'), field(3, '{}')]));
  expect(
    serviceDefinition('pluginv2.Diagnostics')['CollectMetrics']!.responseSerialize({
      metrics: { prometheus: Buffer.from('x 1') },
    }),
  ).toEqual(field(1, field(1, 'x 1')));
  expect(serviceDefinition('grpc.health.v1.Health')['Check']!.responseSerialize({ status: 1 })).toEqual(integer(1, 1));
});

test('the paths of the calls', () => {
  const services = [
    'grpc.health.v1.Health',
    'plugin.GRPCController',
    'plugin.GRPCBroker',
    'plugin.GRPCStdio',
    'pluginv2.Data',
    'pluginv2.Diagnostics',
    'pluginv2.Resource',
    'pluginv2.Stream',
  ];
  const shapes = services.flatMap((name) =>
    Object.values(serviceDefinition(name)).map(
      ({ path, requestStream, responseStream }) =>
        `${path} ${requestStream ? 'stream' : 'one'} ${responseStream ? 'stream' : 'one'}`,
    ),
  );
  expect(shapes.sort()).toEqual([
    '/grpc.health.v1.Health/Check one one',
    '/grpc.health.v1.Health/Watch one stream',
    '/plugin.GRPCBroker/StartStream stream stream',
    '/plugin.GRPCController/Shutdown one one',
    '/plugin.GRPCStdio/StreamStdio one stream',
    '/pluginv2.Data/QueryData one one',
    '/pluginv2.Diagnostics/CheckHealth one one',
    '/pluginv2.Diagnostics/CollectMetrics one one',
    '/pluginv2.Resource/CallResource one stream',
    '/pluginv2.Stream/PublishStream one one',
    '/pluginv2.Stream/RunStream one stream',
    '/pluginv2.Stream/SubscribeStream one one',
  ]);
});
