/**
 * One TCP connection whose application matters: the order of its segments, and the parser of each direction.
 *
 * A connection knows its two sides by address and port, not by the flow table's direction, because client and server
 * of a flow change places when a late SYN shows who began.
 */
import {
  DnsFramer,
  HttpBody,
  HttpParser,
  Recognition,
  TcpStream,
  TlsParser,
  recognizeTls,
} from '@netspectra/collector/decode';
import type {
  ClientHello,
  DnsFrameHandler,
  HttpHandler,
  HttpMessage,
  SegmentBudget,
  StreamConsumer,
  TlsHandler,
} from '@netspectra/collector/decode';
import { FlowStamp } from './application-flow.js';

/** Requests of one connection that wait for their responses: RFC 9112 section 9.3.2 names no limit, browsers used 6. */
const pipelineMax = 256;

/** One HTTP exchange, or a message of one that found no partner. */
export class HttpTransaction {
  requests = 0;
  responses = 0;
  method = '';
  host = '';
  target = '';
  userAgent = '';
  /** the response's, else the request's */
  contentType = '';
  status = 0;
  /** whole messages as they stood in the stream: head, body, chunk framing */
  requestBytes = 0;
  responseBytes = 0;
  /** when the request's head was complete; the response's when there is no request */
  seconds = 0;
  nanoseconds = 0;
  /** when the request was complete */
  endSeconds = 0;
  endNanoseconds = 0;
  /** from the complete request to the response's head; 0 when one of them is missing */
  latencyNanoseconds = 0.5;
  /** the request behind it on the connection */
  next: HttpTransaction | undefined = undefined;

  constructor() {
    // A fraction came first, so that V8 keeps room for a double from the start: it would take all transactions for another kind of
    // object when the first latency comes that is no small integer (beyond 2.1 s), and throw the code for them away.
    this.latencyNanoseconds = 0;
  }
}

/** What connections tell, and the clock they read: the time of the packet being processed. */
export interface ConnectionOwner {
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly budget: SegmentBudget;
  /** A segment held bytes of this application (an Application value) that count as a frame of it. */
  frame(application: number, wireLength: number, live: boolean): void;
  /** Are these bytes in the packet being processed (or held back from an earlier one)? */
  isLive(bytes: Uint8Array): boolean;
  dnsMessage(connection: Connection, bytes: Uint8Array, start: number, end: number, side: number): void;
  /** A message ended where its head said, or with the connection when that was its end. */
  httpMessage(message: HttpMessage): void;
  httpTransaction(connection: Connection, transaction: HttpTransaction): void;
  tlsClientHello(connection: Connection, hello: ClientHello): void;
  /** A request was given up because its pipeline was too long. */
  pipelineOverflow(): void;
  /** the flow's Application value when TLS is found inside it */
  readonly tlsApplication: number;
}

/** The parser of one side, whatever the protocol. */
interface SideParser {
  touched: boolean;
  readonly confirmed: boolean;
  readonly lost: boolean;
  data(bytes: Uint8Array, start: number, end: number): void;
  skip(length: number): void;
  close(orderly: boolean): void;
}

class DnsSide implements SideParser, DnsFrameHandler {
  touched = false;
  confirmed = false;
  readonly lost = false;
  private readonly framer = new DnsFramer(this);
  private readonly connection: Connection;
  private readonly side: number;

  constructor(connection: Connection, side: number) {
    this.connection = connection;
    this.side = side;
  }
  dnsMessage(bytes: Uint8Array, start: number, end: number): void {
    this.touched = true;
    this.confirmed = true;
    this.connection.owner.dnsMessage(this.connection, bytes, start, end, this.side);
  }
  data(bytes: Uint8Array, start: number, end: number): void {
    this.framer.data(bytes, start, end);
  }
  skip(length: number): void {
    this.framer.skip(length);
  }
  close(_orderly: boolean): void {
    // A message that was cut has no end to wait for.
  }
}

class Side implements StreamConsumer {
  readonly stream: TcpStream;
  parser: SideParser | undefined;
  private readonly connection: Connection;

  constructor(connection: Connection, budget: SegmentBudget) {
    this.connection = connection;
    this.stream = new TcpStream(this, budget);
  }

  streamSegment(bytes: Uint8Array, start: number, end: number, missing: number, wireLength: number): void {
    const { connection } = this;
    if (connection.tunnel && recognizeTls(bytes, start, end) === Recognition.Yes) connection.enterTunnel();
    const { parser } = this;
    if (parser === undefined) return;
    parser.data(bytes, start, end);
    if (missing > 0) parser.skip(missing);
    if (parser.touched) this.count(wireLength, connection.owner.isLive(bytes));
  }
  streamGap(length: number): void {
    this.parser?.skip(length);
  }
  streamClose(orderly: boolean): void {
    const { parser } = this;
    if (parser === undefined) return;
    parser.close(orderly);
    // A body that ends with the connection ends in the frame that closes it, which holds no such bytes itself.
    if (parser.touched) this.count(this.connection.closingWireLength, true);
  }

