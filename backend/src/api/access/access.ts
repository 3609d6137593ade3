/**
 * Who may do what. A request proves who sends it by a bearer token (RFC 6750), by a client certificate, or, as long as
 * `auth` is `loopback-open`, by coming over loopback; then it has a role, and the route says which role it needs.
 *
 * Errors follow RFC 6750 section 3: 401 with WWW-Authenticate when nobody or a wrong token came, 403 with the role that
 * is needed as scope. Wrong credentials of one address are refused with 429 after a while; right ones never are.
 */
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hashToken, matchesHash, tokenIdOf } from '../../management/index.js';
import type { Management } from '../../management/index.js';
import { UserError } from '../../errors.js';
import { ApiError } from '../problem.js';
import { failureKey, isLoopback, Networks, originOf } from './address.js';
import { ClientCertificates } from './client-certificate.js';
import type { AccessConfig } from './config.js';
import { FailureLimit } from './failure-limit.js';
import { actorOf } from './identity.js';
import type { Identity } from './identity.js';
import { includesRole } from './roles.js';
import type { Authorize, Role } from './roles.js';

export interface AccessDeps {
  /** absent: the only tokens are those of the configuration, and refusals are not audited */
  readonly management?: Management | undefined;
  readonly metrics: Registry;
}

/** Host names under which a loopback listener may be addressed; others mean DNS rebinding by a web page. */
const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
const userName = /^[\x20-\x7e]{1,128}$/;
const failuresPerMinuteDefault = 10;
/** Refused changes of an address that are audited in a minute; the others are only counted. */
const auditedPerMinute = 60;

export class Access {
  private readonly open: boolean;
  private readonly adminHash: string | null;
  private readonly ownHash: string | null;
  private readonly proxies: Networks;
  private readonly certificates: ClientCertificates;
  private readonly limit: FailureLimit;
  private readonly auditLimit = new FailureLimit(auditedPerMinute);
  private readonly management: Management | undefined;
  private readonly refusals: Counter;
  /** networks of tokens that have some, by version */
  private readonly networks = new Map<string, Networks>();

  constructor(deps: AccessDeps, config: AccessConfig) {
    this.open = (config.auth ?? 'loopback-open') === 'loopback-open';
    this.adminHash = config.adminToken ? hashToken(config.adminToken) : null;
    this.ownHash = config.ownToken ? hashToken(config.ownToken) : null;
    this.proxies = new Networks(config.trustedProxies ?? []);
    this.certificates = new ClientCertificates(config.tls?.clientRoles ?? []);
    this.limit = new FailureLimit(config.failuresPerMinute ?? failuresPerMinuteDefault);
    this.management = deps.management;
    this.refusals = new Counter({
      name: 'netspectra_api_access_refused_total',
      help: 'Requests that were not let in, by reason',
      labelNames: ['reason'],
      registers: [deps.metrics],
    });
    const { management } = deps;
    new Counter({
      name: 'netspectra_api_audit_lost_total',
      help: 'Refused changes that are not in the audit: too many of one address or at once, or not stored',
      registers: [deps.metrics],
      collect() {
        this.reset();
        this.inc(management?.audit.lost ?? 0);
      },
    });
  }

  /** Let the request through (with `identity` and `clientAddress` set) or throw an ApiError. */
  readonly authorize: Authorize = async (request, reply, role) => {
    const { address, proxied } = originOf(request.socket.remoteAddress, request.headers, this.proxies);
    request.clientAddress = address;
    try {
      const credential = request.headers.authorization;
      if (this.open && credential === undefined) this.checkPage(request);
      if (role === 'public') return;
      request.identity = await this.identify(request, reply, proxied);
      if (!includesRole(request.identity.role, role)) throw this.tooLittle(request, reply, role);
    } catch (error) {
      this.noteRefusal(request, error);
      throw error;
    }
  };

  private async identify(request: FastifyRequest, reply: FastifyReply, proxied: boolean): Promise<Identity> {
    const { authorization } = request.headers;
    if (authorization !== undefined && /^bearer\b/i.test(authorization)) {
      return this.byToken(bearer.exec(authorization)?.[1] ?? '', request, reply);
    }
    const certificate = this.certificates.check(request.raw.socket);
    if (certificate.kind === 'mapped') {
      const { name, role } = certificate;
      return { kind: 'certificate', id: name, name, role, onBehalfOf: '' };
    }
    if (certificate.kind === 'refused') {
      throw this.unknown(
        request,
        reply,
        'certificate',
        `the client certificate is not accepted: ${certificate.reason}`,
      );
    }
    const local = isLoopback(request.clientAddress) && !proxied;
    if (this.open && local && authorization === undefined) {
      return { kind: 'loopback', id: '', name: '', role: 'editor', onBehalfOf: '' };
    }
    const why = this.open && proxied ? 'it came through a proxy, so not surely from this machine: ' : '';
    void reply.header('www-authenticate', 'Bearer realm="netspectra"');
    this.refusals.inc({ reason: 'no_token' });
    throw new ApiError('unauthorized', `${why}send a token in the header Authorization: Bearer <token>`);
  }

