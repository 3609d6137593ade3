/** The gRPC services of the protocol, as grpc-js wants them, from the descriptors of proto/. */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import protobuf from 'protobufjs/light.js';
import { protocol } from './protocol.generated.js';

const root = protobuf.Root.fromJSON(protocol).resolveAll();

/** Numbers for 64-bit fields (ids and milliseconds stay below 2^53), everything there, bytes as they came. */
const complete: protobuf.IConversionOptions = {
  longs: Number,
  enums: Number,
  defaults: true,
  arrays: true,
  objects: true,
};

const encoder =
  (type: protobuf.Type) =>
  (message: object): Buffer => {
    const bytes = type.encode(message).finish();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };

/** Throws on bytes that are no such message; grpc-js answers the call with an error then. */
const decoder =
  (type: protobuf.Type) =>
  (bytes: Buffer): object =>
    type.toObject(type.decode(bytes), complete);

/**
 * The definition of a service.
 * @param name full name, `pluginv2.Data`
 */
export function serviceDefinition(name: string): ServiceDefinition {
  const service = root.lookupService(name);
  const methods = service.methodsArray.map((method): [string, MethodDefinition<object, object>] => {
    const { resolvedRequestType: request, resolvedResponseType: response } = method;
    if (!request || !response) throw new Error(`types of ${name}.${method.name} are missing`);
    return [
      method.name,
      {
        path: `/${name}/${method.name}`,
        requestStream: method.requestStream === true,
        responseStream: method.responseStream === true,
        requestSerialize: encoder(request),
        requestDeserialize: decoder(request),
        responseSerialize: encoder(response),
        responseDeserialize: decoder(response),
      },
    ];
  });
  return Object.fromEntries(methods);
}
