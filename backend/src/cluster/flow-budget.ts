/** One bound on live flows for all processors of a worker: each may have what the others leave. */
import type { PacketProcessor } from '../engine/pipeline/packet-processor.js';

/** What a processor may have even when the others leave nothing. */
const leastFlows = 1024;

export class FlowBudget {
  private readonly maxFlows: number;
  private readonly sharers = new Set<PacketProcessor>();

  constructor(maxFlows: number) {
    this.maxFlows = maxFlows;
  }

  /** Flows in all tables. */
  get flowsLive(): number {
    let live = 0;
    for (const sharer of this.sharers) live += sharer.flowsLive;
    return live;
  }

  join(processor: PacketProcessor): void {
    this.sharers.add(processor);
  }

  leave(processor: PacketProcessor): void {
    this.sharers.delete(processor);
  }

  /** Before it takes a batch. */
  grant(processor: PacketProcessor): void {
    processor.maxFlows = Math.max(leastFlows, this.maxFlows - (this.flowsLive - processor.flowsLive));
  }
}
