/**
 * What flows added, in blocks of columns: the flow table tells of one flow at a time, just before it empties the record;
 * here the key and the counters are copied out, both addresses hashed, and 256 flows later all is handed on at once.
 *
 * Blocks, because a sketch or a table of candidates is larger than the caches near the processor: over a block the misses
 * of many look-ups overlap. The tasks that count by flow share one FlowDeltas per flow table and with it the hashes.
 *
 * What is still gathered is handed on by `drain`: at each flush, and before a report.
 */
import { hashResult, hashWords } from '../../sketch-math/index.js';
import type { DeltaColumns, DeltaSideColumns, FlowTable } from '../flow-table/index.js';

/** Flows a block. 256: the columns (31 KiB) and the lines fetched for them fit the second-level cache. */
export const deltaRows = 256;

/** One side of the flows of a block: what it is, and what it sent. */
export interface DeltaSide extends DeltaSideColumns {
  /** hash of the address, high and low half by turns */
  readonly hashes: Int32Array;
}

const createSide = (): DeltaSide => ({
  addresses: new Uint32Array(deltaRows * 4),
  hashes: new Int32Array(deltaRows * 2),
  ports: new Uint16Array(deltaRows),
  bytes: new Float64Array(deltaRows),
  packets: new Float64Array(deltaRows),
});

export class FlowDeltas implements DeltaColumns {
  /** rows of the block, the first `count` are valid */
  count = 0;
  /** packets of the block */
  packets = 0;
  readonly client = createSide();
  readonly server = createSide();
  readonly seconds = new Float64Array(deltaRows);
  readonly protocols = new Uint8Array(deltaRows);
  readonly hasPorts = new Uint8Array(deltaRows);
  private readonly flowTable: FlowTable;
  private readonly consumers: ((deltas: FlowDeltas) => void)[] = [];

  constructor(flowTable: FlowTable) {
    this.flowTable = flowTable;
    flowTable.onDelta((flow) => this.gather(flow));
  }

  /** `consumer` is called with every block; the columns hold it until it returns. */
  onBlock(consumer: (deltas: FlowDeltas) => void): void {
    this.consumers.push(consumer);
  }

  /** Hand on what has been gathered. */
  drain(): void {
    if (this.count === 0) return;
    for (const consumer of this.consumers) consumer(this);
    this.count = 0;
    this.packets = 0;
  }

  private gather(flow: number): void {
    const row = this.count;
    this.packets += this.flowTable.readDelta(flow, this, row);
    hashAddress(this.client, row);
    hashAddress(this.server, row);
    this.count = row + 1;
    if (this.count === deltaRows) this.drain();
  }
}

function hashAddress({ addresses, hashes }: DeltaSide, row: number): void {
  hashWords(addresses, row << 2, 4);
  hashes[row << 1] = hashResult[0]!;
  hashes[(row << 1) + 1] = hashResult[1]!;
}

const shared = new WeakMap<FlowTable, FlowDeltas>();

/** The one FlowDeltas of a flow table: who asks first makes it. */
export function flowDeltasOf(flowTable: FlowTable): FlowDeltas {
  let deltas = shared.get(flowTable);
  if (!deltas) shared.set(flowTable, (deltas = new FlowDeltas(flowTable)));
  return deltas;
}
