/**
 * What a task counts a window in is megabytes, and empty from a flush to the first flow that ends after it: tasks of the same
 * options in a thread (an engine has a processor for each stream) take it when a window begins, and give it back when it is closed.
 */

/** Emptied ones that a pool keeps; those beyond are left to the collector. */
const keptMax = 4;

export class SlotPool<Slot> {
  private readonly kept: Slot[] = [];
  private readonly create: () => Slot;

  constructor(create: () => Slot) {
    this.create = create;
  }

  /** An empty one. */
  take(): Slot {
    return this.kept.pop() ?? this.create();
  }

  /** `slot` was emptied, and its owner has forgotten it. */
  give(slot: Slot): void {
    if (this.kept.length < keptMax) this.kept.push(slot);
  }
}

/** The pools of a thread by what their slots are made from. */
export class SlotPools<Shape, Slot> {
  private readonly pools = new Map<string, SlotPool<Slot>>();
  private readonly create: (shape: Shape) => Slot;

  constructor(create: (shape: Shape) => Slot) {
    this.create = create;
  }

  /** The pool for this shape: plain data, of which a process has as many as its configuration. */
  of(shape: Shape): SlotPool<Slot> {
    const key = JSON.stringify(shape);
    let pool = this.pools.get(key);
    if (!pool) this.pools.set(key, (pool = new SlotPool(() => this.create(shape))));
    return pool;
  }
}