  private async byToken(text: string, request: FastifyRequest, reply: FastifyReply): Promise<Identity> {
    if (this.adminHash !== null && matchesHash(text, this.adminHash)) {
      return { kind: 'configured', id: 'api.admin_token', name: 'api.admin_token', role: 'admin', onBehalfOf: '' };
    }
    if (this.ownHash !== null && matchesHash(text, this.ownHash)) {
      return { kind: 'system', id: '', name: 'netspectra', role: 'viewer', onBehalfOf: '' };
    }
    const check = await this.checkToken(text);
    if (!check.ok) {
      const detail =
        check.reason === 'expired' ? 'the token has expired' : 'the token is not known here, or was revoked';
      throw this.unknown(request, reply, check.reason, detail);
    }
    const { id, version, body } = check.token;
    if (body.networks.length > 0 && !this.networksOf(`${id}:${version}`, body.networks).has(request.clientAddress)) {
      throw this.unknown(request, reply, 'network', 'the token may not be used from this address');
    }
    this.management?.tokens.used(id, request.clientAddress);
    const user = request.headers['x-grafana-user'];
    const mayNameUser = body.onBehalfOf && includesRole(body.role, 'editor');
    const onBehalfOf = mayNameUser && typeof user === 'string' && userName.test(user) ? user : '';
    return { kind: 'token', id, name: body.name, role: body.role, onBehalfOf };
  }

  private async checkToken(text: string) {
    if (!this.management) return { ok: false, reason: 'unknown' } as const;
    try {
      return await this.management.tokens.check(text);
    } catch (error) {
      if (error instanceof UserError) {
        throw new ApiError('unavailable', 'tokens cannot be checked: the store does not answer', [], error);
      }
      throw error;
    }
  }

  private networksOf(key: string, texts: readonly string[]): Networks {
    let networks = this.networks.get(key);
    if (!networks) {
      if (this.networks.size >= 1_000) this.networks.clear();
      networks = new Networks(texts);
      this.networks.set(key, networks);
    }
    return networks;
  }

  /** A wrong proof of identity. */
  private unknown(request: FastifyRequest, reply: FastifyReply, reason: string, detail: string): ApiError {
    const seconds = this.limit.fail(failureKey(request.clientAddress));
    if (seconds > 0) {
      this.refusals.inc({ reason: 'limited' });
      void reply.header('retry-after', String(seconds));
      return new ApiError('rate-limited', `too many wrong tokens from this address; try again in ${seconds} s`);
    }
    this.refusals.inc({ reason });
    const challenge = reason === 'certificate' ? '' : `, error="invalid_token", error_description="${detail}"`;
    void reply.header('www-authenticate', `Bearer realm="netspectra"${challenge}`);
    return new ApiError('unauthorized', detail);
  }

  private tooLittle(request: FastifyRequest, reply: FastifyReply, role: Role): ApiError {
    this.refusals.inc({ reason: 'role' });
    void reply.header('www-authenticate', `Bearer realm="netspectra", error="insufficient_scope", scope="${role}"`);
    const { kind, role: has } = request.identity!;
    return new ApiError(
      'forbidden',
      kind === 'loopback'
        ? `this needs the role ${role}: without a token, requests over loopback have the role ${has}; ` +
            "the administrator's token was shown at the first start, or set NETSPECTRA_ADMIN_TOKEN"
        : `this needs the role ${role}; the ${kind === 'certificate' ? 'certificate' : 'token'} has the role ${has}`,
    );
  }

  /**
   * Without a token, what keeps a web page in the user's browser out is what the browser says: a Host header of another
   * name is DNS rebinding (RFC 9110 section 7.4: 421), an Origin of another host, or cross-site metadata, a page's request.
   */
  private checkPage(request: FastifyRequest): void {
    const { host = '', origin } = request.headers;
    if (this.certificates.check(request.raw.socket).kind === 'mapped') return;
    if (isLoopback(request.clientAddress) && !loopbackHost.test(host)) {
      this.refusals.inc({ reason: 'host' });
      throw new ApiError('misdirected', 'without a token this server answers only to localhost, 127.0.0.1 and [::1]');
    }
    const crossSite =
      request.headers['sec-fetch-site'] === 'cross-site' && request.headers['sec-fetch-mode'] !== 'navigate';
    if (crossSite || (origin !== undefined && origin.replace(/^https?:\/\//, '') !== host)) {
      this.refusals.inc({ reason: 'cross_site' });
      throw new ApiError('forbidden', 'pages of other sites may not use this server; send a token');
    }
  }

  /** Changes that were refused are audited; past a limit they are only counted, so that nobody can fill the store. */
  private noteRefusal(request: FastifyRequest, error: unknown): void {
    const { change } = request.routeOptions.config as { change?: string };
    if (change === undefined || !this.management || !(error instanceof ApiError)) return;
    if (error.kind !== 'unauthorized' && error.kind !== 'forbidden') return;
    if (this.auditLimit.fail(failureKey(request.clientAddress)) > 0) {
      this.management.audit.lost += 1;
      return;
    }
    const actor = actorOf(request);
    const claimed = tokenIdOf(bearer.exec(request.headers.authorization ?? '')?.[1] ?? '');
    const object = (request.params as { id?: unknown } | undefined)?.id;
    this.management.audit.refused(
      actor.kind === 'unknown' && claimed !== null ? { ...actor, id: claimed } : actor,
      change,
      typeof object === 'string' ? object.slice(0, 64) : '',
      error.message,
    );
  }
}
