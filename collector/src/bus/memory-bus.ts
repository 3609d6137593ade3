/**
 * The bus within one process: `up`, and tests. The same promises as long as the process lives: bounded streams that
 * refuse what is new, names that count once, nothing forgotten before it is acknowledged.
 */
import { rejectReasons } from './bus.js';
import type {
  Bus,
  BusState,
  ConsumerOptions,
  ConsumerState,
  Delivery,
  OutgoingMessage,
  PartitionConsumer,
  Publisher,
  PublisherOptions,
  ReceivedMessage,
  RejectReason,
  StreamDrift,
  StreamState,
} from './bus.js';
import { idText, isProbeId } from './message-id.js';
import { messagesMax, streamDefaults } from './options.js';
import type { StreamOptions } from './options.js';
import { createWindowPublisher, SendFailure } from './publisher.js';
import { isSignalSubject } from './subjects.js';

/** most names remembered by a stream; the oldest is forgotten first */
const namesMax = 65_536;

export interface MemoryBusOptions extends StreamOptions {
  /** Most messages of a stream, whatever their size; `bytesMax` is then what they really take. Absent: as on a server. */
  readonly messagesMax?: number;
}

/**
 * Make a bus in memory.
 * @param now the clock that says when messages arrived, unix milliseconds
 */
export function createMemoryBus(options: MemoryBusOptions, now: () => number = Date.now): Bus {
  return new MemoryBus(options, now);
}

class MemoryBus implements Bus {
  readonly partitions: number;
  readonly state: BusState = { connected: true, reconnects: 0, lastError: '' };
  private readonly partitionStreams: readonly MemoryStream[];
  private readonly listeners = new Set<{ subject: string; heard: (subject: string, bytes: Uint8Array) => void }>();

  constructor(options: MemoryBusOptions, now: () => number) {
    this.partitions = options.partitions;
    const limits = { messagesMax: messagesMax(options), ...streamDefaults, ...options };
    this.partitionStreams = Array.from({ length: options.partitions }, () => new MemoryStream(limits, now));
  }

  async ensureStreams(): Promise<readonly StreamDrift[]> {
    return [];
  }

  async streams(): Promise<readonly StreamState[]> {
    return this.partitionStreams.map((stream, partition) => ({ partition, ...stream.state }));
  }

  publisher(options: PublisherOptions = {}): Publisher {
    return createWindowPublisher(
      {
        partitions: this.partitions,
        connected: true,
        send: async (message) => this.stream(message.partition).put(message),
        onConnected: () => () => {},
      },
      { ...options, repeatBytes: 0 }, // this connection cannot break
    );
  }

  consume(partition: number, options: ConsumerOptions = {}): PartitionConsumer {
    return new MemoryConsumer(this.stream(partition), partition, options);
  }

  send(subject: string, bytes: Uint8Array): void {
    if (!isSignalSubject(subject)) throw new RangeError(`'${subject}' is no subject for signals`);
    for (const { subject: wanted, heard } of [...this.listeners]) {
      const matches = wanted.endsWith('.>') ? subject.startsWith(wanted.slice(0, -1)) : subject === wanted;
      if (matches) queueMicrotask(() => heard(subject, bytes));
    }
  }

  listen(subject: string, heard: (subject: string, bytes: Uint8Array) => void): () => void {
    if (!isSignalSubject(subject)) throw new RangeError(`'${subject}' is no subject for signals`);
    const listener = { subject, heard };
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.listeners.clear();
  }

  private stream(partition: number): MemoryStream {
    const stream = this.partitionStreams[partition];
    if (!stream) throw new RangeError(`partition ${partition} of ${this.partitions}`);
    return stream;
  }
}

class MemoryStream {
  private readonly limits: Required<Pick<MemoryBusOptions, 'messagesMax' | 'bytesMax' | 'messageBytesMax'>>;
  private readonly now: () => number;
  private readonly names = new Set<string>();
  private readonly messages = new Map<number, ReceivedMessage>();
  private readonly arrivals = new Set<() => void>();
  private first = 1;
  private last = 0;
  private bytes = 0;

