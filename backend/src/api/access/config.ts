/** How the API is guarded. */
import type { GrantedRole } from '../../management/index.js';

/**
 * - `loopback-open`: who comes over loopback needs no token and may do what an editor may; everything else needs one.
 * - `token`: everybody needs a token (or a certificate with a role).
 */
export const authModes = ['loopback-open', 'token'] as const;
export type AuthMode = (typeof authModes)[number];

export const clientCertificateModes = ['none', 'optional', 'required'] as const;

/** A name in a client certificate and what its holder may do. */
export interface CertificateRole {
  /** `CN:name`, `DNS:name`, `URI:name` or `EMAIL:name`, compared whole */
  readonly match: string;
  readonly role: GrantedRole;
}

/** PEM files; read at the start and again when they change. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  /** authority of client certificates */
  readonly clientCaFile?: string;
  readonly clientCertificate?: (typeof clientCertificateModes)[number];
  readonly clientRoles?: readonly CertificateRole[];
  /** how often the files are looked at, milliseconds */
  readonly watchMs?: number;
}

export interface AccessConfig {
  readonly auth?: AuthMode;
  /** a token that is an administrator's; '' or absent: none */
  readonly adminToken?: string;
  /** this process's own token, to look at itself with as a viewer; known to nobody else and never stored */
  readonly ownToken?: string;
  /** CIDR networks of proxies whose X-Forwarded-For counts */
  readonly trustedProxies?: readonly string[];
  /** wrong credentials of an address in a minute before 429 */
  readonly failuresPerMinute?: number;
  readonly tls?: TlsConfig;
  /** listen on more than loopback without TLS */
  readonly insecurePlain?: boolean;
}
