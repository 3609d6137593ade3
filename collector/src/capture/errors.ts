/** What can keep a capture from being opened. `docs` and the command line show the message as it is: one line. */
export const captureErrorCodes = [
  'NS_CAPTURE_NOT_FOUND',
  'NS_CAPTURE_IS_DIRECTORY',
  'NS_CAPTURE_NO_PERMISSION',
  'NS_CAPTURE_TOO_MANY_OPEN',
  'NS_CAPTURE_NOT_READABLE',
  'NS_CAPTURE_NO_INTERFACE',
  'NS_CAPTURE_NO_MEMORY',
  'NS_CAPTURE_NOT_SUPPORTED',
  'NS_CAPTURE_FILTER',
] as const;

/** One of captureErrorCodes. */
export type CaptureErrorCode = (typeof captureErrorCodes)[number];

/** A capture could not be opened: a code that stays, and one line that says what to do. The cause is kept. */
export class CaptureError extends Error {
  readonly code: CaptureErrorCode;

  constructor(code: CaptureErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CaptureError';
    this.code = code;
  }
}

/** The CaptureError for a failed system call on `name`. */
export function captureErrorFrom(name: string, cause: unknown): CaptureError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new CaptureError('NS_CAPTURE_NOT_FOUND', `${name}: no such file; check the path`, cause);
    case 'EISDIR':
      return new CaptureError('NS_CAPTURE_IS_DIRECTORY', `${name} is a directory; name a capture file in it`, cause);
    case 'EACCES':
    case 'EPERM':
      return new CaptureError(
        'NS_CAPTURE_NO_PERMISSION',
        `${name}: no permission to read it; change its mode (chmod) or run as a user who may`,
        cause,
      );
    case 'EMFILE':
    case 'ENFILE':
      return new CaptureError(
        'NS_CAPTURE_TOO_MANY_OPEN',
        `${name}: too many open files; raise the limit (ulimit -n) or read fewer files at once`,
        cause,
      );
    default:
      return new CaptureError(
        'NS_CAPTURE_NOT_READABLE',
        `${name} cannot be read (${code === '' ? 'unknown error' : code}); check the file and its disk`,
        cause,
      );
  }
}
