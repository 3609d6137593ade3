/**
 * The calls that run now, so that a process that stops can end them. A set, and not one signal that all calls listen to: on
 * Node.js 20 a signal that lives as long as the process keeps something of every signal that was made of it.
 */
export class OpenCalls {
  readonly #controllers = new Set<AbortController>();
  #stopping = false;

  get stopping(): boolean {
    return this.#stopping;
  }

  /** A controller that `stop` aborts; give it back by `end`. */
  begin(): AbortController {
    const controller = new AbortController();
    if (this.#stopping) controller.abort();
    else this.#controllers.add(controller);
    return controller;
  }

  end(controller: AbortController): void {
    this.#controllers.delete(controller);
  }

  /** Abort all calls, and those that still come. */
  stop(): void {
    this.#stopping = true;
    for (const controller of this.#controllers) controller.abort();
    this.#controllers.clear();
  }
}
