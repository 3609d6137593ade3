/** The NATS client's connection, with messages cut out of the stream by ourselves (message-framer.ts says why). */
import { NatsConnectionImpl, setTransportFactory } from '@nats-io/transport-node';
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
// The client exports what a transport needs (`setTransportFactory`) and not the one it has.
import { NodeTransport, nodeResolveHost } from '@nats-io/transport-node/lib/node_transport.js';
import { BufferPool } from '../memory/index.js';
import { MessageFramer } from './message-framer.js';

/** Most memory that a thread keeps for messages to come: as much as an engine's thread fetches ahead. */
const keptBytesMax = 16 << 20;

/** A full message has 256 KB (bus.message_bytes), and is a little longer with its subject, reply and headers. */
const stepBytes = 64 << 10;
const envelopeBytes = 4 << 10;

/** Memory for messages. The thread's, for the client makes every connection's transport by itself. */
export const messageBuffers = new BufferPool({
  bytesMax: keptBytesMax,
  sizeOf: (length) => Math.ceil(Math.max(1, length - envelopeBytes) / stepBytes) * stepBytes + envelopeBytes,
});

class FramedTransport extends NodeTransport {
  private readonly framer = new MessageFramer(messageBuffers);

  override async *iterate(): AsyncIterableIterator<Uint8Array> {
    for await (const chunk of super.iterate()) yield* this.framer.push(chunk);
  }
}

/** As the client's `connect`. */
export function connect(options: NodeConnectionOptions): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new FramedTransport(), dnsResolveFn: nodeResolveHost });
  return NatsConnectionImpl.connect(options);
}
