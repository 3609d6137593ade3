/** What `up` and `api` share to guard the API: the configuration's part of it, and the first administrator's token. */
import { randomBytes } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { parseListen, parseNetwork } from '../api/index.js';
import type { AccessConfig } from '../api/index.js';
import type { Config } from '../config/index.js';
import { UserError } from '../errors.js';
import { createManagement } from '../management/index.js';
import type { Management } from '../management/index.js';
import type { Store } from '../storage/index.js';

/**
 * How the API is guarded, from the configuration.
 * @throws UserError NS_CONFIG_INVALID: a network or token that is none, or an address to listen on that needs tokens or TLS
 */
export function accessConfig({ api }: Pick<Config, 'api'>): AccessConfig {
  const { tls } = api;
  const wrong = api.trusted_proxies.find((network) => parseNetwork(network) === null);
  if (wrong !== undefined) {
    throw new UserError(
      'NS_CONFIG_INVALID',
      `api.trusted_proxies: "${wrong}" is no network, for example 10.0.0.0/8 or 2001:db8::/32`,
    );
  }
  // Not in the schema: what `config print` masks must still load.
  if (!/^$|^[A-Za-z0-9._~+/-]{16,512}=*$/.test(api.admin_token)) {
    throw new UserError(
      'NS_CONFIG_INVALID',
      'api.admin_token: expected 16 to 512 letters, digits and . _ ~ + / -, as random as "openssl rand -hex 32"',
    );
  }
  const access: AccessConfig = {
    auth: api.auth,
    adminToken: api.admin_token,
    trustedProxies: api.trusted_proxies,
    failuresPerMinute: api.failures_per_minute,
    insecurePlain: tls.insecure_plain,
    ...(tls.cert_file !== '' && {
      tls: {
        certFile: tls.cert_file,
        keyFile: tls.key_file,
        clientCertificate: tls.client_certificate,
        clientRoles: tls.client_roles,
        ...(tls.client_ca_file !== '' && { clientCaFile: tls.client_ca_file }),
      },
    }),
  };
  parseListen(api.listen, access);
  return access;
}

/** What goes into `createApi`: `createApi({ ..., management }, { ..., access })`. */
export interface ApiGuard {
  readonly management: Management;
  readonly access: AccessConfig;
  /** header with which this process may look at its own API */
  readonly ownHeaders: { readonly authorization: string };
  /**
   * At the first start that serves, make the first administrator's token and show it, once, on standard error: never in
   * the log. Nothing when `api.admin_token` is set, or when there ever was a token.
   */
  announceFirstToken(): Promise<void>;
}

/** @throws UserErrors of `accessConfig` */
export function guardApi(config: Pick<Config, 'api'>, store: Store, logger: FastifyBaseLogger): ApiGuard {
  const ownToken = randomBytes(32).toString('base64url');
  const access = { ...accessConfig(config), ownToken };
  const management = createManagement(store, { logger });
  return {
    management,
    access,
    ownHeaders: { authorization: `Bearer ${ownToken}` },
    announceFirstToken: async () => {
      if (config.api.admin_token !== '') return;
      const first = await management.tokens.createFirst();
      if (!first) return;
      logger.info({ token: first.version.id }, "the first administrator's token was made and shown on standard error");
      process.stderr.write(
        `netspectra: first start; the administrator's token, shown only now: ${first.text} (docs/access.md)\n`,
      );
    },
  };
}
