/**
 * A connection to NATS that comes back for ever.
 *
 * Reconnecting is done here and not by the client: then every failed try says why, in one line, the first time and
 * whenever the reason changes, and a wrong certificate is told from a server that is away.
 */
import {
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import type { Authenticator, NatsConnection } from '@nats-io/transport-node';
import { BusError } from './bus.js';
import type { BusErrorCode, BusLog, BusState } from './bus.js';
import type { ConnectionOptions } from './options.js';
import { connect } from './transport.js';

const retryMsMin = 100;
const connectTimeoutMs = 5000;
const pingIntervalMs = 10_000;
/** different things the server says about what we do that are logged, a connection */
const statusLinesMax = 32;

/** Keeps one connection. */
export class Connection {
  private readonly options: ConnectionOptions;
  private readonly log: BusLog;
  private readonly callbacks = new Set<(nats: NatsConnection) => void>();
  private nats: NatsConnection | null = null;
  private closed = false;
  private connects = 0;
  private lastError = '';
  private lastCode: BusErrorCode | null = null;
  private retryMs = retryMsMin;
  private wakeUp: () => void = () => {};
  private readonly running: Promise<void>;
  private readonly watchers = new Set<(error: BusError) => void>();

  constructor(options: ConnectionOptions, log: BusLog) {
    checkOptions(options);
    this.options = options;
    this.log = log;
    this.running = this.run();
  }

  get state(): BusState {
    return { connected: this.nats !== null, reconnects: Math.max(0, this.connects - 1), lastError: this.lastError };
  }

  get current(): NatsConnection | null {
    return this.nats;
  }

  /** Called with every new connection, and at once when there is one. The returned function ends it. */
  onConnected(callback: (nats: NatsConnection) => void): () => void {
    this.callbacks.add(callback);
    if (this.nats) callback(this.nats);
    return () => this.callbacks.delete(callback);
  }

  /**
   * The connection, when there is one. Rejects with what waiting would hardly mend (certificate, credentials), and after
   * `milliseconds` with the last error.
   */
  async ready(milliseconds = Infinity): Promise<NatsConnection> {
    if (this.nats) return this.nats;
    if (this.closed) throw new BusError('NS_BUS_CLOSED', 'the bus was closed');
    return new Promise((resolve, reject) => {
      const done = (): void => {
        stop();
        this.watchers.delete(watch);
        clearTimeout(timer);
      };
      const watch = (error: BusError): void => {
        if (error.code === 'NS_BUS_UNREACHABLE') return;
        done();
        reject(error);
      };
      const timer =
        milliseconds === Infinity
          ? undefined
          : setTimeout(() => {
              done();
              reject(new BusError('NS_BUS_UNREACHABLE', this.lastError || `${this.where} did not answer in time`));
            }, milliseconds);
      this.watchers.add(watch);
      let stop: () => void = () => {};
      stop = this.onConnected((nats) => {
        done();
        resolve(nats);
      });
    });
  }

  async close(): Promise<void> {
    if (this.closed) return this.running;
    this.closed = true;
    const error = new BusError('NS_BUS_CLOSED', 'the bus was closed');
    for (const watch of [...this.watchers]) watch(error);
    this.wakeUp();
    // Everything sent is with the server before the connection goes; a server that is gone is not waited for.
    await this.nats?.flush().catch(() => {});
    await this.nats?.close();
    return this.running;
  }

  private get where(): string {
    return this.options.servers.map(withoutSecrets).join(', ');
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      try {
        const nats = await connect({
          servers: [...this.options.servers],
          name: this.options.name ?? 'netspectra',
          reconnect: false,
          timeout: connectTimeoutMs,
          pingInterval: pingIntervalMs,
          maxPingOut: 2,
          noAsyncTraces: true,
          authenticator: authenticatorOf(this.options),
          // With an empty one the usual authorities are trusted, and a server without TLS is refused.
          ...(wantsTls(this.options) && { tls: { ...this.options.tls } }),
        });
        await this.serve(nats);
      } catch (error) {
        this.report(error);
      }
      if (this.closed) return;
      await this.pause();
    }
  }

  private async serve(nats: NatsConnection): Promise<void> {
    if (this.closed) return nats.close();
    this.nats = nats;
    this.connects += 1;
    this.retryMs = retryMsMin;
    this.lastCode = null;
    this.log.info({ server: nats.getServer(), reconnects: this.state.reconnects }, 'connected to the bus');
    void this.watchStatus(nats);
    for (const callback of [...this.callbacks]) callback(nats);
    const error = await nats.closed();
    this.nats = null;
    if (this.closed) return;
    this.report(error ?? new Error('the server closed the connection'));
  }

  /** What the server says about what we do, each line once a connection: a right that is missing is missing every time. */
  private async watchStatus(nats: NatsConnection): Promise<void> {
    const told = new Set<string>();
    for await (const status of nats.status()) {
      if (status.type !== 'error') continue;
      const { code, line } = describe(status.error, this.where);
      if (told.has(line) || told.size >= statusLinesMax) continue;
      told.add(line);
      this.log.warn({ code }, line);
    }
  }

  /** Says a reason once, until it changes or there was a connection in between. */
  private report(error: unknown): void {
    const { code, line } = describe(error, this.where);
    this.lastError = line;
    if (code !== this.lastCode) this.log.error({ code }, `${line}; trying again for ever`);
    this.lastCode = code;
    const told = new BusError(code, line, { cause: error });
    for (const watch of [...this.watchers]) watch(told);
  }

  private pause(): Promise<void> {
    // Half to all of the time: a thousand probes do not come back in the same moment.
    const milliseconds = this.retryMs * (0.5 + Math.random() / 2);
    this.retryMs = Math.min(this.retryMs * 2, this.options.retryMsMax ?? 5000);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function authenticatorOf(options: ConnectionOptions): Authenticator[] {
  const encoder = new TextEncoder();
  const found: Authenticator[] = [];
  if (options.credentials !== undefined) found.push(credsAuthenticator(encoder.encode(options.credentials)));
  if (options.nkey !== undefined) found.push(nkeyAuthenticator(encoder.encode(options.nkey.trim())));
  if (options.token !== undefined) found.push(tokenAuthenticator(options.token));
  if (options.user !== undefined) found.push(usernamePasswordAuthenticator(options.user, options.password));
  return found;
}

const wantsTls = ({ servers, tls }: ConnectionOptions): boolean =>
  tls !== undefined || servers.some((server) => server.startsWith('tls:'));

function checkOptions({ servers, tls, user, password }: ConnectionOptions): void {
  const wrong = (text: string): BusError => new BusError('NS_BUS_CONFIGURATION', text);
  if (servers.length === 0) throw wrong('no NATS server is named; give at least one, such as nats://127.0.0.1:4222');
  for (const server of servers) {
    if (!/^(nats|tls):\/\/[^\s/@]+$/.test(server))
      throw wrong(
        `${withoutSecrets(server)} is no NATS address; write nats://host:port or tls://host:port, without user or path`,
      );
  }
  if ((tls?.cert === undefined) !== (tls?.key === undefined))
    throw wrong('a client certificate for NATS needs both cert and key');
  if (password !== undefined && user === undefined) throw wrong('a password for NATS needs a user');
}

const withoutSecrets = (server: string): string => server.replace(/\/\/[^@]*@/, '//***@');

const certificateHints: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the server's certificate has expired; renew it, or check this machine's clock",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet; check this machine's clock",
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another name; connect by a name that is in it",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is not signed by the configured CA; check the CA file",
  SELF_SIGNED_CERT_IN_CHAIN: "the server's certificate is not signed by the configured CA; check the CA file",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server's certificate is not signed by the configured CA; check the CA file",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the server's certificate is not signed by the configured CA; check the CA file",
  UNABLE_TO_GET_ISSUER_CERT: "the server's certificate is not signed by the configured CA; check the CA file",
  CERT_SIGNATURE_FAILURE: "the server's certificate is not signed by the configured CA; check the CA file",
};

/** One line about why a connection failed, without secrets. */
export function describe(error: unknown, where: string): { readonly code: BusErrorCode; readonly line: string } {
  const chain = causes(error);
  const codes = chain.map((one) => ('code' in one ? String(one.code) : ''));
  const text = chain.map((one) => one.message).join(': ');
  const certificate = codes.find((code) => code in certificateHints);
  if (certificate !== undefined)
    return { code: 'NS_BUS_CERTIFICATE', line: `NATS at ${where}: ${certificateHints[certificate]}` };
  if (chain.some((one) => one.name === 'UserAuthenticationExpiredError'))
    return { code: 'NS_BUS_CREDENTIALS', line: `NATS at ${where}: the credentials have expired; issue new ones` };
  if (chain.some((one) => one.name === 'AuthorizationError'))
    return {
      code: 'NS_BUS_CREDENTIALS',
      line: `NATS at ${where} refuses these credentials; check user and password, token, nkey or credentials file`,
    };
  if (chain.some((one) => one.name === 'PermissionViolationError'))
    return {
      code: 'NS_BUS_PERMISSION',
      line: `NATS at ${where}: ${text}; give this user the permissions of docs/bus.md`,
    };
  if (/alert (certificate|bad certificate|unknown ca)|certificate required|peer did not return/i.test(text))
    return {
      code: 'NS_BUS_CERTIFICATE',
      line: `NATS at ${where} refuses our client certificate; check cert and key, and the CA that the server trusts`,
    };
  if (/tls.*not available|wrong version number|server does not support|secure connection/i.test(text))
    return {
      code: 'NS_BUS_CERTIFICATE',
      line: `NATS at ${where}: one side wants TLS and the other does not; check the tls settings of both`,
    };
  if (codes.some((code) => code.startsWith('ERR_OSSL') || code.startsWith('ERR_SSL')))
    return { code: 'NS_BUS_CERTIFICATE', line: `NATS at ${where}: TLS failed (${text}); check CA, cert and key` };
  const reason = codes.find((code) => /^E[A-Z]+$/.test(code)) ?? text;
  return { code: 'NS_BUS_UNREACHABLE', line: `NATS at ${where} cannot be reached (${reason}); is it running?` };
}

/** The error and what it came from, outermost first. */
function causes(error: unknown): Error[] {
  const found: Error[] = [];
  const visit = (one: unknown, depth: number): void => {
    if (!(one instanceof Error) || depth > 8 || found.includes(one)) return;
    found.push(one);
    visit(one.cause, depth + 1);
    if (one instanceof AggregateError) for (const inner of one.errors) visit(inner, depth + 1);
  };
  visit(error, 0);
  return found.length > 0 ? found : [new Error(String(error))];
}
