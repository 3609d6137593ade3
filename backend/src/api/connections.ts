/**
 * When connections end.
 *
 * Connections that carry no request must not hold up a stop. Node closes those that are idle after a request, but waits for
 * those that never sent one (browsers open some ahead), up to the time a request may take.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

const otherEnd = ({ remoteAddress = '', remotePort = 0 }: Socket): string => `${remoteAddress} ${remotePort}`;

/** Watch a server's connections. The result closes those without a request, and the others when they have their answer. */
export function watchConnections(server: Server | TlsServer): () => void {
  const idle = new Set<Socket>();
  /** sockets under TLS whose handshake is not done, by their other end */
  const handshaking = new Map<string, Socket>();
  let stopping = false;
  if (server instanceof TlsServer) {
    server.on('connection', (socket: Socket) => {
      const end = otherEnd(socket);
      handshaking.set(end, socket);
      socket.once('close', () => {
        if (handshaking.get(end) === socket) handshaking.delete(end);
      });
    });
    server.on('secureConnection', (socket) => handshaking.delete(otherEnd(socket)));
  }
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    idle.add(socket);
    socket.once('close', () => idle.delete(socket));
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    idle.delete(socket);
    response.once('close', () => {
      if (stopping) socket.destroy();
      else if (!socket.destroyed) idle.add(socket);
    });
  });
  return () => {
    stopping = true;
    for (const socket of [...idle, ...handshaking.values()]) socket.destroy();
  };
}

/**
 * Do something when the answer is out or its client gone; at once when it left already, while its token was looked at: the
 * event has come then, and does not come again.
 */
export function whenClosed({ raw }: FastifyReply, then: () => void): void {
  if (raw.destroyed) then();
  else raw.once('close', then);
}
