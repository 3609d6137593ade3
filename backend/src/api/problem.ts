/**
 * Errors as RFC 9457 problem details (`application/problem+json`). Every failure of the API leaves through
 * `problemOf`, so nothing else decides what a client sees: a type, a title, a status, one sentence, and where the
 * mistake sits. Stack traces and messages of unexpected errors go to the log only.
 */

/** Where in the request a mistake sits (RFC 9457 section 3, the `errors` extension of its example). */
export interface ProblemError {
  /** JSON pointer as a URI fragment: `#/queries/0/filter`; for a query string, `#/<parameter>` */
  readonly pointer: string;
  /** one sentence for people, with what to do where that is known */
  readonly detail: string;
  /** where in a text value (a filter) the mistake sits: offset and length in UTF-16 units, line and column from 1 */
  readonly position?: { offset: number; length: number; line: number; column: number };
  /** what was probably meant */
  readonly suggestion?: string;
}

/** The document that a client receives. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly request_id: string;
  readonly errors?: readonly ProblemError[];
}

/** Every kind of problem this API answers with: its status, its title, and whether trying again can help. */
export const problemKinds = {
  validation: { status: 400, title: 'The request is not valid', retry: false },
  filter: { status: 400, title: 'The filter is not valid', retry: false },
  query: { status: 400, title: 'The query cannot be answered', retry: false },
  malformed: { status: 400, title: 'The request could not be read', retry: false },
  unauthorized: { status: 401, title: 'Who are you', retry: false },
  forbidden: { status: 403, title: 'You may not do this', retry: false },
  'not-found': { status: 404, title: 'There is nothing at this address', retry: false },
  'method-not-allowed': { status: 405, title: 'This address does not know the method', retry: false },
  'not-acceptable': { status: 406, title: 'The answer has no such form', retry: false },
  'request-timeout': { status: 408, title: 'The request came too slowly', retry: true },
  conflict: { status: 409, title: 'What is there stands in the way', retry: false },
  'precondition-failed': { status: 412, title: 'Somebody else changed it', retry: false },
  'precondition-required': { status: 428, title: 'The version to change is missing', retry: false },
  'rate-limited': { status: 429, title: 'Too many wrong tokens', retry: true },
  'too-large': { status: 413, title: 'The request body is too large', retry: false },
  'media-type': { status: 415, title: 'The body must be JSON', retry: false },
  'uri-too-long': { status: 414, title: 'The address is too long', retry: false },
  'headers-too-large': { status: 431, title: 'The request headers are too large', retry: false },
  misdirected: { status: 421, title: 'This host name is not served here', retry: false },
  'too-much-data': { status: 422, title: 'The query needs more than its limits allow', retry: false },
  overloaded: { status: 503, title: 'Too many queries are running', retry: true },
  unavailable: { status: 503, title: 'The store cannot answer', retry: true },
  timeout: { status: 504, title: 'The query took too long', retry: true },
  cancelled: { status: 499, title: 'The client went away', retry: true },
  internal: { status: 500, title: 'The server failed', retry: false },
} as const;

export type ProblemKind = keyof typeof problemKinds;

/** A failure with a known kind; thrown by routes and by the planner, turned into a problem in one place. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly kind: ProblemKind;
  readonly errors: readonly ProblemError[];

  /** @param detail one sentence for people, safe to show */
  constructor(kind: ProblemKind, detail: string, errors: readonly ProblemError[] = [], cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.errors = errors;
  }

  /** HTTP status of this kind. */
  get status(): number {
    return problemKinds[this.kind].status;
  }

  /** The same mistake, seen from further out: `prefix` is put before every pointer (`#/queries/0`). */
  under(prefix: string): ApiError {
    const errors = this.errors.map((error) => ({ ...error, pointer: prefix + error.pointer.slice(1) }));
    return new ApiError(this.kind, this.message, errors, this.cause);
  }
}

/** A mistake in one place of the request. */
export const invalid = (pointer: string, detail: string, suggestion?: string): ApiError =>
  new ApiError('validation', detail, [{ pointer, detail, ...(suggestion === undefined ? {} : { suggestion }) }]);

/** More mistakes than this are not listed: the first ones show what is wrong. */
const errorsMax = 20;