  constructor(limits: MemoryStream['limits'], now: () => number) {
    this.limits = limits;
    this.now = now;
  }

  get state(): Omit<StreamState, 'partition'> {
    return {
      messages: this.messages.size,
      bytes: this.bytes,
      firstSequence: this.first,
      lastSequence: this.last,
      messagesMax: this.limits.messagesMax,
    };
  }

  put(message: OutgoingMessage): { readonly duplicate: boolean } {
    if (!isProbeId(message.probe)) throw new SendFailure('too_large', 'a probe id that cannot be published under');
    const { messagesMax: most, bytesMax, messageBytesMax } = this.limits;
    if (message.bytes.length > messageBytesMax)
      throw new SendFailure(
        'too_large',
        `a message of ${message.bytes.length} bytes; the bus takes ${messageBytesMax}`,
      );
    const name = idText(message);
    if (this.names.has(name)) return { duplicate: true };
    // Whatever its size: a small one must not overtake a large one that was refused.
    if (this.messages.size >= most || this.bytes >= bytesMax) throw new SendFailure('full', 'the stream is full');
    this.names.add(name);
    if (this.names.size > namesMax) this.names.delete(this.names.values().next().value!);
    this.last += 1;
    this.messages.set(this.last, { kind: 'message', streamSequence: this.last, arrivedMs: this.now(), ...message });
    this.bytes += message.bytes.length;
    for (const arrived of [...this.arrivals]) arrived();
    return { duplicate: false };
  }

  /** The first message at or after a sequence. */
  at(sequence: number): ReceivedMessage | null {
    return this.messages.get(Math.max(sequence, this.first)) ?? null;
  }

  after(sequence: number): number {
    return Math.max(0, this.last - sequence);
  }

  forget(upTo: number): void {
    for (; this.first <= Math.min(upTo, this.last); this.first += 1) {
      this.bytes -= this.messages.get(this.first)!.bytes.length;
      this.messages.delete(this.first);
    }
  }

  /** Calls back at the next message. */
  onArrival(callback: () => void): () => void {
    this.arrivals.add(callback);
    return () => this.arrivals.delete(callback);
  }
}

class MemoryConsumer implements PartitionConsumer {
  readonly partition: number;
  readonly messages: AsyncIterable<Delivery>;
  private readonly stream: MemoryStream;
  private next: number;
  private stopped = false;
  private wake: () => void = () => {};
  private received = 0;
  private receivedBytes = 0;
  private missing = 0;

  constructor(stream: MemoryStream, partition: number, options: ConsumerOptions) {
    this.stream = stream;
    this.partition = partition;
    this.next = Math.max(1, options.from ?? 1);
    this.messages = this.read();
  }

  get state(): ConsumerState {
    return {
      lag: this.stream.after(this.next - 1),
      received: this.received,
      receivedBytes: this.receivedBytes,
      rejected: Object.fromEntries(rejectReasons.map((reason) => [reason, 0])) as Record<RejectReason, number>,
      missing: this.missing,
    };
  }

  async acknowledge(streamSequence: number): Promise<void> {
    this.stream.forget(streamSequence);
  }

  recycle(_bytes: Uint8Array): void {
    // The stream has them until they are acknowledged.
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.wake();
  }

  private async *read(): AsyncGenerator<Delivery> {
    while (!this.stopped) {
      const message = this.stream.at(this.next);
      if (!message) {
        await this.arrival();
        continue;
      }
      this.missing += this.received === 0 ? 0 : message.streamSequence - this.next;
      this.next = message.streamSequence + 1;
      this.received += 1;
      this.receivedBytes += message.bytes.length;
      yield message;
    }
  }

  private arrival(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.stream.onArrival(() => this.wake());
      this.wake = () => {
        stop();
        this.wake = () => {};
        resolve();
      };
    });
  }
}
