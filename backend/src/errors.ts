/**
 * Errors that people see. Each has a stable code, an exit code for the command line, an HTTP status for the API and
 * whether trying again can help. The message is ONE line: what is wrong, where, and what to do about it; a UserError is
 * printed without a stack trace. Everything that is not a UserError is a bug of ours and keeps its stack.
 */

/** 0 done, 1 failed, 2 wrong usage (flag, filter, configuration), 3 done but the input was damaged. */
export type ExitCode = 1 | 2 | 3;

interface ErrorKind {
  readonly exitCode: ExitCode;
  /** HTTP status of the problem document */
  readonly status: number;
  /** the same call may succeed later, unchanged */
  readonly retry: boolean;
  /** what the code stands for, for the reference page */
  readonly title: string;
}

const kind = (title: string, exitCode: ExitCode, status: number, retry = false): ErrorKind => ({
  title,
  exitCode,
  status,
  retry,
});

/** Every error code of the backend; a code is never reused for another meaning. */
export const errorCatalogue = {
  NS_USAGE: kind('A flag, an argument or a combination of them is wrong', 2, 400),
  NS_CONFIG_INVALID: kind('The configuration has unknown keys or values out of bounds', 2, 400),
  NS_CONFIG_NOT_FOUND: kind('The configuration file, or a file it names for a secret, cannot be read', 2, 400),
  NS_FILTER_INVALID: kind('A filter expression cannot be understood', 2, 400),
  NS_QUERY_INVALID: kind('A query names something that does not exist or does not fit together', 2, 400),
  NS_FILE_NOT_FOUND: kind('An input file does not exist or cannot be read', 2, 404),
  NS_INPUT_UNKNOWN_FORMAT: kind('An input file is not a capture file', 2, 400),
  NS_INPUT_DAMAGED: kind('An input file is damaged; what could be read was read', 3, 422),
  NS_BUS_UNAVAILABLE: kind('The bus cannot be used: not reachable, or it refuses who we are', 1, 503, true),
  NS_PORT_IN_USE: kind('The address to listen on is taken', 1, 503),
  NS_CHDB_MISSING: kind('The embedded database is not installed', 1, 503),
  NS_DATA_DIR_IN_USE: kind('Another process has the data folder open', 1, 503, true),
  NS_DATA_DIR_UNUSABLE: kind('The data folder cannot be made, written or opened', 1, 503),
  NS_FILES_UNWRITABLE: kind('The folder of NDJSON files cannot be made or written', 1, 503, true),
  NS_SCHEMA_NEWER: kind('The data was written by a newer version', 1, 503),
  NS_SCHEMA_CHANGED: kind('A migration that was applied differs from the one in this version', 1, 503),
  NS_SCHEMA_LOCKED: kind('Another process is migrating the store', 1, 503, true),
  NS_STORE_UNAVAILABLE: kind('The store does not answer', 1, 503, true),
  NS_STORE_REJECTED: kind('The store refused a statement', 1, 500),
  NS_STORE_CLOSED: kind('The store was closed', 1, 503),
  NS_QUERY_TIMEOUT: kind('A query took longer than allowed', 1, 504),
  NS_QUERY_TOO_LARGE: kind('A query returns more rows or bytes than allowed', 1, 422),
  NS_QUERY_MEMORY: kind('A query needs more memory than allowed', 1, 422),
  NS_QUERY_ABORTED: kind('A query was cancelled by its caller', 1, 499),
} as const satisfies Record<`NS_${string}`, ErrorKind>;

export type ErrorCode = keyof typeof errorCatalogue;

/** An error with a code and one line for the user. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  readonly code: ErrorCode;

  /**
   * @param code which error
   * @param message one line: what is wrong, where, what to do (line breaks become spaces)
   * @param options cause: the error underneath, for the log
   */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message.replace(/\s*\n\s*/g, ' '), options);
    this.code = code;
  }

  get exitCode(): ExitCode {
    return errorCatalogue[this.code].exitCode;
  }

  /** HTTP status */
  get status(): number {
    return errorCatalogue[this.code].status;
  }

  /** The same call may succeed later, unchanged. */
  get retry(): boolean {
    return errorCatalogue[this.code].retry;
  }
}
