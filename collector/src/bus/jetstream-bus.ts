/** The bus on NATS JetStream. What it promises and how: docs/bus.md. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { BusError, silentLog } from './bus.js';
import type {
  Bus,
  BusLog,
  BusState,
  ConsumerOptions,
  OutgoingMessage,
  PartitionConsumer,
  Publisher,
  PublisherOptions,
  StreamDrift,
  StreamState,
} from './bus.js';
import { Connection } from './connection.js';
import { JetStreamConsumer } from './jetstream-consumer.js';
import { describeStreamError } from './jetstream-errors.js';
import { ensureStreams, natsCode, natsError, streamStates } from './jetstream-streams.js';
import { idText } from './message-id.js';
import { partitionsMax, streamDefaults } from './options.js';
import type { ConnectionOptions, StreamOptions } from './options.js';
import { createWindowPublisher, SendFailure } from './publisher.js';
import { isSignalSubject, messageSubject, streamName } from './subjects.js';

/** longest wait for a confirmation, milliseconds; then the message is sent again under the same name */
const confirmMs = 5000;
/** what subject and headers take of a message's largest size */
const envelopeBytes = 4096;

/** A bus on JetStream, with what only NATS has. */
export interface JetStreamBus extends Bus {
  /**
   * The connection, for leases (NATS KV). Rejects at once when certificate or credentials are wrong, and with the last
   * error when the time is over; the bus itself goes on trying.
   */
  ready(milliseconds?: number): Promise<NatsConnection>;
}

export interface JetStreamBusOptions {
  readonly connection: ConnectionOptions;
  readonly streams: StreamOptions;
  readonly log?: BusLog;
}

/**
 * Start connecting, and go on for ever. A publisher may be made at once: what it takes waits in its window.
 * @throws BusError NS_BUS_CONFIGURATION when the options do not fit together
 */
export function createJetStreamBus({ connection, streams, log = silentLog }: JetStreamBusOptions): JetStreamBus {
  if (!Number.isInteger(streams.partitions) || streams.partitions < 1 || streams.partitions > partitionsMax)
    throw new BusError(
      'NS_BUS_CONFIGURATION',
      `${streams.partitions} partitions; write a number from 1 to ${partitionsMax}`,
    );
  return new NatsBus(new Connection(connection, log), streams, log);
}

class NatsBus implements JetStreamBus {
  readonly partitions: number;
  private readonly connection: Connection;
  private readonly options: StreamOptions;
  private readonly log: BusLog;
  private readonly messageBytesMax: number;
  private client: { readonly nats: NatsConnection; readonly jetstream: JetStreamClient } | null = null;

  constructor(connection: Connection, options: StreamOptions, log: BusLog) {
    this.connection = connection;
    this.options = options;
    this.log = log;
    this.partitions = options.partitions;
    this.messageBytesMax = options.messageBytesMax ?? streamDefaults.messageBytesMax;
  }

  get state(): BusState {
    return this.connection.state;
  }

  ready(milliseconds?: number): Promise<NatsConnection> {
    return this.connection.ready(milliseconds);
  }

  async ensureStreams(): Promise<readonly StreamDrift[]> {
    return this.managed((manager) => ensureStreams(manager, this.options));
  }

  async streams(): Promise<readonly StreamState[]> {
    return this.managed((manager) => streamStates(manager, this.options));
  }

  publisher(options: PublisherOptions = {}): Publisher {
    const { connection } = this;
    return createWindowPublisher(
      {
        partitions: this.partitions,
        get connected() {
          return connection.current !== null;
        },
        send: (message) => this.put(message),
        onConnected: (callback) => connection.onConnected(callback),
      },
      options,
    );
  }

  consume(partition: number, options: ConsumerOptions = {}): PartitionConsumer {
    if (!Number.isInteger(partition) || partition < 0 || partition >= this.partitions)
      throw new RangeError(`partition ${partition} of ${this.partitions}`);
    return new JetStreamConsumer(this.connection, partition, this.messageBytesMax, options, this.log);
  }

  send(subject: string, bytes: Uint8Array): void {
    if (!isSignalSubject(subject)) throw new RangeError(`'${subject}' is no subject for signals`);
    this.connection.current?.publish(subject, bytes);
  }

  listen(subject: string, heard: (subject: string, bytes: Uint8Array) => void): () => void {
    if (!isSignalSubject(subject)) throw new RangeError(`'${subject}' is no subject for signals`);
    let subscription: Subscription | null = null;
    // A subscription ends with its connection; every new one gets its own.
    const stop = this.connection.onConnected((nats) => {
      subscription = nats.subscribe(subject, {
        callback: (error, message) => {
          if (!error) heard(message.subject, message.data);
        },
      });
    });
    return () => {
      stop();
      subscription?.unsubscribe();
    };
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private async put(message: OutgoingMessage): Promise<{ readonly duplicate: boolean }> {
    const nats = this.connection.current;
    if (!nats) throw new SendFailure('retry', 'not connected');
    const most = Math.min(this.messageBytesMax, (nats.info?.max_payload ?? Infinity) - envelopeBytes);
    if (message.bytes.length > most)
      throw new SendFailure('too_large', `a message of ${message.bytes.length} bytes; the bus takes ${most}`);
    if (this.client?.nats !== nats) this.client = { nats, jetstream: jetstream(nats, { timeout: confirmMs }) };
    try {
      const { duplicate } = await this.client.jetstream.publish(messageSubject(message), message.bytes, {
        msgID: idText(message),
        timeout: confirmMs,
        expect: { streamName: streamName(message.partition) },
      });
      return { duplicate };
    } catch (error) {
      throw sendFailure(error);
    }
  }

  private async managed<Result>(work: (manager: JetStreamManager) => Promise<Result>): Promise<Result> {
    const nats = await this.connection.ready();
    try {
      return await work(await jetstreamManager(nats));
    } catch (error) {
      throw describeStreamError(error, streamName(0));
    }
  }
}

function sendFailure(error: unknown): SendFailure {
  const text = error instanceof Error ? error.message : String(error);
  switch (natsCode(error)) {
    case natsError.messageTooLarge:
      return new SendFailure('too_large', text, { cause: error });
    case natsError.streamStoreFailed:
    case natsError.noMoreStorage:
    case natsError.storageExceeded:
    case natsError.insufficientResources:
      return new SendFailure('full', text, { cause: error });
    default:
      return new SendFailure('retry', text, { cause: error });
  }
}
