/**
 * A store that belongs to another thread: an engine's thread asks, the thread that has the store answers. The rows of a
 * flush cross by transfer; the thread of the store keeps those of the flush at hand until they are stored, so that it can be
 * asked to try again.
 */
import type { Flush, Writer } from '../tables/index.js';
import { WriteForbidden } from '../tables/index.js';

/** A question; `again` writes the flush of that number once more. */
export type StoreCall =
  | { readonly kind: 'write'; readonly number: number; readonly flush: Flush }
  | { readonly kind: 'again'; readonly number: number }
  | {
      readonly kind: 'position';
      readonly number: number;
      readonly probe: string;
      readonly epoch: bigint;
      readonly partition: number;
    };

/** `error`: one line; null when it was done. */
export interface StoreAnswer<Position> {
  readonly kind: 'answer';
  readonly number: number;
  readonly error: string | null;
  readonly position: Position | null;
}

/** The side that asks. */
export class StoreCaller<Position> implements Writer {
  private readonly waiting = new Map<number, (answer: StoreAnswer<Position>) => void>();
  /** flushes that went over, by their blocks: a flush that is tried again has the same ones */
  private readonly sent = new WeakMap<Flush['blocks'], number>();
  private numbers = 0;
  private isOver = false;

  constructor(private readonly post: (call: StoreCall, transfer?: ArrayBuffer[]) => void) {}

  async write(flush: Flush, mayWrite?: () => boolean): Promise<void> {
    if (mayWrite?.() === false) throw new WriteForbidden('the lease is over');
    const known = this.sent.get(flush.blocks);
    if (known !== undefined) {
      await this.ask(known, () => this.post({ kind: 'again', number: known }));
      return;
    }
    const number = this.next();
    this.sent.set(flush.blocks, number);
    const buffers = flush.blocks.map(({ bytes }) => bytes.buffer as ArrayBuffer);
    await this.ask(number, () => this.post({ kind: 'write', number, flush }, buffers));
  }

  /** What is stored of a stream. Rejects when the store does not answer. */
  async position(probe: string, epoch: bigint, partition: number): Promise<Position> {
    const number = this.next();
    const { position } = await this.ask(number, () => this.post({ kind: 'position', number, probe, epoch, partition }));
    if (position === null) throw new Error('no answer to a question');
    return position;
  }

  /** An answer came. */
  hear(answer: StoreAnswer<Position>): void {
    this.waiting.get(answer.number)?.(answer);
  }

  /** Wait for no answer any more, now or later: whoever asks is told so. */
  giveUp(): void {
    this.isOver = true;
    for (const number of [...this.waiting.keys()]) this.hear(overAnswer(number));
  }

  async close(): Promise<void> {}

  private next(): number {
    return (this.numbers += 1);
  }

  private async ask(number: number, post: () => void): Promise<StoreAnswer<Position>> {
    const answer = await new Promise<StoreAnswer<Position>>((resolve) => {
      this.waiting.set(number, resolve);
      post();
      if (this.isOver) resolve(overAnswer(number));
    });
    this.waiting.delete(number);
    if (answer.error !== null) throw new Error(answer.error);
    return answer;
  }
}

const overAnswer = (number: number): StoreAnswer<never> => ({
  kind: 'answer',
  number,
  error: 'the store did not answer in time',
  position: null,
});

export interface StoreSide<Position> {
  readonly writer: Writer;
  readonly position: (probe: string, epoch: bigint, partition: number) => Promise<Position>;
}

/** The side that has the store. One flush is written at a time; the one before is given up when another comes. */
export class StoreServer<Position> {
  private atHand: { readonly number: number; readonly flush: Flush } | null = null;

  constructor(
    private readonly store: StoreSide<Position>,
    private readonly post: (answer: StoreAnswer<Position>) => void,
  ) {}

  /** Answer a question. Never rejects. */
  async hear(call: StoreCall): Promise<void> {
    const { number } = call;
    try {
      const position = await this.done(call);
      this.post({ kind: 'answer', number, error: null, position });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.post({ kind: 'answer', number, error: text, position: null });
    }
  }

  private async done(call: StoreCall): Promise<Position | null> {
    if (call.kind === 'position') return this.store.position(call.probe, call.epoch, call.partition);
    if (call.kind === 'write') this.atHand = call;
    const { atHand } = this;
    if (atHand?.number !== call.number) throw new Error('a flush that was given up cannot be written again');
    await this.store.writer.write(atHand.flush);
    if (this.atHand === atHand) this.atHand = null;
    return null;
  }
}
