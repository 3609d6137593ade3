/**
 * Traffic on a link as a probe in the middle sees it: frames with their times (nanoseconds after the start), put in
 * order at the end, and what a flow table should make of them.
 *
 * @typedef {import('./frames.js').Piece} Piece
 * @typedef {import('./frames.js').Item} Item
 * @typedef {{ bytes: Uint8Array, item: Item }} Message
 */
import { Tcp, ethernet, ipv4, ipv6, payload, tcp, udp } from './frames.js';
import { be16, be32, concat, documentationMac } from './bytes.js';

const microsecond = 1000;

export class Link {
  /** @param {import('./random.js').Random} random */
  constructor(random) {
    this.random = random;
    /** @type {{ time: number, order: number, piece: Piece }[]} */
    this.frames = [];
    /** @type {Record<string, unknown>[]} what each TCP session was made to show */
    this.sessions = [];
    this.identification = 1;
  }

  /**
   * @param {number} time nanoseconds after the start
   * @param {Piece} piece a whole frame
   */
  emit(time, piece) {
    this.frames.push({ time: Math.round(time), order: this.frames.length, piece });
  }

  /**
   * An IP packet between the addresses, of the right version.
   * @param {string} source
   * @param {string} destination
   * @param {Piece} inner
   * @param {Partial<import('./frames.js').IpOptions>} options
   */
  ip(source, destination, inner, options = {}) {
    if (source.includes(':')) return ipv6({ source, destination, ...options }, inner);
    this.identification = (this.identification + 1) & 0xffff;
    return ipv4({ source, destination, id: this.identification, ...options }, inner);
  }

  /**
   * An Ethernet frame; the MAC addresses are made from the addresses' last digits.
   * @param {string} source
   * @param {string} destination
   * @param {Piece} packet
   */
  ethernet(source, destination, packet) {
    return ethernet(macOf(source), macOf(destination), packet);
  }

  /** Frames in the order of their times. */
  sorted() {
    return [...this.frames].sort((a, b) => a.time - b.time || a.order - b.order);
  }
}

/**
 * A documentation MAC address for an IP address; groups keep their own (RFC 1112 6.4, RFC 2464 7).
 * @param {string} address
 */
export function macOf(address) {
  if (address === '224.0.0.251') return Uint8Array.from([1, 0, 0x5e, 0, 0, 0xfb]);
  if (address === '255.255.255.255') return new Uint8Array(6).fill(255);
  if (address.startsWith('ff02::')) {
    const last = parseInt(address.split(':').pop() ?? '0', 16);
    return Uint8Array.from([0x33, 0x33, 0, 0, ...be16(last)]);
  }
  const parts = address.split(/[.:]/);
  const last = parts[parts.length - 1] ?? '0';
  return documentationMac(address.includes(':') ? parseInt(last || '0', 16) : Number(last));
}

/**
 * One TCP connection. Times: `clientSide` is one way client - probe, `serverSide` one way probe - server, nanoseconds.
 * `now` is the probe's time of the next packet that the application's turn makes.
 */
export class TcpSession {
  /**
   * @param {Link} link
   * @param {{ name: string, client: string, server: string, clientPort: number, serverPort: number, start: number,
   *   clientSideUs?: number, serverSideUs?: number, mss?: number, timestamps?: boolean,
   *   wrap?: (packet: Piece, source: string, destination: string) => Piece }} options
   *   wrap: from IP packet to frame, for tags and tunnels
   */
  constructor(link, options) {
    this.link = link;
    this.options = options;
    this.clientSide = (options.clientSideUs ?? 200) * microsecond;
    this.serverSide = (options.serverSideUs ?? 5000) * microsecond;
    this.mss = options.mss ?? (options.client.includes(':') ? 1420 : 1440);
    this.now = options.start;
    this.sequence = { client: link.random.next(), server: link.random.next() };
    this.window = { client: 502, server: 509 };
    this.record = {
      name: options.name,
      client: options.client,
      client_port: options.clientPort,
      server: options.server,
      server_port: options.serverPort,
      client_packets: 0,
      client_bytes: 0,
      server_packets: 0,
      server_bytes: 0,
      rtt_us: /** @type {number | null} */ (null),
      retransmissions: 0,
      out_of_order: 0,
      zero_windows: 0,
      resets: 0,
    };
    link.sessions.push(this.record);
  }

