/** Sends samples to VictoriaMetrics' import API: one request at a time, answers judged, nothing of them trusted. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { clientCertificates } from '../client-certificates.js';
import type { CertificateFiles } from '../client-certificates.js';

export interface ImportTarget {
  /** http://host:8428, or with a path: http://host:8480/insert/0/prometheus */
  readonly url: string;
  /** basic authentication; '' = none */
  readonly user: string;
  readonly password: string;
  /** bearer token; '' = none */
  readonly token: string;
  readonly tls: CertificateFiles;
}

/** `sent`: taken. `refused`: this body will never be taken. `away`: may be taken later. */
export interface ImportResult {
  readonly outcome: 'sent' | 'refused' | 'away';
  /** one line; '' when sent */
  readonly detail: string;
}

export interface ImportClient {
  /** scheme, host and port, for people */
  readonly location: string;
  /** @param body gzipped text in the Prometheus format. Never rejects. */
  send(body: Uint8Array, signal: AbortSignal): Promise<ImportResult>;
  close(): void;
}

const requestMs = 30_000;
/** What is read of an answer at most. */
const answerBytesMax = 4_096;
const saidMax = 200;
/** These say that the body is wrong; everything else may be mended on the other side (credentials, paths, load). */
const refusals = new Set([400, 413, 415, 422]);

/** @throws UserError NS_CONFIG_NOT_FOUND, NS_CONFIG_INVALID: a PEM file */
export function createImportClient(target: ImportTarget): ImportClient {
  const url = new URL(`${target.url.replace(/\/+$/, '')}/api/v1/import/prometheus`);
  const secure = url.protocol === 'https:';
  const agent = secure
    ? new HttpsAgent({
        keepAlive: true,
        maxSockets: 1,
        ...clientCertificates(target.tls, 'storage.victoria_metrics.tls'),
      })
    : new HttpAgent({ keepAlive: true, maxSockets: 1 });
  const credentials =
    target.token !== ''
      ? `Bearer ${target.token}`
      : target.user !== ''
        ? `Basic ${Buffer.from(`${target.user}:${target.password}`).toString('base64')}`
        : '';
  const headers = {
    'content-type': 'text/plain',
    'content-encoding': 'gzip',
    ...(credentials !== '' && { authorization: credentials }),
  };
  const away = (reason: string): ImportResult => ({
    outcome: 'away',
    detail: `no answer from VictoriaMetrics at ${url.origin}: ${reason}; check storage.victoria_metrics`,
  });
  return {
    location: url.origin,
    send: (body, signal) =>
      new Promise((resolve) => {
        const request = (secure ? httpsRequest : httpRequest)(url, {
          method: 'POST',
          agent,
          headers: { ...headers, 'content-length': body.length },
          signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]),
        });
        request.on('error', (error: NodeJS.ErrnoException) =>
          resolve(away(error.name === 'TimeoutError' ? 'it took too long' : (error.code ?? error.message))),
        );
        request.on('response', (response) => {
          const status = response.statusCode ?? 0;
          let said = '';
          response.setEncoding('utf8');
          const end = (): void => resolve(judge(status, said, url.origin));
          response.on('data', (text: string) => {
            said += text;
            // An answer without end is not read on.
            if (said.length > answerBytesMax) response.destroy();
          });
          response.on('end', end);
          response.on('error', end);
          response.on('close', end);
        });
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

function judge(status: number, said: string, location: string): ImportResult {
  if (status >= 200 && status < 300) return { outcome: 'sent', detail: '' };
  // Control characters of a stranger's answer do not belong into a log line or an answer of ours.
  const words = said
    .slice(0, saidMax)
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim();
  const hint =
    status === 401 || status === 403
      ? 'check storage.victoria_metrics.user, password and token'
      : 'check storage.victoria_metrics.url';
  return {
    outcome: refusals.has(status) ? 'refused' : 'away',
    detail: `VictoriaMetrics at ${location} answered ${status}${words === '' ? '' : ` (${words})`}; ${hint}`,
  };
}
