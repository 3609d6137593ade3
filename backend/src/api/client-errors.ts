/**
 * What Node's HTTP parser refuses never becomes a request, so no route or handler sees it: headers that are too large, bytes
 * that are no HTTP, a request that trickles in. It is answered here, as problem JSON too.
 */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { problemOf } from './problem.js';

/** Answer a parser's error on the bare socket and close it. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  // The peer is gone, or an answer is under way already: nothing can be said any more.
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy(error);
    return;
  }
  const { problem } = problemOf(Object.assign(error, { statusCode: 400 }), randomUUID());
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\n` +
      `Content-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `X-Request-Id: ${problem.request_id}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  );
}
