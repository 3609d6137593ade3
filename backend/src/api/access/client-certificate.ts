/** Who a client certificate stands for: the first configured name that the certificate has. */
import { TLSSocket } from 'node:tls';
import type { Socket } from 'node:net';
import type { GrantedRole } from '../../management/index.js';
import type { CertificateRole } from './config.js';

export type CertificateCheck =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unmapped' }
  | { readonly kind: 'mapped'; readonly name: string; readonly role: GrantedRole };

const matchPattern = /^(CN|DNS|URI|EMAIL):(.{1,512})$/;

/** Whether a text is `KIND:name`. */
export const isCertificateMatch = (text: string): boolean => matchPattern.test(text);

/** Case matters in none of DNS names; in the others it does. */
const folded = (kind: string, name: string): string =>
  kind === 'DNS' ? `DNS:${name.toLowerCase()}` : `${kind}:${name}`;

/**
 * Names of a subjectAltName as Node prints it (`DNS:a, URI:"b, c"`): entries with odd characters come as JSON strings, so a
 * name cannot pretend to be two (CVE-2021-44532).
 */
export function alternativeNames(text: string): string[] {
  const names: string[] = [];
  const entry = /\s*(DNS|URI|email|IP Address|DirName|Registered ID|othername):("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)/giy;
  for (let match = entry.exec(text); match && match[0] !== ''; match = entry.exec(text)) {
    const kind = match[1]!.toUpperCase();
    let name = match[2]!;
    if (name.startsWith('"')) {
      try {
        name = String(JSON.parse(name));
      } catch {
        return []; // not as Node prints: believe none of it
      }
    }
    if (kind === 'DNS' || kind === 'URI' || kind === 'EMAIL') names.push(folded(kind, name));
    if (entry.lastIndex >= text.length) return names;
  }
  // Something that is not understood stands there: it might change the meaning of the rest.
  return text === '' ? names : [];
}

interface Known {
  readonly check: CertificateCheck;
  readonly validToMs: number;
}

export class ClientCertificates {
  private readonly roles: ReadonlyMap<string, GrantedRole>;
  /** a connection keeps its certificate; it is looked at once */
  private readonly known = new WeakMap<TLSSocket, Known>();
  private readonly now: () => number;

  constructor(roles: readonly CertificateRole[], now: () => number = Date.now) {
    this.roles = new Map(
      roles.map(({ match, role }) => {
        const [, kind = '', name = ''] = matchPattern.exec(match) ?? [];
        return [folded(kind, name), role];
      }),
    );
    this.now = now;
  }

  check(socket: Socket): CertificateCheck {
    if (!(socket instanceof TLSSocket)) return { kind: 'none' };
    let known = this.known.get(socket);
    if (!known) {
      known = this.look(socket);
      this.known.set(socket, known);
    }
    // A connection may outlive the certificate it was opened with.
    return this.now() > known.validToMs ? { kind: 'refused', reason: 'it has expired' } : known.check;
  }

  private look(socket: TLSSocket): Known {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return { check: { kind: 'none' }, validToMs: Infinity };
    const validToMs = Date.parse(certificate.validTo);
    if (!socket.authorized) {
      const reason = String(socket.authorizationError ?? 'not verified');
      return { check: { kind: 'refused', reason }, validToMs: Infinity };
    }
    const { CN: commonName } = socket.getPeerCertificate().subject as { CN?: string | string[] };
    const names = alternativeNames(certificate.subjectAltName ?? '');
    // Several common names: which one the authority vouches for cannot be told.
    if (typeof commonName === 'string') names.push(`CN:${commonName}`);
    const name = names.find((each) => this.roles.has(each));
    const check: CertificateCheck = name ? { kind: 'mapped', name, role: this.roles.get(name)! } : { kind: 'unmapped' };
    return { check, validToMs };
  }
}
