/**
 * A bound on what runs at once, with a bounded line of those who wait, shared fairly between clients: the next free
 * place goes to the client that was served longest ago (round robin), and one client has at most so many of the places
 * and of the line. Past the bounds `run` rejects at once: an API that lets queries pile up answers none of them.
 */
import { ApiError } from './problem.js';

interface Waiter {
  start(): void;
}

interface Client {
  running: number;
  readonly waiting: Waiter[];
}

export interface FairQueueLimits {
  /** tasks at once, from 1 */
  readonly runningMax: number;
  /** tasks of one client at once */
  readonly runningPerClientMax: number;
  /** tasks that may wait */
  readonly waitingMax: number;
  /** tasks of one client that may wait */
  readonly waitingPerClientMax: number;
}

/** So many queries may wait for each that runs, but at least so many. */
const waitingPerRunning = 10;
const waitingLeast = 64;

/** The limits that follow from how many may run: a client has at most three quarters of the places and of the line. */
export function fairQueueLimits(runningMax: number): FairQueueLimits {
  const waitingMax = Math.max(waitingLeast, runningMax * waitingPerRunning);
  return {
    runningMax,
    runningPerClientMax: Math.ceil(runningMax * 0.75),
    waitingMax,
    waitingPerClientMax: Math.ceil(waitingMax * 0.75),
  };
}

export class FairQueue {
  readonly limits: FairQueueLimits;
  #running = 0;
  #queued = 0;
  /** clients with tasks, those served longest ago first; a client without tasks is forgotten */
  readonly #clients = new Map<string, Client>();

  constructor(limits: FairQueueLimits) {
    this.limits = limits;
  }

  /** Tasks that run now. */
  get active(): number {
    return this.#running;
  }

  /** Tasks that wait now. */
  get queued(): number {
    return this.#queued;
  }

  /** Clients that have a task here. */
  get clients(): number {
    return this.#clients.size;
  }

  /**
   * Run the task when there is room.
   * Rejects with `overloaded` when the line is full and with `cancelled` when the signal aborts while waiting.
   * @param name of the client the task is for
   */
  async run<T>(name: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    if (signal.aborted) throw new ApiError('cancelled', 'the request was cancelled');
    const client = this.#client(name);
    if (this.#running < this.limits.runningMax && client.running < this.limits.runningPerClientMax) {
      this.#start(name, client);
    } else {
      await this.#wait(name, client, signal);
    }
    try {
      return await task();
    } finally {
      this.#running -= 1;
      client.running -= 1;
      this.#forget(name, client);
      this.#startNext();
    }
  }

  #client(name: string): Client {
    const known = this.#clients.get(name);
    if (known) return known;
    const client: Client = { running: 0, waiting: [] };
    this.#clients.set(name, client);
    return client;
  }

  #start(name: string, client: Client): void {
    this.#running += 1;
    client.running += 1;
    // To the end of the map's order: served last.
    this.#clients.delete(name);
    this.#clients.set(name, client);
  }

  #forget(name: string, client: Client): void {
    if (client.running === 0 && client.waiting.length === 0) this.#clients.delete(name);
  }

  #startNext(): void {
    if (this.#running >= this.limits.runningMax) return;
    for (const [name, client] of this.#clients) {
      if (client.waiting.length === 0 || client.running >= this.limits.runningPerClientMax) continue;
      const next = client.waiting.shift();
      this.#queued -= 1;
      this.#start(name, client);
      next?.start();
      return;
    }
  }

  #wait(name: string, client: Client, signal: AbortSignal): Promise<void> {
    const { waitingMax, waitingPerClientMax } = this.limits;
    if (this.#queued >= waitingMax || client.waiting.length >= waitingPerClientMax) {
      this.#forget(name, client);
      const whose = this.#queued >= waitingMax ? '' : ' of this client';
      return Promise.reject(
        new ApiError('overloaded', `${this.#running} queries run and too many${whose} wait; try again later`),
      );
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        client.waiting.splice(client.waiting.indexOf(waiter), 1);
        this.#queued -= 1;
        this.#forget(name, client);
        reject(new ApiError('cancelled', 'the request was cancelled'));
      };
      const waiter: Waiter = {
        start: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      client.waiting.push(waiter);
      this.#queued += 1;
    });
  }
}