/** The problem document of a kind. */
export const problem = (
  kind: ProblemKind,
  detail: string,
  requestId: string,
  errors: readonly ProblemError[] = [],
): Problem => ({
  type: `urn:netspectra:problem:${kind}`,
  title: problemKinds[kind].title,
  status: problemKinds[kind].status,
  detail,
  request_id: requestId,
  ...(errors.length > 0 ? { errors: errors.slice(0, errorsMax) } : {}),
});

interface AjvIssue {
  readonly instancePath: string;
  readonly keyword: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const describeIssue = (issue: AjvIssue): ProblemError => {
  const at = `#${issue.instancePath}`;
  const { keyword, params } = issue;
  if (keyword === 'required') {
    const name = String(params['missingProperty']);
    return { pointer: `${at}/${name}`, detail: `${name} is missing` };
  }
  if (keyword === 'additionalProperties') {
    const name = String(params['additionalProperty']);
    return {
      pointer: `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      detail: 'this key is not known here',
    };
  }
  if (keyword === 'enum') {
    const allowed = params['allowedValues'];
    return { pointer: at, detail: `must be one of: ${Array.isArray(allowed) ? allowed.join(', ') : ''}` };
  }
  if (keyword === 'const') return { pointer: at, detail: `must be ${JSON.stringify(params['allowedValue'])}` };
  return { pointer: at, detail: issue.message ?? 'is not valid' };
};

const isIssues = (value: unknown): value is AjvIssue[] =>
  Array.isArray(value) && value.every((issue) => typeof (issue as AjvIssue | null)?.instancePath === 'string');

/** Ajv's issues as problem errors; alternatives of one place become one line. */
const describeIssues = (issues: readonly AjvIssue[]): ProblemError[] => {
  const byPointer = new Map<string, ProblemError>();
  for (const issue of issues) {
    if (issue.keyword === 'anyOf') continue;
    const described = describeIssue(issue);
    const known = byPointer.get(described.pointer);
    if (!known) byPointer.set(described.pointer, described);
    else if (!known.detail.includes(described.detail)) {
      byPointer.set(described.pointer, { pointer: known.pointer, detail: `${known.detail}, or ${described.detail}` });
    }
  }
  return [...byPointer.values()];
};

const fastifyKinds: Readonly<Record<string, ProblemKind>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'media-type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed',
  FST_ERR_MAX_PARAM_LENGTH: 'uri-too-long',
  FST_ERR_BAD_URL: 'malformed',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
};

const details: Partial<Record<ProblemKind, string>> = {
  'too-large': 'the body is larger than this server accepts',
  'media-type': 'send the body as content-type application/json',
  malformed: 'the body is not valid JSON',
  'request-timeout': 'the request was not complete in time',
  'headers-too-large': 'request line and headers are larger than this server accepts',
};

/**
 * What to tell the client about an error, and whether the error is one of ours that belongs in the log.
 * Never repeats the message of an unexpected error: it may hold paths, SQL or captured bytes.
 */
export function problemOf(error: unknown, requestId: string): { problem: Problem; unexpected: boolean } {
  if (error instanceof ApiError) {
    return { problem: problem(error.kind, error.message, requestId, error.errors), unexpected: error.status === 500 };
  }
  const known = error as { code?: unknown; statusCode?: unknown; validation?: unknown; validationContext?: unknown };
  if (isIssues(known?.validation)) {
    const errors = describeIssues(known.validation);
    const where =
      known.validationContext === 'querystring' ? 'query string' : String(known.validationContext ?? 'body');
    const detail = `the ${where} has ${errors.length === 1 ? 'a mistake' : `${errors.length} mistakes`}`;
    return { problem: problem('validation', detail, requestId, errors), unexpected: false };
  }
  const kind = typeof known?.code === 'string' ? fastifyKinds[known.code] : undefined;
  if (kind) {
    const detail = known.code === 'FST_ERR_BAD_URL' ? 'the address is not a valid URL' : details[kind];
    return { problem: problem(kind, detail ?? problemKinds[kind].title, requestId), unexpected: false };
  }
  if (error instanceof SyntaxError && known.statusCode === 400) {
    return { problem: problem('malformed', 'the body is not valid JSON', requestId), unexpected: false };
  }
  if (typeof known?.statusCode === 'number' && known.statusCode >= 400 && known.statusCode < 500) {
    return { problem: problem('malformed', 'the request could not be read', requestId), unexpected: false };
  }
  return {
    problem: problem('internal', `something failed here; the log of the server names it under ${requestId}`, requestId),
    unexpected: true,
  };
}
