/** PEM files for connections to servers that we are the client of: read and judged before anything is connected. */
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import { UserError } from '../errors.js';

/** Paths; absent or '' = none. */
export interface CertificateFiles {
  /** an authority to trust besides the usual ones */
  readonly caFile?: string | undefined;
  /** a client certificate and its key; neither is used without the other */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

function pem(path: string | undefined, what: string, configKey: string): Buffer | undefined {
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(
      'NS_CONFIG_NOT_FOUND',
      `cannot read ${what} ${path}: ${(error as Error).message}; check ${configKey}`,
      { cause: error },
    );
  }
}

/**
 * @param configKey section of the configuration that names the files, for people
 * @returns what an HTTPS agent takes; {} when no file is named
 * @throws UserError NS_CONFIG_NOT_FOUND, NS_CONFIG_INVALID
 */
export function clientCertificates(
  files: CertificateFiles,
  configKey: string,
): Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> {
  const ca = pem(files.caFile, 'the authority file', configKey);
  const cert = pem(files.certFile, 'the certificate', configKey);
  const key = pem(files.keyFile, 'the key', configKey);
  const pems = { ...(ca && { ca: [...rootCertificates, ca] }), ...(cert && key && { cert, key }) };
  try {
    createSecureContext(pems);
  } catch (error) {
    throw new UserError(
      'NS_CONFIG_INVALID',
      `the certificates cannot be used (${(error as Error).message}); check ${configKey}`,
      { cause: error },
    );
  }
  return pems;
}
