/** What every handler needs of a gRPC call: a signal that aborts with it, writing that waits for the reader, timing. */
import type { handleServerStreamingCall, handleUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { pluginErrorOf } from '../errors.js';
import type { ErrorKind } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { Logger } from '../process/logger.js';
import type { OpenCalls } from './open-calls.js';

export interface CallDeps {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly calls: OpenCalls;
}

const codes: Partial<Record<ErrorKind, status>> = {
  config: status.FAILED_PRECONDITION,
  query: status.INVALID_ARGUMENT,
  forbidden: status.PERMISSION_DENIED,
  'not-found': status.NOT_FOUND,
  'too-large': status.RESOURCE_EXHAUSTED,
  overloaded: status.RESOURCE_EXHAUSTED,
  cancelled: status.CANCELLED,
  unreachable: status.UNAVAILABLE,
  timeout: status.DEADLINE_EXCEEDED,
};

const seconds = (begin: number): number => (performance.now() - begin) / 1000;

/** Aborts when Grafana cancels the call (its user went away, its deadline passed), or the process stops. */
function controllerOf(call: NodeJS.EventEmitter & { cancelled: boolean }, calls: OpenCalls): AbortController {
  const controller = calls.begin();
  if (call.cancelled) controller.abort();
  call.once('cancelled', () => controller.abort());
  return controller;
}

function failed(thrown: unknown, method: string, deps: CallDeps): { code: status; details: string } {
  const error = pluginErrorOf(thrown);
  if (error.kind === 'internal') deps.logger.error('a call failed', { method, error: error.cause });
  return { code: codes[error.kind] ?? status.INTERNAL, details: error.message };
}

/** A handler that takes a request and answers once. */
export function unary<Request, Response>(
  method: string,
  deps: CallDeps,
  handle: (request: Request, signal: AbortSignal) => Promise<Response> | Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const begin = performance.now();
    const done = (outcome: string): void => deps.metrics.call(method, outcome, seconds(begin));
    const controller = controllerOf(call, deps.calls);
    Promise.resolve()
      .then(() => handle(call.request, controller.signal))
      .finally(() => deps.calls.end(controller))
      .then(
        (response) => {
          done('ok');
          callback(null, response);
        },
        (thrown: unknown) => {
          const { code, details } = failed(thrown, method, deps);
          done(status[code]);
          callback({ code, details });
        },
      );
  };
}

/** Write, and wait until the reader took enough of what was written. Rejects when the call is over. */
function sender<Response>(call: ServerWritableStream<unknown, Response>, signal: AbortSignal) {
  return async (message: Response): Promise<void> => {
    signal.throwIfAborted();
    if (call.write(message)) return;
    await new Promise<void>((resolve, reject) => {
      const over = (): void => {
        call.removeListener('drain', ready);
        reject(new DOMException('the call is over', 'AbortError'));
      };
      const ready = (): void => {
        signal.removeEventListener('abort', over);
        resolve();
      };
      call.once('drain', ready);
      signal.addEventListener('abort', over, { once: true });
    });
  };
}

/** A handler that takes a request and answers with a stream. */
export function streaming<Request, Response>(
  method: string,
  deps: CallDeps,
  handle: (request: Request, send: (message: Response) => Promise<void>, signal: AbortSignal) => Promise<void>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const begin = performance.now();
    const controller = controllerOf(call, deps.calls);
    const { signal } = controller;
    const handled = handle(call.request, sender(call, signal), signal);
    handled
      .finally(() => deps.calls.end(controller))
      .then(
        () => {
          deps.metrics.call(method, 'ok', seconds(begin));
          call.end();
        },
        (thrown: unknown) => {
          const stopped = deps.calls.stopping
            ? { code: status.UNAVAILABLE, details: 'the datasource is stopping' }
            : undefined;
          const error = signal.aborted
            ? (stopped ?? { code: status.CANCELLED, details: 'cancelled' })
            : failed(thrown, method, deps);
          deps.metrics.call(method, status[error.code] ?? 'UNKNOWN', seconds(begin));
          call.emit('error', error);
        },
      );
  };
}
