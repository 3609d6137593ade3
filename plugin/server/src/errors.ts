/** What can go wrong, once: the status a query or resource call gets, and whose fault Grafana's statistics shall count. */

const kinds = {
  /** the datasource is configured wrongly */
  config: { status: 400, source: 'downstream' },
  /** the query is wrong */
  query: { status: 400, source: 'downstream' },
  forbidden: { status: 403, source: 'plugin' },
  'not-found': { status: 404, source: 'plugin' },
  method: { status: 405, source: 'plugin' },
  'too-large': { status: 413, source: 'plugin' },
  /** more at once than this datasource may */
  overloaded: { status: 429, source: 'plugin' },
  cancelled: { status: 499, source: 'downstream' },
  /** a mistake of ours */
  internal: { status: 500, source: 'plugin' },
  /** the API cannot be reached, or answers what an API would not */
  unreachable: { status: 502, source: 'downstream' },
  timeout: { status: 504, source: 'downstream' },
} as const;

export type ErrorKind = keyof typeof kinds;
export type ErrorSource = 'plugin' | 'downstream';

/** An error whose message is one line for the user, without secrets. */
export class PluginError extends Error {
  readonly kind: ErrorKind;
  readonly status: number;
  readonly source: ErrorSource;

  /** @param status of the API, where it is known better than by the kind */
  constructor(kind: ErrorKind, message: string, options: { readonly cause?: unknown; readonly status?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PluginError';
    this.kind = kind;
    this.status = options.status ?? kinds[kind].status;
    this.source = kinds[kind].source;
  }
}

/** Anything thrown as a PluginError; what was not planned shows no text of its own to users. */
export function pluginErrorOf(error: unknown): PluginError {
  if (error instanceof PluginError) return error;
  return new PluginError('internal', 'something failed in the datasource; the log of Grafana says more', {
    cause: error,
  });
}
