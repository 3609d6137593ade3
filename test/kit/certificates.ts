/** Certificates for tests: an authority, a server on loopback and clients, as PEM files in a folder. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface ClientCertificateOptions {
  readonly expired?: boolean;
  readonly names?: readonly { readonly type: 'dns' | 'url' | 'email'; readonly value: string }[];
}

export interface TestAuthority {
  /** path of its certificate */
  readonly ca: string;
  /** A server's certificate for 127.0.0.1, ::1 and localhost. */
  server(options?: { readonly expired?: boolean }): Promise<CertificateFiles>;
  /** A client's certificate with this common name. */
  client(commonName: string, options?: ClientCertificateOptions): Promise<CertificateFiles>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

function pem(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function keyPair(): Promise<{ keys: webcrypto.CryptoKeyPair; key: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const bytes = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { keys, key: x509.PemConverter.encode(bytes, 'PRIVATE KEY') };
}

/** Make an authority whose files stand in `folder`, under names that begin with `name`. */
export async function makeAuthority(folder: string, name = 'ca'): Promise<TestAuthority> {
  x509.cryptoProvider.set(webcrypto);
  const { keys } = await keyPair();
  const now = Date.now();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  });
  let serial = 1;
  const issue = async (subject: string, extensions: x509.Extension[], expired = false): Promise<CertificateFiles> => {
    serial += 1;
    const own = await keyPair();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial.toString(16).padStart(2, '0'),
      subject: `CN=${subject}`,
      issuer: ca.subject,
      notBefore: new Date(now - 2 * dayMs),
      notAfter: new Date(expired ? now - dayMs : now + dayMs),
      signingAlgorithm: algorithm,
      publicKey: own.keys.publicKey,
      signingKey: keys.privateKey,
      extensions,
    });
    return {
      cert: pem(folder, `${name}-${serial}.pem`, certificate.toString('pem')),
      key: pem(folder, `${name}-${serial}.key`, own.key),
    };
  };
  return {
    ca: pem(folder, `${name}.pem`, ca.toString('pem')),
    server: ({ expired = false } = {}) =>
      issue(
        'localhost',
        [
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: 'localhost' },
            { type: 'ip', value: '127.0.0.1' },
            { type: 'ip', value: '::1' },
          ]),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        ],
        expired,
      ),
    client: (commonName, { expired = false, names = [] } = {}) =>
      issue(
        commonName,
        [
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
          ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension([...names])] : []),
        ],
        expired,
      ),
  };
}
