/** What a bus of either kind has to be told; and its bounds. */

/** How the packets' streams are made. */
export interface StreamOptions {
  /** into how many partitions the packets are cut; fixed for the life of a store */
  readonly partitions: number;
  /** most bytes of messages in a partition's stream; what is new is refused beyond (see messagesMax) */
  readonly bytesMax?: number;
  /** largest message */
  readonly messageBytesMax?: number;
  /** how long the bus knows the names of messages that were published, milliseconds */
  readonly duplicateWindowMs?: number;
  /** copies of a stream in a cluster, 1 to 5 */
  readonly replicas?: number;
}

export const streamDefaults = {
  bytesMax: 1 << 30,
  messageBytesMax: 256 << 10,
  duplicateWindowMs: 120_000,
  replicas: 1,
} as const;

/**
 * Most messages of a partition's stream: as many of the largest size as its bytes allow. The streams are bounded by this and
 * not by bytes, because older servers silently delete the OLDEST message when one fits into max_bytes by its
 * size and not with what the server adds to it, also under `discard: new` (nats-server issue 4775; seen with 2.9.10).
 */
export const messagesMax = (options: StreamOptions): number => {
  const { bytesMax, messageBytesMax } = { ...streamDefaults, ...options };
  return Math.max(1, Math.floor(bytesMax / messageBytesMax));
};

export const partitionsMax = 1024;

/** Where NATS is, and who we are there. */
export interface ConnectionOptions {
  /** `nats://host:4222` or `tls://host:4222`; several of one cluster */
  readonly servers: readonly string[];
  /** how this process is called in the server's lists */
  readonly name?: string;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** contents of an nkey seed file (begins with SU), or of a .creds file */
  readonly nkey?: string;
  readonly credentials?: string;
  /** PEM texts: `ca` is who is trusted (else the usual authorities), `cert` and `key` show who we are */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** longest wait between two tries to connect, milliseconds */
  readonly retryMsMax?: number;
}
