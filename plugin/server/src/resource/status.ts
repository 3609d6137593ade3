/** `resources/status`: what the app's first page asks. Is the API there, is it ready, what are the limits, who is asking. */
import { bodyOf } from '../api/client.js';
import type { ApiClient } from '../api/client.js';
import { mayUse } from '../contract/routes.js';
import { pluginErrorOf } from '../errors.js';

const timeoutMs = 10_000;

/** Never rejects but for a signal: an API that is down is an answer here. */
export async function statusOf(
  client: ApiClient,
  headers: Readonly<Record<string, string>>,
  role: string,
  signal: AbortSignal,
): Promise<object> {
  const own = {
    limits: client.limits,
    role,
    may: {
      changeRules: mayUse(role, 'Editor'),
      changeCaptureRules: mayUse(role, 'Admin'),
      tokens: mayUse(role, 'Admin'),
    },
  };
  const ask = async (path: string): Promise<{ status: number; text: string }> => {
    const { status, body } = await client.open({ method: 'GET', path, headers, signal, timeoutMs });
    return { status, text: (await bodyOf(body, 1024 * 1024)).toString('utf8') };
  };
  try {
    const [health, ready] = await Promise.all([ask('/healthz'), ask('/readyz')]);
    const { version, uptime_seconds, watermarkMs } = JSON.parse(health.text) as Record<string, unknown>;
    const dependencies = ready.text.split('\n').flatMap((line) => {
      const match = /^([^:]+): (ok|warn|failed): (.*)$/.exec(line);
      return match ? [{ name: match[1], ok: match[2] === 'ok', detail: match[3] }] : [];
    });
    return {
      reachable: true,
      ready: ready.status === 200,
      version,
      uptimeSeconds: uptime_seconds,
      watermarkMs,
      dependencies,
      ...own,
    };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const error = pluginErrorOf(thrown);
    const detail =
      error.kind === 'internal' ? 'what answers there is not NetSpectra; is the URL right?' : error.message;
    return { reachable: false, ready: false, error: detail, ...own };
  }
}
