/**
 * The bus between probes and engines: who publishes batches, who reads them, and what is promised on the way.
 *
 * A message is named by (probe, epoch, sequence) within its partition: `sequence` counts the messages of that probe, epoch
 * AND partition, from 0, without holes. The name is all that makes a message: whoever publishes the same name twice
 * publishes once. Each partition is a stream of its own, which numbers its messages (`streamSequence`, from 1).
 *
 * Promises: what a publisher confirmed is on the bus's disk; a consumer gets a partition's messages in the order of their
 * stream sequences, each at least once; nothing leaves a stream before it is acknowledged, and a full stream refuses
 * what is new. Nothing is held without a bound, and every bound has a counter. docs/bus.md says how JetStream keeps this.
 */

/** What names a message. */
export interface MessageId {
  readonly partition: number;
  /** probe id, 1 to 255 characters (see `isProbeId`) */
  readonly probe: string;
  /** 64 bits: new at each start of a live capture, the content's name for a capture file */
  readonly epoch: bigint;
  /** number of the message within (probe, epoch, partition), from 0 */
  readonly sequence: number;
}

/** A message on its way to the bus. The bytes belong to the bus from `publish` on, also when they are confirmed. */
export interface OutgoingMessage extends MessageId {
  /** encodePacketBatch's */
  readonly bytes: Uint8Array;
  /** packets in it, for who counts what is confirmed and lost; the bus does not know them */
  readonly rows?: number;
}

/** A message off the bus. */
export interface ReceivedMessage extends MessageId {
  readonly kind: 'message';
  /** its number in the partition's stream, from 1 */
  readonly streamSequence: number;
  /** when the bus took it, by the bus's clock (unix milliseconds): the same for everybody who reads it, whenever */
  readonly arrivedMs: number;
  readonly bytes: Uint8Array;
}

/** Something on a partition's stream that is no message of ours; it is counted, and takes a stream sequence. */
export interface RejectedMessage {
  readonly kind: 'rejected';
  readonly streamSequence: number;
  readonly reason: RejectReason;
}

export const rejectReasons = ['no_id', 'foreign_subject', 'foreign_probe', 'too_large'] as const;
/**
 * `no_id`: without a name, or one that is none; `foreign_subject`: another partition's, or no packets; `foreign_probe`: the
 * name says another probe than the subject, which is what permissions are given for; `too_large`: above the limit.
 */
export type RejectReason = (typeof rejectReasons)[number];

export type Delivery = ReceivedMessage | RejectedMessage;

/**
 * `taken`: the publisher has it now, and will bring it onto the bus or say that it could not (`lost`).
 * `full`: it does not; the caller keeps it, or drops and counts it, and gives the next message the same sequence.
 */
export type PublishResult = 'taken' | 'full';

/** What a publisher holds and did. Counters only rise. */
export interface PublisherState {
  readonly connected: boolean;
  /** messages and bytes sent, and not confirmed yet */
  readonly unacknowledged: number;
  readonly unacknowledgedBytes: number;
  /** messages and bytes that wait on disk; 0 without a spool */
  readonly spooled: number;
  readonly spooledBytes: number;
  /** messages confirmed to be on the bus's disk */
  readonly confirmed: number;
  readonly confirmedBytes: number;
  /** of those confirmed, how many the bus had already */
  readonly duplicates: number;
  /** times a send was tried again: no answer, connection lost */
  readonly retries: number;
  /** messages sent once more after they were confirmed, because the connection broke soon after */
  readonly repeated: number;
  /** of these, how many the bus did not know (any more): lost by the server, or stored and cleared away */
  readonly restored: number;
  /** times the bus refused because the stream is full (tried again) */
  readonly refused: number;
  /** messages given up after they were taken: larger than the bus takes */
  readonly lost: number;
}

/** Sends messages, bounded; never waits. `createOutbox` puts a disk spool before one, and is one itself. */
export interface Publisher {
  readonly state: PublisherState;
  /** Give a message to the bus. Returns at once. */
  publish(message: OutgoingMessage): PublishResult;
  /** Resolves when `publish` may take a message again; at once when it does now. */
  room(): Promise<void>;
  /**
   * Wait until everything taken is confirmed, or the time is over, then end.
   * @returns what is not known to be on the bus, in order. Publishing it again under its name doubles nothing.
   */
  close(waitMilliseconds?: number): Promise<readonly OutgoingMessage[]>;
}

/**
 * Most messages of a publisher's window. A message never stands behind more than so many later ones of its partition in
 * the stream, however often it had to be sent: what a reader must hold to bring them in order.
 */
