/** What the rows of dns, http and tls say about their flow, kept apart because the flow may be gone when a row is written. */
import type { FlowTable } from '../flow-table/index.js';
import type { RowWriter } from '../row-sink.js';

export class FlowStamp {
  idHigh = 0;
  idLow = 0;
  clientPort = 0;
  serverPort = 0;
  vlan = 0;
  /** client's and server's address, 16 bytes each, network order */
  readonly addresses = new Uint8Array(32);

  /** Take over the identity of a live flow. */
  read(flowTable: FlowTable, flow: number): void {
    this.idHigh = flowTable.idHigh(flow);
    this.idLow = flowTable.idLow(flow);
    this.clientPort = flowTable.clientPort(flow);
    this.serverPort = flowTable.serverPort(flow);
    this.vlan = flowTable.vlan(flow);
    const bytes = flowTable.addressBytes;
    const client = flowTable.clientAddressOffset(flow);
    const server = flowTable.serverAddressOffset(flow);
    for (let i = 0; i < 16; i += 1) {
      this.addresses[i] = bytes[client + i]!;
      this.addresses[16 + i] = bytes[server + i]!;
    }
  }

  /** Begin a row with the columns that the three tables share: timestamp .. vlan. */
  begin(row: RowWriter, seconds: number, nanoseconds: number): void {
    row.begin();
    row.time(seconds, nanoseconds);
    row.number64(this.idHigh, this.idLow);
    row.address(this.addresses, 0);
    row.address(this.addresses, 16);
    row.number(this.clientPort);
    row.number(this.serverPort);
    row.number(this.vlan);
  }

  /** End a row with the columns that the three tables share: what is known about the addresses. */
  end(row: RowWriter): void {
    row.places(this.addresses, 0, 16);
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
