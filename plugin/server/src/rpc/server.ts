/** The gRPC server: services, where it listens, and its end. */
import { chmodSync, rmSync } from 'node:fs';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ListenAddress } from '../process/handshake.js';
import { serviceDefinition } from './services.js';

/** As Grafana's Go SDK: requests of 16 MiB, answers without a limit of the transport's. */
const options = {
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
};

export interface GrpcServer {
  /** Listen; resolves with the address as it is (with the port that was free). Rejects when it cannot. */
  listen(address: ListenAddress): Promise<ListenAddress>;
  /** Take no more calls, wait for those that run, cut them after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export function createServer(services: Readonly<Record<string, UntypedServiceImplementation>>): GrpcServer {
  const server = new Server(options);
  for (const [name, implementation] of Object.entries(services)) {
    server.addService(serviceDefinition(name), implementation);
  }
  let socket: string | undefined;
  const bind = (target: string): Promise<number> =>
    new Promise((resolve, reject) => {
      server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
  const removeSocket = (): void => {
    if (socket !== undefined) rmSync(socket, { force: true });
  };
  process.on('exit', removeSocket);
  return {
    listen: async ({ network, address }) => {
      if (network === 'tcp') {
        const port = await bind(address);
        return { network, address: address.replace(/:\d+$/, `:${port}`) };
      }
      // From its first moment the socket is the owner's alone.
      const mask = process.umask(0o177);
      try {
        await bind(`unix:${address}`);
      } finally {
        process.umask(mask);
      }
      socket = address;
      chmodSync(address, 0o600);
      return { network, address };
    },
    stop: async (graceMs) => {
      const late = setTimeout(() => server.forceShutdown(), graceMs);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      clearTimeout(late);
      removeSocket();
    },
  };
}
