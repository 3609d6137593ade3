/** Engines as they are heard over the bus: each tells once in a while how it is, and who is silent for too long is gone. */
import { formatBeat, parseBeat } from './beat.js';
import { engineTtlSeconds } from './state.js';
import type { EngineBeat } from './state.js';

/** What is needed of the bus. */
export interface BeatBus {
  send(subject: string, bytes: Uint8Array): void;
  listen(subject: string, heard: (subject: string, bytes: Uint8Array) => void): () => void;
}

const prefix = 'netspectra.live.engine.';
const beatBytesMax = 16 * 1024;
const enginesMax = 1_024;

/** Tell everybody who listens. The id of the beat is one of the bus: letters, digits, `-` and `_`. */
export function sendBeat(bus: BeatBus, beat: EngineBeat): void {
  bus.send(prefix + beat.id, new TextEncoder().encode(formatBeat(beat)));
}

export class HeardEngines {
  /** messages that were not taken: too large, not understood, in another's name, or of more engines than are kept in mind */
  refused = 0;
  private readonly heard = new Map<string, { readonly beat: EngineBeat; readonly atMs: number }>();
  private readonly now: () => number;
  private readonly unhear: () => void;

  /** @param now milliseconds */
  constructor(bus: BeatBus, now: () => number = Date.now) {
    this.now = now;
    this.unhear = bus.listen(`${prefix}>`, (subject, bytes) => this.hear(subject, bytes));
  }

  /** Those that were heard in the last seconds. */
  engines(): EngineBeat[] {
    this.forget();
    return [...this.heard.values()].map(({ beat }) => beat);
  }

  close(): void {
    this.unhear();
  }

  private hear(subject: string, bytes: Uint8Array): void {
    const beat = bytes.length > beatBytesMax ? null : parseBeat(new TextDecoder().decode(bytes));
    this.forget();
    const full = beat !== null && !this.heard.has(beat.id) && this.heard.size >= enginesMax;
    if (beat === null || full || subject !== prefix + beat.id) this.refused += 1;
    else this.heard.set(beat.id, { beat, atMs: this.now() });
  }

  private forget(): void {
    const before = this.now() - engineTtlSeconds * 1000;
    for (const [id, { atMs }] of this.heard) if (atMs < before) this.heard.delete(id);
  }
}
