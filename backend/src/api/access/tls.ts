/**
 * TLS of the API: certificate, key and client authority from PEM files, TLS 1.2 at least, read again when a file changes
 * or on SIGHUP. New connections get the new certificate; a pair that does not fit is refused, told, and the old one stays.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Server, ServerOptions } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { FastifyBaseLogger } from 'fastify';
import { UserError } from '../../errors.js';
import type { TlsConfig } from './config.js';

const watchMsDefault = 10_000;

function read(path: string, key: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError('NS_CONFIG_NOT_FOUND', `api.tls.${key}: cannot read ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Options for a TLS server.
 * @throws UserError NS_CONFIG_NOT_FOUND, NS_CONFIG_INVALID (not PEM, or key and certificate do not belong together)
 */
export function readTls(config: TlsConfig): ServerOptions {
  const cert = read(config.certFile, 'cert_file');
  const key = read(config.keyFile, 'key_file');
  const ca = config.clientCaFile ? read(config.clientCaFile, 'client_ca_file') : undefined;
  const mode = config.clientCertificate ?? 'none';
  const invalid = (what: string, error: unknown): UserError =>
    new UserError('NS_CONFIG_INVALID', `api.tls: ${what} (${(error as Error).message})`, { cause: error });
  try {
    const certificate = new X509Certificate(cert);
    if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('they do not belong together');
  } catch (error) {
    throw invalid(`${config.certFile} and ${config.keyFile} are no certificate and its key in PEM`, error);
  }
  const options: ServerOptions = {
    cert,
    key,
    minVersion: 'TLSv1.2',
    requestCert: mode !== 'none',
    rejectUnauthorized: mode === 'required',
    ...(ca ? { ca } : {}),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw invalid('the files cannot be used', error);
  }
  return options;
}

/** What changes when a file is replaced, also through a symbolic link. */
function stampOf(config: TlsConfig): string {
  return [config.certFile, config.keyFile, config.clientCaFile ?? '']
    .map((path) => {
      if (path === '') return '';
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat ? `${stat.ino}:${stat.size}:${stat.mtimeMs}` : 'gone';
    })
    .join(' ');
}

/** Give the server new certificates when files change or the process gets SIGHUP. @returns stops watching */
export function watchTls(server: Server, config: TlsConfig, logger: FastifyBaseLogger): () => void {
  let stamp = stampOf(config);
  const reload = (): void => {
    try {
      const { cert, key, ca, minVersion } = readTls(config);
      server.setSecureContext({ cert, key, minVersion, ...(ca === undefined ? {} : { ca }) });
      logger.info({ file: config.certFile }, 'TLS certificate read again');
    } catch (error) {
      logger.error({ err: error }, 'the new TLS files are not used; the certificate of before stays');
    }
  };
  const timer = setInterval(() => {
    const now = stampOf(config);
    if (now === stamp) return;
    stamp = now;
    reload();
  }, config.watchMs ?? watchMsDefault).unref();
  process.on('SIGHUP', reload);
  return () => {
    clearInterval(timer);
    process.off('SIGHUP', reload);
  };
}
