/** Engine processes of a test's cluster. */
import type { ChildProcess } from 'node:child_process';
import type { Random } from '../../scripts/lib/random.js';
import { start } from '../integration/process.js';
import type { Started } from '../integration/process.js';

/** Engines as an administrator's supervisor keeps them: so many, one that ended is started again. */
export class Engines {
  /** everything they said, of those that ended too */
  readonly said: (() => string)[] = [];
  private readonly running = new Set<Started>();
  private wanted = 0;

  constructor(private readonly configuration: string) {}

  want(count: number): void {
    this.wanted = count;
    while (this.running.size < this.wanted) this.launch();
    for (const { child } of [...this.running].slice(this.wanted)) child.kill('SIGTERM');
  }

  /** Tell one of them. */
  signal(dice: Random, signal: NodeJS.Signals): ChildProcess {
    const { child } = dice.pick([...this.running]);
    child.kill(signal);
    return child;
  }

  /** Everyone ends, and nobody comes. @returns exit codes */
  async close(signal: NodeJS.Signals): Promise<(number | null)[]> {
    this.wanted = 0;
    const all = [...this.running];
    for (const { child } of all) child.kill(signal);
    return (await Promise.all(all.map(({ ended }) => ended))).map(({ code }) => code);
  }

  private launch(): void {
    const one = start(['engine', '--config', this.configuration]);
    this.running.add(one);
    this.said.push(one.stderr);
    void one.ended.then(() => {
      this.running.delete(one);
      if (this.running.size < this.wanted) this.launch();
    });
  }
}
