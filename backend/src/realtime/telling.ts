/**
 * What is to be told to Redis, and what of it was: the flushes of the last two minutes in order, with a bound in bytes. What was
 * sent stays until it is old, so that a Redis that comes back empty is told all of it again.
 */

export interface TellingCounters {
  /** flushes told and confirmed, each once */
  told: number;
  /** flushes given up before Redis took them: it is away or slow for too long */
  dropped: number;
  /** commands that failed: refused, or the connection broke */
  failed: number;
}

interface Entry {
  readonly text: string;
  readonly atMs: number;
  state: 'waiting' | 'under way' | 'told';
  /** it was given up, to keep a bound */
  gone: boolean;
}

export interface TellingOptions {
  readonly bytesMax: number;
  readonly ageMaxMs: number;
  /** commands under way at once */
  readonly windowMax: number;
  readonly now: () => number;
}

export class Telling {
  readonly counters: TellingCounters = { told: 0, dropped: 0, failed: 0 };
  readonly #send: (text: string) => Promise<unknown>;
  readonly #options: TellingOptions;
  readonly #entries: Entry[] = [];
  #bytes = 0;
  /** index of the entry that is sent next */
  #next = 0;
  #underWay = 0;
  #open = false;
  /** counts how often it began anew: answers of before do not count */
  #era = 0;

  /** @param send rejects when it was not taken */
  constructor(send: (text: string) => Promise<unknown>, options: TellingOptions) {
    this.#send = send;
    this.#options = options;
  }

  /** entries that wait or are under way */
  get waiting(): number {
    return this.#entries.length - this.#next + this.#underWay;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(text: string): void {
    this.#entries.push({ text, atMs: this.#options.now(), state: 'waiting', gone: false });
    this.#bytes += text.length;
    this.#trim();
    this.#pump();
  }

  /** Tell everything again from the oldest on: the other side may have lost it. */
  begin(): void {
    this.#era += 1;
    this.#open = true;
    this.#next = 0;
    this.#underWay = 0;
    this.#trim();
    this.#pump();
  }

  /** Send nothing until `begin`. */
  pause(): void {
    this.#open = false;
  }

  #trim(): void {
    const { bytesMax, ageMaxMs, now } = this.#options;
    const oldest = now() - ageMaxMs;
    let gone = 0;
    while (gone < this.#entries.length && (this.#bytes > bytesMax || this.#entries[gone]!.atMs < oldest)) {
      const entry = this.#entries[gone]!;
      this.#bytes -= entry.text.length;
      entry.gone = true;
      if (entry.state === 'waiting') this.counters.dropped += 1;
      gone += 1;
    }
    if (gone === 0) return;
    this.#entries.splice(0, gone);
    this.#next = Math.max(0, this.#next - gone);
  }

  #pump(): void {
    while (this.#open && this.#underWay < this.#options.windowMax && this.#next < this.#entries.length) {
      const entry = this.#entries[this.#next]!;
      const era = this.#era;
      this.#next += 1;
      this.#underWay += 1;
      if (entry.state !== 'told') entry.state = 'under way';
      this.#send(entry.text).then(
        () => {
          if (entry.state !== 'told') this.counters.told += 1;
          entry.state = 'told';
          this.#ended(era);
        },
        () => {
          // When the connection broke, `begin` will send it again.
          if (entry.state === 'under way') {
            entry.state = 'waiting';
            if (entry.gone) this.counters.dropped += 1;
          }
          this.#ended(era);
        },
      );
    }
  }

  #ended(era: number): void {
    if (era !== this.#era) return;
    this.#underWay -= 1;
    this.#pump();
  }
}
