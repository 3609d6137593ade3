/** The services of the plugin host's own protocol, and gRPC's health: docs/grafana-backend.md. */
import { status } from '@grpc/grpc-js';
import type { ServerDuplexStream, ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { OpenCalls } from './open-calls.js';

const serving = { status: 1 };
/** The names under which the host asks; empty is the server as a whole. */
const known = new Set(['plugin', '']);

/** Streams that the host opens and that say nothing: held until it, or this process, ends. */
function hold(
  stream: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
  calls: OpenCalls,
): void {
  const controller = calls.begin();
  const end = (): void => void stream.end();
  controller.signal.addEventListener('abort', end, { once: true });
  const gone = (): void => calls.end(controller);
  stream.once('cancelled', gone);
  stream.once('close', gone);
  // Without a reader the end of the other side would never be seen.
  if ('read' in stream) {
    stream.on('data', () => undefined);
    stream.once('end', end);
  }
}

/**
 * Implementations by the names of their services.
 * @param shutdown called after Shutdown was answered
 */
export function hostServices(
  shutdown: () => void,
  calls: OpenCalls,
): Readonly<Record<string, UntypedServiceImplementation>> {
  const notFound = { code: status.NOT_FOUND, details: 'unknown service' };
  return {
    'grpc.health.v1.Health': {
      Check: (call: { request: { service: string } }, callback: (error: object | null, value?: object) => void) => {
        if (known.has(call.request.service)) callback(null, serving);
        else callback(notFound);
      },
      Watch: (call: ServerWritableStream<{ service: string }, object>) => {
        call.write(known.has(call.request.service) ? serving : { status: 3 });
        hold(call, calls);
      },
    },
    'plugin.GRPCController': {
      Shutdown: (_call: unknown, callback: (error: null, value: object) => void) => {
        callback(null, {});
        shutdown();
      },
    },
    'plugin.GRPCBroker': {
      StartStream: (stream: ServerDuplexStream<unknown, unknown>) => hold(stream, calls),
    },
    'plugin.GRPCStdio': {
      StreamStdio: (stream: ServerWritableStream<unknown, unknown>) => hold(stream, calls),
    },
  };
}