  private count(wireLength: number, live: boolean): void {
    this.parser!.touched = false;
    if (this.connection.confirmed && wireLength > 0) {
      this.connection.owner.frame(this.connection.application, wireLength, live);
    }
  }
}

export class Connection implements HttpHandler, TlsHandler {
  readonly owner: ConnectionOwner;
  readonly flow: number;
  readonly stamp = new FlowStamp();
  /** Application value */
  application: number;
  /** ports of side 0 and 1 */
  readonly port: number;
  readonly otherPort: number;
  /** address of side 0, as signed numbers, which are no objects of the collector's */
  private readonly address0: number;
  private readonly address1: number;
  private readonly address2: number;
  private readonly address3: number;
  readonly sides: readonly [Side, Side];
  /** was it known before (its connection was evicted), or has a parser seen a message of its protocol? */
  wasConfirmed = false;
  /** event time of the last packet, seconds */
  lastSeconds = 0;
  /** which direction of the flow (0 client, 1 server) side 0 is */
  direction0 = 0;
  /** an HTTP CONNECT or Upgrade succeeded: what follows is no HTTP, but may be TLS */
  tunnel = false;
  /** wire length of the frame that closes a stream */
  closingWireLength = 0;

  /** requests that wait for their responses, oldest first: a list, for nearly always there is one, and an array has room for 17 */
  private oldest: HttpTransaction | undefined;
  private newest: HttpTransaction | undefined;
  private waiting = 0;
  private current: HttpTransaction | undefined;
  private answered: HttpTransaction | undefined;
  private requestSide = -1;

  /**
   * @param application Application.Dns, Llmnr, Http or Tls
   * @param addresses the address of side 0: four words from `addressAt` on
   */
  constructor(
    owner: ConnectionOwner,
    flow: number,
    application: number,
    parserOf: 'dns' | 'http' | 'tls',
    port: number,
    otherPort: number,
    addresses: Uint32Array,
    addressAt: number,
  ) {
    this.owner = owner;
    this.flow = flow;
    this.application = application;
    this.port = port;
    this.otherPort = otherPort;
    this.address0 = addresses[addressAt]! | 0;
    this.address1 = addresses[addressAt + 1]! | 0;
    this.address2 = addresses[addressAt + 2]! | 0;
    this.address3 = addresses[addressAt + 3]! | 0;
    this.sides = [new Side(this, owner.budget), new Side(this, owner.budget)];
    for (let side = 0; side < 2; side += 1) {
      this.sides[side]!.parser =
        parserOf === 'dns' ? new DnsSide(this, side) : parserOf === 'http' ? new HttpParser(this) : new TlsParser(this);
    }
  }

  get confirmed(): boolean {
    return this.wasConfirmed || this.sides[0].parser?.confirmed === true || this.sides[1].parser?.confirmed === true;
  }

  /** Bytes came that cannot be of the protocol, and none that were. */
  get rejected(): boolean {
    return !this.confirmed && (this.sides[0].parser?.lost === true || this.sides[1].parser?.lost === true);
  }

  get closed(): boolean {
    return this.sides[0].stream.closed && this.sides[1].stream.closed;
  }

  /** Which side sent the packet: 0 or 1. */
  sideOf(sourceAddress: Uint32Array, row: number, sourcePort: number): number {
    if (this.port !== this.otherPort) return sourcePort === this.port ? 0 : 1;
    const at = row << 2;
    return (sourceAddress[at]! | 0) === this.address0 &&
      (sourceAddress[at + 1]! | 0) === this.address1 &&
      (sourceAddress[at + 2]! | 0) === this.address2 &&
      (sourceAddress[at + 3]! | 0) === this.address3
      ? 0
      : 1;
  }

  /**
   * A side of an HTTP connection that is plain now: 0 not, else bytes to the end of its body; -1 when what comes is no
   * HTTP until a message begins.
   */
  httpPlain(side: number): number {
    const { stream, parser } = this.sides[side]!;
    if (!(parser instanceof HttpParser) || !stream.started || stream.closed || stream.waiting || this.tunnel) return 0;
    return parser.lost && this.confirmed ? -1 : parser.bodyRemaining;
  }

  /** A side has gone on to `next` without us. */
  catchUp(side: number, next: number): void {
    const { stream, parser } = this.sides[side]!;
    const length = (next - stream.next) | 0;
    if (length <= 0) return;
    stream.next = next | 0;
    parser?.skip(length);
  }

  /**
   * A side of a TLS connection that waits for nothing: bytes to its next record, -1 when it has not begun; null when it
   * is in the middle of something (or no TLS).
   * @param lostToo 0 for one that has lost the records' borders
   */
  tlsRemaining(side: number, lostToo: boolean): number | null {
    const { stream, parser } = this.sides[side]!;
    if (!(parser instanceof TlsParser) || stream.closed || stream.waiting) return null;
    if (!stream.started) return -1;
    if (lostToo && parser.lost) return 0;
    return parser.remaining < 0 ? null : parser.remaining;
  }

