/** Where the API may listen: on loopback as it likes, elsewhere only with tokens and TLS. */
import { UserError } from '../../errors.js';
import type { AccessConfig } from './config.js';

const loopbackName = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

const mistake = (text: string): UserError => new UserError('NS_CONFIG_INVALID', text);

/**
 * Host and port of `host:port` or `[v6]:port`.
 * @throws UserError NS_CONFIG_INVALID when the text is none, or when others could reach an API that is open or not encrypted
 */
export function parseListen(listen: string, access: AccessConfig = {}): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65_535)) {
    throw mistake(`api.listen: "${listen}" is not host:port, for example 127.0.0.1:8080`);
  }
  if (loopbackName.test(host)) return { host, port };
  if ((access.auth ?? 'loopback-open') !== 'token') {
    throw mistake(
      `api.listen: "${host}" is reachable from other machines, so everybody needs a token: set api.auth: token`,
    );
  }
  if (!access.tls && access.insecurePlain !== true) {
    throw mistake(
      `api.listen: "${host}" is reachable from other machines, and tokens would cross the network unencrypted: set ` +
        'api.tls.cert_file and api.tls.key_file, or api.tls.insecure_plain: true where something else encrypts',
    );
  }
  return { host, port };
}