  /**
   * @param {'client' | 'server'} from
   * @param {number} time
   * @param {{ flags: number, sequence?: number, acknowledgment?: number, bytes?: Uint8Array, items?: Item[],
   *   window?: number, handshake?: boolean }} segment
   */
  segment(from, time, segment) {
    const other = from === 'client' ? 'server' : 'client';
    const { client, server, clientPort, serverPort } = this.options;
    const source = from === 'client' ? client : server;
    const destination = from === 'client' ? server : client;
    const options = [];
    if (segment.handshake) options.push(2, 4, ...be16(this.mss), 1, 3, 3, 7, 4, 2, 1, 1);
    if (this.options.timestamps) {
      const milliseconds = Math.floor(time / 1e6);
      options.push(1, 1, 8, 10, ...be32(0x10000 + milliseconds), ...be32(segment.flags === Tcp.Syn ? 0 : milliseconds));
    }
    const piece = tcp(
      {
        sourcePort: from === 'client' ? clientPort : serverPort,
        destinationPort: from === 'client' ? serverPort : clientPort,
        sequence: (segment.sequence ?? this.sequence[from]) >>> 0,
        acknowledgment: segment.flags & Tcp.Ack ? (segment.acknowledgment ?? this.sequence[other]) >>> 0 : 0,
        flags: segment.flags,
        window: segment.window ?? (segment.handshake ? 64240 : this.window[from]),
        options,
      },
      payload(segment.bytes ?? new Uint8Array(0), ...(segment.items ?? [])),
    );
    const packet = this.link.ip(source, destination, piece);
    const frame = this.options.wrap
      ? this.options.wrap(packet, source, destination)
      : this.link.ethernet(source, destination, packet);
    this.record[`${from}_packets`] += 1;
    this.record[`${from}_bytes`] += frame.bytes.length;
    this.link.emit(time, frame);
  }

  /** SYN, SYN-ACK, ACK. */
  open() {
    const start = this.now;
    this.segment('client', start, { flags: Tcp.Syn, handshake: true });
    this.sequence.client += 1;
    this.segment('server', start + 2 * this.serverSide, { flags: Tcp.Syn | Tcp.Ack, handshake: true });
    this.sequence.server += 1;
    this.now = start + 2 * this.serverSide + 2 * this.clientSide;
    this.segment('client', this.now, { flags: Tcp.Ack });
    this.record.rtt_us = (this.now - start) / microsecond;
    this.now += 50 * microsecond;
    return this;
  }

  /**
   * Sends messages back to back, cut into segments of the MSS or at the given places; a message's item stands on the
   * segment that completes it. Every second segment and the last are acknowledged.
   * @param {'client' | 'server'} from
   * @param {readonly Message[]} messages
   * @param {{ cuts?: number[], lost?: number, missed?: number, closed?: number, startsSeen?: boolean }} how
   *   lost: index of a segment lost behind the probe, sent again after three duplicate acknowledgments; missed: lost
   *   before the probe, so that it is seen once, late; closed: index of the segment after which the receiver's window
   *   is shut for 200 ms; startsSeen: the first segment of a longer message shows its protocol too (TLS)
   */
  send(from, messages, how = {}) {
    const to = from === 'client' ? 'server' : 'client';
    const bytes = concat(...messages.map((message) => message.bytes));
    const cuts = how.cuts ? [...how.cuts, bytes.length] : [];
    if (!how.cuts)
      for (let at = this.mss; ; at += this.mss) {
        cuts.push(Math.min(at, bytes.length));
        if (at >= bytes.length) break;
      }
    const answerDelay = 2 * (to === 'server' ? this.serverSide : this.clientSide);
    const first = this.sequence[from];
    let begin = 0;
    let time = this.now;
    let last = time;
    let ownedUntil = 0;
    /** @type {{ begin: number, end: number } | undefined} */
    let hole;
    let duplicates = 0;
    for (const [index, end] of cuts.entries()) {
      const items = [];
      let messageEnd = 0;
      for (const message of messages) {
        const messageBegin = messageEnd;
        messageEnd += message.bytes.length;
        const completes = messageEnd > begin && messageEnd <= end;
        const starts = how.startsSeen && messageBegin >= begin && messageBegin < end && !completes;
        if (completes) items.push(message.item);
        else if (starts) items.push({ layer: message.item.layer });
      }
      const segment = {
        flags: Tcp.Ack | (end === bytes.length ? Tcp.Psh : 0),
        sequence: first + begin,
        bytes: bytes.subarray(begin, end),
        items,
      };
      if (index === how.lost || index === how.missed) {
        hole = { begin, end };
        if (index === how.lost) this.segment(from, time, segment);
      } else {
        this.segment(from, time, segment);
        if (hole) {
          duplicates += 1;
          last = time + answerDelay;
          this.segment(to, last, { flags: Tcp.Ack, acknowledgment: first + hole.begin });
        } else if (index % 2 === 1 || end === bytes.length || index === how.closed) {
          last = time + answerDelay;
          ownedUntil = end;
          const closed = index === how.closed;
          this.segment(to, last, { flags: Tcp.Ack, acknowledgment: first + end, window: closed ? 0 : undefined });
          if (closed) {
            this.record.zero_windows += 1;
            last += 200_000 * microsecond;
            this.segment(to, last, { flags: Tcp.Ack, acknowledgment: first + end });
            time = last + answerDelay;
          }
        }
      }
      begin = end;
      time += 40 * microsecond;
    }
    this.sequence[from] = first + bytes.length;
    if (hole) {
      const again = last + 2 * (from === 'server' ? this.serverSide : this.clientSide) + 10 * microsecond;
      this.segment(from, again, {
        flags: Tcp.Ack,
        sequence: first + hole.begin,
        bytes: bytes.subarray(hole.begin, hole.end),
      });
      if (how.lost !== undefined) this.record.retransmissions += 1;
      else this.record.out_of_order += 1;
      last = again + answerDelay;
      this.segment(to, last, { flags: Tcp.Ack });
      if (duplicates < 3) throw new Error('a loss needs three segments after it');
    }
    if (ownedUntil > bytes.length) throw new Error('acknowledged more than was sent');
    this.now = last + 100 * microsecond;
    return this;
  }