export const windowMessagesMax = 1024;

export interface PublisherOptions {
  /** most unconfirmed messages and bytes; a single larger message goes when nothing else is on its way */
  readonly windowMessages?: number;
  readonly windowBytes?: number;
  /** what was confirmed so many milliseconds before the last at most, and so many bytes of it, goes again over a new connection */
  readonly repeatMs?: number;
  readonly repeatBytes?: number;
  /** told of every confirmed message */
  readonly onConfirmed?: (message: OutgoingMessage) => void;
  /** told of every message that was given up after it was taken, and why (one line) */
  readonly onLost?: (message: OutgoingMessage, reason: string) => void;
}

/** What a consumer holds and did. */
export interface ConsumerState {
  /** messages in the stream that were not delivered yet, as the bus said with the last one */
  readonly lag: number;
  readonly received: number;
  readonly receivedBytes: number;
  readonly rejected: Readonly<Record<RejectReason, number>>;
  /** stream sequences that were asked for and are no longer there */
  readonly missing: number;
}

/** Reads one partition from a stream sequence on, in order. Only who iterates `messages` takes from the bus. */
export interface PartitionConsumer {
  readonly partition: number;
  readonly state: ConsumerState;
  /** Ends after `stop`; throws a BusError when the stream is gone. Iterate once. */
  readonly messages: AsyncIterable<Delivery>;
  /** Everything up to this stream sequence is stored: the bus may let it go. Resolves when the bus has. */
  acknowledge(streamSequence: number): Promise<void>;
  /** A message's bytes are not read any more, by anybody: their memory may hold a later one. What is not given back is collected. */
  recycle(bytes: Uint8Array): void;
  stop(): Promise<void>;
}

export interface ConsumerOptions {
  /** first stream sequence wanted; 1 or less: from the first one there is */
  readonly from?: number;
  /** most bytes delivered ahead of who iterates */
  readonly pendingBytesMax?: number;
}

/** A partition's stream as it is now. */
export interface StreamState {
  readonly partition: number;
  readonly messages: number;
  readonly bytes: number;
  /** first and last stream sequence; first > last when it is empty */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly messagesMax: number;
}

/** A setting of a stream that is other than wanted, in words for the log. */
export interface StreamDrift {
  readonly stream: string;
  readonly setting: string;
  readonly wanted: string;
  readonly found: string;
  /** it was set as wanted; false: it cannot be while the stream is there, or holds that much */
  readonly corrected: boolean;
}

/** Every participant's counters of the connection. */
export interface BusState {
  readonly connected: boolean;
  readonly reconnects: number;
  /** one line: why the last connection failed or broke; '' when none did */
  readonly lastError: string;
}

export interface Bus {
  readonly state: BusState;
  /** how many partitions the packets are cut into */
  readonly partitions: number;
  /** Make the streams that are missing, set right what may be changed. Any number of processes may do it at once. */
  ensureStreams(): Promise<readonly StreamDrift[]>;
  streams(): Promise<readonly StreamState[]>;
  publisher(options?: PublisherOptions): Publisher;
  consume(partition: number, options?: ConsumerOptions): PartitionConsumer;
  /** Tell everybody who listens right now; nothing is kept. Subjects `netspectra.live.…` and `netspectra.control.…`. */
  send(subject: string, bytes: Uint8Array): void;
  /** Hear what is sent to a subject (`>` at its end: and below). The returned function ends it. */
  listen(subject: string, heard: (subject: string, bytes: Uint8Array) => void): () => void;
  /** Close publishers and consumers first. */
  close(): Promise<void>;
}

/** What can keep a bus from being used. Messages are one line: what, where, what to do. */
export type BusErrorCode =
  | 'NS_BUS_UNREACHABLE'
  | 'NS_BUS_CERTIFICATE'
  | 'NS_BUS_CREDENTIALS'
  | 'NS_BUS_PERMISSION'
  | 'NS_BUS_NO_JETSTREAM'
  | 'NS_BUS_STREAM'
  | 'NS_BUS_CONFIGURATION'
  | 'NS_BUS_CLOSED';

export class BusError extends Error {
  override readonly name = 'BusError';
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string, options?: { cause?: unknown }) {
    super(message.replace(/\s*\n\s*/g, ' '), options);
    this.code = code;
  }
}

/** Where log lines go; pino's loggers fit. */
export interface BusLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A bus that nothing is said about. */
export const silentLog: BusLog = { info: () => {}, warn: () => {}, error: () => {} };
