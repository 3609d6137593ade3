import type { PacketBatch } from '@netspectra/proto';

/** The rows of a batch that belong to this worker's partition, with what the flow table found out about each. */
export interface PacketSelection {
  batch: PacketBatch;
  /** row numbers in the batch, the first `count` are valid */
  rows: Uint32Array;
  count: number;
  /** per selected packet: index into the flow table, or -1 (no addresses) */
  flow: Int32Array;
  /** per selected packet: 0 sent by the flow's client, 1 by its server */
  direction: Uint8Array;
  /** per selected packet: PacketEvent bits */
  events: Uint8Array;
}

/** What the flow table noticed about a packet. */
export const PacketEvent = {
  NewFlow: 1,
  /** TCP payload (or SYN/FIN) whose sequence range was seen before */
  Retransmission: 2,
  /** TCP segment that fills a hole left shortly before */
  OutOfOrder: 4,
  /** TCP window of 0 on a segment without RST, SYN or FIN */
  ZeroWindow: 8,
  /** this packet completed the handshake: flowTable.rttNanoseconds(flow) is new */
  RttMeasured: 16,
  /** the flow ended before (FIN both ways or RST) and this packet begins it anew */
  Reopened: 32,
} as const;

/** A selection with room for `capacity` rows of `batch`. */
export function createSelection(batch: PacketBatch, capacity: number): PacketSelection {
  return {
    batch,
    rows: new Uint32Array(capacity),
    count: 0,
    flow: new Int32Array(capacity),
    direction: new Uint8Array(capacity),
    events: new Uint8Array(capacity),
  };
}
