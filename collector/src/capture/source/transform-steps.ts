import type { Transform } from 'node:stream';

/** Told once when a compressed stream ends early: the sentence, without place. */
export type StreamFault = (message: string) => void;

/** Runs a zlib stream step by step, so that a failure can be pinned to a step and costs only that step's output. */
export class TransformSteps {
  failure: Error | undefined;
  /** The stream found its end; what follows is not read (zlib takes zero bytes after a member for padding). */
  private ended = false;
  private readonly transform: Transform;
  private output: Uint8Array[] = [];
  private wake: () => void = () => undefined;

  constructor(transform: Transform) {
    this.transform = transform;
    transform.on('data', (data: Uint8Array) => this.output.push(data));
    transform.on('error', (error: Error) => {
      this.failure = error;
      this.wake();
    });
    transform.on('end', () => {
      this.ended = true;
      this.wake();
    });
  }

  /** Run one step; returns what it put out. A failure stands in `failure`. */
  async step(input: Uint8Array): Promise<Uint8Array[]> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      if (this.ended) resolve();
      else this.transform.write(input, () => resolve());
    });
    return this.drain();
  }

  /** No more input: fails when the stream is not whole. */
  async end(): Promise<Uint8Array[]> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      if (this.ended) resolve();
      else this.transform.end();
    });
    return this.drain();
  }

  close(): void {
    this.transform.destroy();
  }

  private drain(): Uint8Array[] {
    const output = this.output;
    this.output = [];
    return output;
  }
}
