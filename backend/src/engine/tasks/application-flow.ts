/** What the rows of dns, http and tls say about their flow, kept apart because the flow may be gone when a row is written. */
import type { FlowTable } from '../flow-table/index.js';
import type { RowWriter } from '../row-sink.js';

const addressBytes = 32;
/** The addresses of so many stamps stand in one array: as one of its own for each they would take 200 bytes more. */
const stampsOfArray = 128;
let newest = new Uint8Array(0);
let handedOut = 0;

export class FlowStamp {
  /** halves of the flow's id, as signed numbers, which are no objects of the collector's */
  idHigh = 0;
  idLow = 0;
  clientPort = 0;
  serverPort = 0;
  vlan = 0;
  /** client's and server's address, 16 bytes each, network order, from `at` on */
  private readonly addresses: Uint8Array;
  private readonly at: number;

  constructor() {
    if (handedOut === newest.length) {
      newest = new Uint8Array(stampsOfArray * addressBytes);
      handedOut = 0;
    }
    this.addresses = newest;
    this.at = handedOut;
    handedOut += addressBytes;
  }

  /** Take over the identity of a live flow. */
  read(flowTable: FlowTable, flow: number): void {
    this.idHigh = flowTable.idHigh(flow) | 0;
    this.idLow = flowTable.idLow(flow) | 0;
    this.clientPort = flowTable.clientPort(flow);
    this.serverPort = flowTable.serverPort(flow);
    this.vlan = flowTable.vlan(flow);
    const bytes = flowTable.addressBytes;
    const client = flowTable.clientAddressOffset(flow);
    const server = flowTable.serverAddressOffset(flow);
    const { addresses, at } = this;
    for (let i = 0; i < 16; i += 1) {
      addresses[at + i] = bytes[client + i]!;
      addresses[at + 16 + i] = bytes[server + i]!;
    }
  }

  /** Begin a row with the columns that the three tables share: timestamp .. vlan. */
  begin(row: RowWriter, seconds: number, nanoseconds: number): void {
    row.begin();
    row.time(seconds, nanoseconds);
    row.number64(this.idHigh, this.idLow);
    row.address(this.addresses, this.at);
    row.address(this.addresses, this.at + 16);
    row.number(this.clientPort);
    row.number(this.serverPort);
    row.number(this.vlan);
  }

  /** End a row with the columns that the three tables share: what is known about the addresses. */
  end(row: RowWriter): void {
    row.places(this.addresses, this.at, this.at + 16);
    row.end();
  }
}

/** Nanoseconds from one time to a later one; 0 when it is not later. */
export function nanosecondsBetween(
  fromSeconds: number,
  fromNanoseconds: number,
  toSeconds: number,
  toNanoseconds: number,
): number {
  return Math.max(0, (toSeconds - fromSeconds) * 1e9 + toNanoseconds - fromNanoseconds);
}
