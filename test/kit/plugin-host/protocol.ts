/**
 * The protocol as the host sees it: read from the .proto files by a parser, not from the plugin's generated descriptors.
 * Field numbers are compared with messages written byte by byte in plugin/server/src/rpc/protocol.test.ts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeGenericClientConstructor } from '@grpc/grpc-js';
import type { ServiceClientConstructor, ServiceDefinition } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { repository } from '../../integration/process.js';

function load(): protobuf.Root {
  const root = new protobuf.Root();
  for (const name of ['plugin', 'host', 'health']) {
    const text = readFileSync(join(repository, `plugin/server/proto/${name}.proto`), 'utf8');
    protobuf.parse(text, root, { keepCase: true });
  }
  root.resolveAll();
  return root;
}

const protocolRoot = load();

/** A client class for a service, with plain objects for messages. */
export function clientOf(name: string): ServiceClientConstructor {
  const methods = protocolRoot.lookupService(name).methodsArray.map((method) => {
    const request = method.resolvedRequestType!;
    const response = method.resolvedResponseType!;
    const definition = {
      path: `/${name}/${method.name}`,
      requestStream: method.requestStream === true,
      responseStream: method.responseStream === true,
      requestSerialize: (value: object) => Buffer.from(request.encode(request.fromObject(value)).finish()),
      requestDeserialize: (bytes: Buffer) => request.toObject(request.decode(bytes)),
      responseSerialize: (value: object) => Buffer.from(response.encode(value).finish()),
      responseDeserialize: (bytes: Buffer) =>
        response.toObject(response.decode(bytes), { longs: Number, defaults: true, objects: true, arrays: true }),
    };
    return [method.name, definition] as const;
  });
  return makeGenericClientConstructor(Object.fromEntries(methods) as ServiceDefinition, name);
}
