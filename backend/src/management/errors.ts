/** What can go wrong with a change, besides the store. */

/** Nothing with this id (any more). */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
}

/** Somebody else changed it first, or it has another version than the caller says. */
export class VersionConflictError extends Error {
  override readonly name = 'VersionConflictError';
  /** the version it has now; null when it is gone */
  readonly current: number | null;

  constructor(current: number | null) {
    super(current === null ? 'it was deleted meanwhile' : `it is at version ${current} by now`);
    this.current = current;
  }
}

/** The store may or may not have taken the change: nobody can tell before it answers again. */
export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError';
}

/** More things than this cannot be kept. */
export class TooManyError extends Error {
  override readonly name = 'TooManyError';
}