  /** Go on with a side where `tlsRemaining` left it. */
  resumeTls(side: number, next: number, left: number): void {
    const { stream, parser } = this.sides[side]!;
    stream.start(next);
    (parser as TlsParser).resume(left);
  }

  /** No more packets: give up waiting, tell what is half-seen. */
  close(): void {
    this.sides[0].stream.close();
    this.sides[1].stream.close();
    this.current = undefined;
    this.answered = undefined;
    this.tellWaiting();
  }

  /** TLS inside a tunnel that HTTP opened. */
  enterTunnel(): void {
    this.tunnel = false;
    this.application = this.owner.tlsApplication;
    this.sides[0].parser = new TlsParser(this);
    this.sides[1].parser = new TlsParser(this);
  }

  tlsClientHello(hello: ClientHello): void {
    this.owner.tlsClientHello(this, hello);
  }

  httpHead(message: HttpMessage): number {
    return message.isRequest ? this.requestHead(message) : this.responseHead(message);
  }

  httpEnd(message: HttpMessage, complete: boolean): void {
    if (complete) this.owner.httpMessage(message);
    if (message.isRequest) {
      const { current } = this;
      if (current === undefined) return;
      current.requestBytes = message.bytes;
      current.endSeconds = this.owner.seconds;
      current.endNanoseconds = this.owner.nanoseconds;
      this.current = undefined;
      return;
    }
    const { answered } = this;
    if (answered === undefined) return;
    this.answered = undefined;
    answered.responseBytes = message.bytes;
    if (answered === this.current) {
      // Answered before the request was over.
      answered.requestBytes = this.requestParser()?.message.bytes ?? 0;
      this.current = undefined;
    }
    if (this.oldest === answered) this.shift();
    this.tell(answered);
  }

  httpLost(): void {
    // What is half-seen is told when the peer moves on or the connection ends.
  }

  private requestParser(): HttpParser | undefined {
    const parser = this.requestSide >= 0 ? this.sides[this.requestSide]!.parser : undefined;
    return parser instanceof HttpParser ? parser : undefined;
  }

  private requestHead(message: HttpMessage): number {
    const { owner } = this;
    this.requestSide = (this.sides[0].parser as HttpParser).message === message ? 0 : 1;
    if (this.sides[1 - this.requestSide]!.parser?.lost === true) {
      // Responses were lost, and the client has moved on: theirs were among them.
      this.tellWaiting();
    }
    if (this.waiting >= pipelineMax) {
      owner.pipelineOverflow();
      this.tell(this.shift()!);
    }
    const transaction = new HttpTransaction();
    transaction.requests = 1;
    transaction.method = message.method;
    transaction.host = message.host;
    transaction.target = message.target;
    transaction.userAgent = message.userAgent;
    transaction.contentType = message.contentType;
    transaction.seconds = owner.seconds;
    transaction.nanoseconds = owner.nanoseconds;
    transaction.endSeconds = owner.seconds;
    transaction.endNanoseconds = owner.nanoseconds;
    transaction.requestBytes = message.bytes;
    this.push(transaction);
    this.current = transaction;
    return HttpBody.Framed;
  }

  private responseHead(message: HttpMessage): number {
    const { owner } = this;
    const request = this.oldest;
    const interim = message.status < 200 && message.status !== 101;
    let transaction = request;
    if (transaction === undefined || interim) {
      transaction = new HttpTransaction();
      transaction.seconds = owner.seconds;
      transaction.nanoseconds = owner.nanoseconds;
      if (request !== undefined) {
        transaction.method = request.method;
        transaction.host = request.host;
        transaction.target = request.target;
        transaction.userAgent = request.userAgent;
      }
    } else {
      transaction.latencyNanoseconds = Math.max(
        0,
        (owner.seconds - transaction.endSeconds) * 1e9 + owner.nanoseconds - transaction.endNanoseconds,
      );
    }
    transaction.responses = 1;
    transaction.status = message.status;
    transaction.responseBytes = message.bytes;
    if (message.contentType !== '') transaction.contentType = message.contentType;
    this.answered = transaction;
    if (message.status === 101 || (transaction.method === 'CONNECT' && message.status >= 200 && message.status < 300)) {
      this.tunnel = true;
      this.requestParser()?.close(true);
      return HttpBody.Ended;
    }
    return transaction.method === 'HEAD' ? HttpBody.None : HttpBody.Framed;
  }

  private push(transaction: HttpTransaction): void {
    if (this.newest) this.newest.next = transaction;
    else this.oldest = transaction;
    this.newest = transaction;
    this.waiting += 1;
  }

  private shift(): HttpTransaction | undefined {
    const { oldest } = this;
    if (oldest === undefined) return undefined;
    this.oldest = oldest.next;
    if (this.oldest === undefined) this.newest = undefined;
    this.waiting -= 1;
    return oldest;
  }

  private tellWaiting(): void {
    for (let one = this.shift(); one; one = this.shift()) this.tell(one);
  }

  private tell(transaction: HttpTransaction): void {
    this.owner.httpTransaction(this, transaction);
  }
}
