/** What runs inside a flow, as far as its bytes showed; value of `flowTable.application[flow]`. */
export const Application = {
  Unknown: 0,
  Dns: 1,
  Http: 2,
  Tls: 3,
  Mdns: 4,
  Llmnr: 5,
  Ssh: 6,
  Quic: 7,
  Other: 255,
} as const;
/** Name by Application value; 'unknown' flows get their name from the well-known port when rows are written. */
export const applicationNames: readonly string[] = ['', 'dns', 'http', 'tls', 'mdns', 'llmnr', 'ssh', 'quic'];

/**
 * Bidirectional 5-tuple + VLAN -> one interleaved record, open addressing, bounded. Placeholder of the shape other
 * modules rely on; see the accessors.
 */
export declare class FlowTable {
  /** Application of each flow; tasks that recognise one write it here. Index: flow. */
  readonly application: Uint8Array;
  /** Changes whenever the index is given to another flow: remember (index, generation) to notice. */
  generation(flow: number): number;
  /** 64-bit id of the flow as two u32 halves, stable over the flow's life */
  idHigh(flow: number): number;
  idLow(flow: number): number;
  /** Offset of the flow's 16-byte client / server address in `addressBytes`, network order. */
  readonly addressBytes: Uint8Array;
  clientAddressOffset(flow: number): number;
  serverAddressOffset(flow: number): number;
  clientPort(flow: number): number;
  serverPort(flow: number): number;
  protocol(flow: number): number;
  vlan(flow: number): number;
  rttNanoseconds(flow: number): number;
}