  /** Let time pass. @param {number} microseconds */
  wait(microseconds) {
    this.now += microseconds * microsecond;
    return this;
  }

  /** FIN both ways. @param {'client' | 'server'} from who begins */
  close(from = 'client') {
    const to = from === 'client' ? 'server' : 'client';
    this.segment(from, this.now, { flags: Tcp.Fin | Tcp.Ack });
    this.sequence[from] += 1;
    const answer = this.now + 2 * (to === 'server' ? this.serverSide : this.clientSide);
    this.segment(to, answer, { flags: Tcp.Fin | Tcp.Ack });
    this.sequence[to] += 1;
    this.now = answer + 2 * (from === 'server' ? this.serverSide : this.clientSide);
    this.segment(from, this.now, { flags: Tcp.Ack });
    return this;
  }

  /** RST. @param {'client' | 'server'} from */
  reset(from) {
    this.segment(from, this.now, { flags: Tcp.Rst | Tcp.Ack, window: 0 });
    this.record.resets += 1;
    return this;
  }

  /** A SYN answered by RST: nothing listens. */
  refused() {
    this.segment('client', this.now, { flags: Tcp.Syn, handshake: true });
    this.sequence.client += 1;
    this.sequence.server = 0;
    this.segment('server', this.now + 2 * this.serverSide, { flags: Tcp.Rst | Tcp.Ack, window: 0 });
    this.record.resets += 1;
    return this;
  }

  /** A SYN that nobody answers, sent three times: after 1 s and 2 s more (RFC 6298). */
  unanswered() {
    for (const delay of [0, 1, 3]) {
      this.segment('client', this.now + delay * 1e9, { flags: Tcp.Syn, handshake: true });
    }
    this.record.retransmissions += 2;
    return this;
  }
}

/**
 * A UDP datagram in a frame.
 * @param {Link} link
 * @param {{ time: number, source: string, destination: string, sourcePort: number, destinationPort: number,
 *   message: Message | Uint8Array, wrap?: (packet: Piece, source: string, destination: string) => Piece, ttl?: number }} datagram
 */
export function sendUdp(link, datagram) {
  const { source, destination, message } = datagram;
  const inner = message instanceof Uint8Array ? payload(message) : payload(message.bytes, message.item);
  const packet = link.ip(source, destination, udp(datagram.sourcePort, datagram.destinationPort, inner), {
    ...(datagram.ttl === undefined ? {} : { ttl: datagram.ttl }),
  });
  link.emit(
    datagram.time,
    datagram.wrap ? datagram.wrap(packet, source, destination) : link.ethernet(source, destination, packet),
  );
}
