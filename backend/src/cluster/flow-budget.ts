/** One bound on live flows for all processors of a worker: each may have what the others leave. */
import type { PacketProcessor } from '../engine/pipeline/packet-processor.js';

/** What a processor may have even when the others leave nothing. */
const leastFlows = 1024;

export class FlowBudget {
  private readonly maxFlows: number;
  /** what each had when it was looked at last: a sum over all for each message would cost more than small messages do */
  private readonly known = new Map<PacketProcessor, number>();
  private sum = 0;

  constructor(maxFlows: number) {
    this.maxFlows = maxFlows;
  }

  /** Flows in all tables, as of the last look at each. */
  get flowsLive(): number {
    return this.sum;
  }

  join(processor: PacketProcessor): void {
    this.update(processor);
  }

  leave(processor: PacketProcessor): void {
    this.sum -= this.known.get(processor) ?? 0;
    this.known.delete(processor);
  }

  /** Before it takes a batch. */
  grant(processor: PacketProcessor): void {
    this.update(processor);
    processor.maxFlows = Math.max(leastFlows, this.maxFlows - (this.sum - processor.flowsLive));
  }

  /** After it took a batch or flushed. */
  update(processor: PacketProcessor): void {
    const live = processor.flowsLive;
    this.sum += live - (this.known.get(processor) ?? 0);
    this.known.set(processor, live);
  }
}
