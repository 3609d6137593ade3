/**
 * Reads a partition's stream in order, from a sequence on.
 *
 * The position belongs to the reader (an engine finds it in the store), so the server's consumer keeps none: it is
 * ephemeral, acknowledges nothing and is made again, at the next sequence wanted, whenever the connection or the consumer
 * was lost. Redelivery, which would bring later messages before earlier ones, does not exist. Acknowledging is letting
 * the stream forget everything up to a sequence.
 *
 * A server that was killed may come back with an older state of the stream (docs/bus.md), and give numbers out again that we
 * know for other messages. So over every new connection it is looked at whether the message taken last is still the one
 * with its number, before anything is read or let go by number. If not, the reader's place is lost: it ends.
 *
 * Memory is bounded because what is asked for is: one request for so many messages, and the next only when all of them
 * were taken.
 */
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { Consumer, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import { BusError, rejectReasons } from './bus.js';
import type { BusLog, ConsumerOptions, ConsumerState, Delivery, PartitionConsumer, RejectReason } from './bus.js';
import type { Connection } from './connection.js';
import { describeStreamError } from './jetstream-errors.js';
import { natsCode, natsError } from './jetstream-streams.js';
import { identify, streamName } from './subjects.js';
import { messageBuffers } from './transport.js';

const nanosecondsPerMs = 1_000_000;
const fetchExpiresMs = 5000;
const idleMs = 30_000;
const retryMs = 250;
const pendingBytesDefault = 16 << 20;

export class JetStreamConsumer implements PartitionConsumer {
  readonly partition: number;
  readonly messages: AsyncIterable<Delivery>;
  private readonly connection: Connection;
  private readonly messageBytesMax: number;
  private readonly log: BusLog;
  private readonly batchMessages: number;
  private next: number;
  private stopped = false;
  private endFetch: () => void = () => {};
  private wake: () => void = () => {};
  /** the message delivered last, and what tells it from another with its number */
  private last: { readonly streamSequence: number; readonly name: string } | null = null;
  /** over this connection numbers mean what they meant */
  private verified: NatsConnection | null = null;
  private lag = 0;
  private received = 0;
  private receivedBytes = 0;
  private missing = 0;
  private readonly rejected = Object.fromEntries(rejectReasons.map((reason) => [reason, 0])) as Record<
    RejectReason,
    number
  >;

  constructor(
    connection: Connection,
    partition: number,
    messageBytesMax: number,
    options: ConsumerOptions,
    log: BusLog,
  ) {
    this.connection = connection;
    this.partition = partition;
    this.messageBytesMax = messageBytesMax;
    this.log = log;
    // Counted in messages of the largest size: in 3.4 of the client a request by bytes stalls after a hundred messages.
    this.batchMessages = Math.max(1, Math.floor((options.pendingBytesMax ?? pendingBytesDefault) / messageBytesMax));
    this.next = Math.max(1, options.from ?? 1);
    this.messages = this.read();
  }

  get state(): ConsumerState {
    return {
      lag: this.lag,
      received: this.received,
      receivedBytes: this.receivedBytes,
      rejected: { ...this.rejected },
      missing: this.missing,
    };
  }

  async acknowledge(streamSequence: number): Promise<void> {
    if (streamSequence < 1) return;
    const nats = this.connection.current;
    if (!nats || (this.last && nats !== this.verified))
      throw new BusError('NS_BUS_UNREACHABLE', `${streamName(this.partition)} is not read again yet; later`);
    try {
      const manager = await jetstreamManager(nats, { checkAPI: false });
      await manager.streams.purge(streamName(this.partition), { seq: streamSequence + 1 });
    } catch (error) {
      throw describeStreamError(error, streamName(this.partition));
    }
  }

  recycle(bytes: Uint8Array): void {
    messageBuffers.giveBack(bytes);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.endFetch();
    this.wake();
  }

  private async *read(): AsyncGenerator<Delivery> {
    while (!this.stopped) {
      const nats = this.connection.current;
      if (!nats) {
        await this.pauseUntilConnected();
        continue;
      }
      try {
        yield* this.readFrom(nats);
      } catch (error) {
        if (this.stopped) return;
        if (error instanceof BusError) throw error;
        if (natsCode(error) === natsError.streamNotFound)
          throw new BusError(
            'NS_BUS_STREAM',
            `stream ${streamName(this.partition)} is not there; it is made by ensureStreams`,
            { cause: error },
          );
        this.log.warn(
          { partition: this.partition, next: this.next },
          `reading the bus was interrupted (${error instanceof Error ? error.message : String(error)}); going on`,
        );
        await this.pause(retryMs);
      }
    }
  }

  /** Read with one consumer of the server, until it or the connection is lost. */
  private async *readFrom(nats: NatsConnection): AsyncGenerator<Delivery> {
    const stream = streamName(this.partition);
    const manager = await jetstreamManager(nats, { checkAPI: false });
    await this.verify(manager);
    this.verified = nats;
    const { name } = await manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.next,
      inactive_threshold: idleMs * nanosecondsPerMs,
      mem_storage: true,
      num_replicas: 1,
      max_deliver: 1,
    });
    const consumer = await jetstream(nats).consumers.get(stream, name);
    try {
      while (!this.stopped && !nats.isClosed()) yield* this.fetch(consumer);
    } finally {
      if (!nats.isClosed()) void manager.consumers.delete(stream, name).catch(() => {}); // it ends by itself, too
    }
  }

  /** @throws BusError NS_BUS_STREAM when the stream is not the one that was read before */
  private async verify({ streams }: JetStreamManager): Promise<void> {
    if (!this.last) return;
    const { streamSequence, name } = this.last;
    const stream = streamName(this.partition);
    const { state } = await streams.info(stream);
    // What was let go cannot be compared; what comes behind it is new whatever it is called.
    if (state.first_seq > streamSequence && state.last_seq >= streamSequence) return;
    const found = state.last_seq < streamSequence ? null : await streams.getMessage(stream, { seq: streamSequence });
    if (found && nameOf(found) === name) return;
    throw new BusError(
      'NS_BUS_STREAM',
      `${stream} is older than it was (message ${streamSequence} is ${found ? 'another' : 'not there'}): its server came back without what it had confirmed`,
    );
  }

  private async *fetch(consumer: Consumer): AsyncGenerator<Delivery> {
    const batch = await consumer.fetch({ max_messages: this.batchMessages, expires: fetchExpiresMs });
    this.endFetch = () => batch.stop();
    if (this.stopped) return;
    try {
      for await (const message of batch) {
        const delivery = this.deliver(message);
        if (delivery) yield delivery;
        if (this.stopped) return;
      }
    } finally {
      this.endFetch = () => {};
      batch.stop();
    }
  }

  private deliver(message: JsMsg): Delivery | null {
    const { streamSequence, pending } = message.info;
    if (streamSequence < this.next) return null; // taken before
    this.missing += this.received === 0 ? 0 : streamSequence - this.next;
    this.next = streamSequence + 1;
    this.last = { streamSequence, name: nameOf({ subject: message.subject, header: message.headers }) };
    this.lag = pending;
    this.received += 1;
    this.receivedBytes += message.data.length;
    const known = identify(this.partition, message.subject, message.headers?.get('Nats-Msg-Id') ?? '');
    const reason = 'reason' in known ? known.reason : message.data.length > this.messageBytesMax ? 'too_large' : null;
    if (reason !== null || 'reason' in known) {
      const why = reason ?? 'no_id';
      this.rejected[why] += 1;
      return { kind: 'rejected', streamSequence, reason: why };
    }
    const arrivedMs = Number(message.timestampNanos / BigInt(nanosecondsPerMs));
    return { kind: 'message', streamSequence, arrivedMs, ...known.id, bytes: message.data };
  }

  private async pauseUntilConnected(): Promise<void> {
    await new Promise<void>((resolve) => {
      let stop: () => void = () => {};
      const done = (): void => {
        this.wake = () => {};
        stop();
        resolve();
      };
      this.wake = done;
      stop = this.connection.onConnected(done);
    });
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Subject and name; of what has no name the subject alone, for it is passed over anyway. */
const nameOf = ({ subject, header }: { readonly subject: string; readonly header: MsgHdrs | undefined }): string =>
  `${subject} ${header?.get('Nats-Msg-Id') ?? ''}`;
