/**
 * Puts the messages of one (probe, epoch, partition) in the order of their sequences, each once.
 *
 * Streams are nearly in that order: a message that had to be sent twice stands behind later ones, at most a publisher's
 * window behind. So what comes early is held, up to a bound; what came before is a duplicate. A hole that is still open
 * when the bound is met, or when `skipHole` is called because it has been open for too long, is a gap: counted, and gone
 * past. Gaps are remembered, across engines by what the store has: what comes for one after all is given out late, alone.
 */
export interface OrderCounters {
  /** taken already, by this engine or one before */
  duplicates: number;
  /** sequences that were given up */
  gaps: number;
  /** of those, how many came after all and were taken */
  late: number;
  /** most messages that were held at once */
  heldMost: number;
}

/** Sequences from first to last. */
export interface SequenceRange {
  readonly first: number;
  readonly last: number;
}

export interface MessageOrderOptions {
  /** sequence of the last message that is in the store; -1 = none */
  readonly position: number;
  /** sequences up to the position that are not in the store, ascending */
  readonly gaps?: readonly SequenceRange[];
  /** most messages held while one before them is missing */
  readonly heldMax: number;
}

/** Most gaps remembered. What comes for a forgotten one is taken for a duplicate: sequences are lost, but none twice. */
export const gapsRemembered = 256;

export class MessageOrder<Message extends { readonly sequence: number }> {
  readonly counters: OrderCounters = { duplicates: 0, gaps: 0, late: 0, heldMost: 0 };
  private readonly held = new Map<number, Message>();
  private readonly heldMax: number;
  private gaps: SequenceRange[];
  private expected: number;

  constructor({ position, gaps = [], heldMax }: MessageOrderOptions) {
    this.expected = position + 1;
    this.gaps = gaps.slice(-gapsRemembered);
    this.heldMax = heldMax;
  }

  /** Sequence of the message that is to come next. */
  get next(): number {
    return this.expected;
  }

  /** Messages that wait for one before them. */
  get waiting(): IterableIterator<Message> {
    return this.held.values();
  }

  get waitingCount(): number {
    return this.held.size;
  }

  /** Take a message; answers those that are in order now, oldest first, or one alone that comes late for a gap. */
  add(message: Message): Message[] {
    const { sequence } = message;
    if (sequence < this.expected || this.held.has(sequence)) {
      if (this.fillGap(sequence)) {
        this.counters.late += 1;
        return [message];
      }
      this.counters.duplicates += 1;
      return [];
    }
    this.held.set(sequence, message);
    const ready = this.run();
    if (this.held.size > this.heldMax) ready.push(...this.skipHole());
    this.counters.heldMost = Math.max(this.counters.heldMost, this.held.size);
    return ready;
  }

  /** Go past the hole before the first held message; answers what is in order then. */
  skipHole(): Message[] {
    if (this.held.size === 0) return [];
    let first = Infinity;
    for (const sequence of this.held.keys()) first = Math.min(first, sequence);
    this.counters.gaps += first - this.expected;
    this.gaps.push({ first: this.expected, last: first - 1 });
    if (this.gaps.length > gapsRemembered) this.gaps.shift();
    this.expected = first;
    return this.run();
  }

  /** Take a sequence out of the gap it is in; false: it is in none. */
  private fillGap(sequence: number): boolean {
    const gap = this.gaps.find(({ first, last }) => sequence >= first && sequence <= last);
    if (!gap) return false;
    const rest = [
      { first: gap.first, last: sequence - 1 },
      { first: sequence + 1, last: gap.last },
    ].filter(({ first, last }) => first <= last);
    this.gaps = this.gaps.flatMap((other) => (other === gap ? rest : [other])).slice(-gapsRemembered);
    return true;
  }

  private run(): Message[] {
    const ready: Message[] = [];
    for (let message = this.held.get(this.expected); message; message = this.held.get(this.expected)) {
      this.held.delete(this.expected);
      this.expected += 1;
      ready.push(message);
    }
    return ready;
  }
}
