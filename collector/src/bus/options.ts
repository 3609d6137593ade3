/** What a bus of either kind has to be told; and its bounds. */

/** How the packets' streams are made. */
export interface StreamOptions {
  /** into how many partitions the packets are cut; fixed for the life of a store */
  readonly partitions: number;
  /** most bytes of a partition's stream; what is new is refused beyond */
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
  messageBytesMax: 1 << 20,
  duplicateWindowMs: 120_000,
  replicas: 1,
} as const;

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
  /** PEM texts; `ca` alone checks the server, `cert` and `key` show who we are */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** longest wait between two tries to connect, milliseconds */
  readonly retryMsMax?: number;
}
