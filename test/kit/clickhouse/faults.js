// @ts-check
/**
 * What a test wants to go wrong, and what a test wants to have seen: a queue of faults, each for the next request whose
 * statement contains its words, and the last requests.
 *
 * @typedef {object} Fault
 * @property {string} [match] only for a statement that contains this text
 * @property {'before' | 'during' | 'after'} [drop] break the connection: before the statement runs, while it runs (the
 *   engine goes on), or when it is done and its answer is lost
 * @property {string} [instead] run this statement, with the request's settings (one that never ends, say)
 * @property {number} [status] answer this instead of running the statement
 * @property {string} [body] with this text
 *
 * @typedef {object} Seen
 * @property {string} method
 * @property {string} url path and query
 * @property {string} statement without the rows
 * @property {Record<string, string>} headers
 */

const seenMax = 1000;

export class Faults {
  constructor() {
    /** @type {Fault[]} */
    this.queue = [];
    /** @type {Seen[]} */
    this.seen = [];
  }

  /** @param {Seen} request */
  note(request) {
    this.seen.push(request);
    if (this.seen.length > seenMax) this.seen.shift();
  }

  /**
   * The fault for this statement, taken out of the queue.
   * @param {string} statement
   */
  take(statement) {
    const at = this.queue.findIndex(({ match }) => match === undefined || statement.includes(match));
    return at < 0 ? undefined : this.queue.splice(at, 1)[0];
  }
}
