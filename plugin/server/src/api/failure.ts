/** Why a request to the API failed, as one line that tells what to look at. Never with a header or a body in it. */
import { PluginError } from '../errors.js';
import type { ErrorKind } from '../errors.js';

/** Codes of Node.js, OpenSSL and undici, from the most to the least exact. */
const reasons: readonly (readonly [RegExp, (where: string) => string, ErrorKind?])[] = [
  [/^(ENOTFOUND|EAI_AGAIN|EAI_NODATA|EAI_NONAME)$/, (at) => `the name of ${at} cannot be found (DNS)`],
  [
    /^ECONNREFUSED$/,
    (at) => `nothing listens at ${at} (connection refused); is NetSpectra running, is the port right?`,
  ],
  [/^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EACCES|EPERM)$/, (at) => `there is no way to ${at} (network or firewall)`],
  [/^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/, (at) => `${at} does not answer; is a firewall between?`, 'timeout'],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE)$/,
    (at) => `TLS: the certificate of ${at} is not of a known authority; set its CA certificate in the datasource`,
  ],
  [/^CERT_HAS_EXPIRED$/, (at) => `TLS: the certificate of ${at} has expired`],
  [/^CERT_NOT_YET_VALID$/, (at) => `TLS: the certificate of ${at} is not valid yet; look at the clocks`],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    (at) => `TLS: the certificate is not for ${at}; set the URL or the server name to one it names`,
  ],
  [
    /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|ALERT_UNKNOWN_CA|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED/,
    (at) => `TLS: ${at} wants a client certificate, or does not accept the one that is set`,
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/,
    (at) => `TLS: ${at} does not speak TLS; use http:// or another port`,
  ],
  [/^(ERR_OSSL|ERR_SSL|EPROTO)/, (at) => `TLS with ${at} failed`],
  [/^HPE_|^UND_ERR_(INVALID|HTTP_PARSER)/, (at) => `${at} does not speak HTTP; is it https://, or another service?`],
  [/^UND_ERR_(HEADERS|BODY)_TIMEOUT$/, (at) => `${at} took too long to answer`, 'timeout'],
  [
    /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/,
    (at) => `${at} closed the connection; does it speak https://, does it want a client certificate?`,
  ],
];

function* codesOf(error: unknown): Generator<string> {
  for (let at = error, depth = 0; at !== undefined && at !== null && depth < 5; depth += 1) {
    const { code, cause, errors, name, reason, library } = at as Record<string, unknown>;
    if (name === 'HTTPParserError') yield 'HPE_INVALID';
    if (typeof code === 'string') yield code;
    if (typeof library === 'string' && typeof reason === 'string') yield reason.toUpperCase().replace(/[^A-Z]+/g, '_');
    if (Array.isArray(errors)) for (const each of errors) yield* codesOf(each);
    at = cause;
  }
}

/**
 * What a thrown error means.
 * @param where host and port, for the text
 * @param signal of the request: whoever aborted it is no failure of the API
 * @param timeoutMs time after which the request was given up
 */
export function failureOf(error: unknown, where: string, signal: AbortSignal, timeoutMs: number): PluginError {
  if (error instanceof PluginError) return error;
  if (signal.aborted) {
    const timedOut = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
    return timedOut
      ? new PluginError('timeout', `${where} did not answer within ${Math.round(timeoutMs / 1000)} s`, { cause: error })
      : new PluginError('cancelled', 'the request was cancelled', { cause: error });
  }
  const codes = [...codesOf(error)];
  for (const [pattern, text, kind = 'unreachable'] of reasons) {
    if (codes.some((code) => pattern.test(code))) return new PluginError(kind, text(where), { cause: error });
  }
  return new PluginError('unreachable', `the request to ${where} failed`, { cause: error });
}

const plain = (text: unknown): string | undefined =>
  typeof text === 'string' ? text.replace(/\s+/g, ' ').slice(0, 1_000) : undefined;

/** What an answer other than 2xx means. @param document its body, if that was JSON */
export function refusalOf(status: number, document: unknown, where: string): PluginError {
  const { detail, title } = (typeof document === 'object' && document !== null ? document : {}) as Record<
    string,
    unknown
  >;
  const said = plain(detail) ?? plain(title);
  if (status === 401) {
    return new PluginError('config', `the API does not accept the token: ${said ?? 'set one in the datasource'}`, {
      status: 502,
    });
  }
  if (said === undefined) {
    return new PluginError('unreachable', `${where} answered ${status}, and not as NetSpectra does; is the URL right?`);
  }
  if (status === 403) return new PluginError('forbidden', said);
  if (status === 503 || status === 429) return new PluginError('overloaded', said, { status });
  if (status === 504) return new PluginError('timeout', said);
  if (status >= 500) return new PluginError('unreachable', said);
  return new PluginError('query', said, { status });
}
