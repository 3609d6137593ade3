/**
 * CheckHealth, the "Save & test" button: from the settings to an answered query, one step after the other, and for the first
 * that fails one line that says what is wrong.
 */
import { bodyOf } from '../api/client.js';
import type { ApiClient } from '../api/client.js';
import { callerHeaders } from '../api/caller.js';
import { refusalOf } from '../api/failure.js';
import { PluginError, pluginErrorOf } from '../errors.js';
import type { InstanceCache } from '../instances/cache.js';
import type { Logger } from '../process/logger.js';
import { HealthStatus } from '../rpc/messages.js';
import type { CheckHealthRequest, CheckHealthResponse } from '../rpc/messages.js';

/** Oldest API whose answers this datasource reads. */
const versionMin = [0, 1] as const;
const healthTimeoutMs = 10_000;

const parsed = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
};

export function createHealthCheck(instances: InstanceCache, logger: Logger) {
  const ask = async (client: ApiClient, path: string, headers: Record<string, string>, signal: AbortSignal) => {
    const { status, body } = await client.open({ method: 'GET', path, headers, signal, timeoutMs: healthTimeoutMs });
    const text = (await bodyOf(body, 1024 * 1024)).toString('utf8');
    return { status, text, document: parsed(text) };
  };

  /** The API's version. Throws when something else answers there, or a version that is too old. */
  const version = async (client: ApiClient, headers: Record<string, string>, signal: AbortSignal): Promise<string> => {
    const { status, document } = await ask(client, '/healthz', headers, signal);
    const found = document?.['version'];
    if (
      status !== 200 ||
      !['ok', 'warn', 'error'].includes(String(document?.['status'])) ||
      typeof found !== 'string'
    ) {
      throw new PluginError('config', `${client.where} answers, but it is not NetSpectra; is the URL right?`);
    }
    const [major = 0, minor = 0] = found.split('.').map(Number);
    if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1])) {
      throw new PluginError(
        'config',
        `the API is version ${found}; this datasource needs ${versionMin.join('.')} or newer`,
      );
    }
    return found;
  };

  /** The role of the token, as far as the API tells: what administrators may read, others are told why not. */
  const role = async (client: ApiClient, headers: Record<string, string>, signal: AbortSignal): Promise<string> => {
    const { status, document } = await ask(client, '/api/v1/audit?limit=1', headers, signal);
    if (status === 200) return 'admin';
    return /\b(?:has|have) the role (viewer|editor)\b/.exec(String(document?.['detail']))?.[1] ?? 'unknown';
  };

  /** A question that every token may ask: does the API take the token, and can it read its store. */
  const reads = async (client: ApiClient, headers: Record<string, string>, signal: AbortSignal): Promise<string> => {
    const measures = await ask(client, '/api/v1/measures', headers, signal);
    if (measures.status !== 200) throw refusalOf(measures.status, measures.document, client.where);
    const ready = await ask(client, '/readyz', headers, signal);
    if (ready.status !== 200) {
      const failed = ready.text.split('\n').find((line) => line.includes(': failed'));
      throw new PluginError('unreachable', `the API is not ready: ${(failed ?? 'see its /readyz').slice(0, 300)}`);
    }
    return ready.text.trim();
  };

  const details = (value: object): Buffer => Buffer.from(JSON.stringify(value));

  /** Never rejects. */
  return async (request: CheckHealthRequest, signal: AbortSignal): Promise<CheckHealthResponse> => {
    try {
      const client = instances.get(request.pluginContext);
      const headers = callerHeaders(client, request.pluginContext, request.headers);
      const found = await version(client, headers, signal);
      const ready = await reads(client, headers, signal);
      const as = await role(client, headers, signal);
      const may = as === 'unknown' ? '' : as === 'viewer' ? '; it may read only (role viewer)' : ` as ${as}`;
      return {
        status: HealthStatus.Ok,
        message: `NetSpectra ${found} answers${may}`,
        jsonDetails: details({ version: found, role: as, verboseMessage: ready }),
      };
    } catch (thrown) {
      const error = pluginErrorOf(thrown);
      if (error.kind === 'internal') logger.error('the health check failed', { error: error.cause });
      const { cause } = error;
      const { code } = (cause ?? {}) as { code?: unknown };
      return {
        status: HealthStatus.Error,
        message: error.message,
        jsonDetails: details({ kind: error.kind, ...(typeof code === 'string' ? { verboseMessage: code } : {}) }),
      };
    }
  };
}
