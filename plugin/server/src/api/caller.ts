/** Headers that say for whom a request is: the Grafana user for the audit, the user's own OAuth token where that is wanted. */
import type { PluginContext } from '../rpc/messages.js';
import type { ApiClient } from './client.js';

const userName = /^[\x20-\x7e]{1,128}$/;
const credential = /^[\x20-\x7e]{1,16384}$/;

/** @param given headers of the call, in any case */
export function callerHeaders(
  client: ApiClient,
  context: PluginContext | null,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const headers: Record<string, string> = {};
  const login = context?.user?.login ?? '';
  if (userName.test(login)) headers['x-grafana-user'] = login;
  if (!client.oauthPassThru) return headers;
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase().replace(/^http_/, '');
    if ((lower === 'authorization' || lower === 'x-id-token') && credential.test(value)) headers[lower] = value;
  }
  return headers;
}
