/**
 * A minute of a small office's uplink, made from one seed: browsing (DNS, then HTTP or TLS), transfers with losses,
 * pings, neighbour discovery, tunnels, fragments, and one port scan. Addresses are of RFC 5737, RFC 3849 and RFC 2544,
 * names of RFC 2606.
 */
import { Random } from './random.js';
import { ascii, concat, be16, be32 } from './bytes.js';
import {
  arp,
  ethernet,
  fragments,
  geneve,
  gre,
  gtpu,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  mpls,
  payload,
  pppoe,
  sctp,
  teredo,
  udp,
  vlan,
  vxlan,
} from './frames.js';
import { clientHello, dnsMessage, httpRequest, httpResponse, ntpMessage, serverHello, tlsData } from './messages.js';
import { Link, TcpSession, macOf, sendUdp } from './session.js';

/** 2026-01-01T00:00:00Z, aligned to every window the engine uses. */
export const sampleStart = 1767225600;
const second = 1e9;
const millisecond = 1e6;

const resolver4 = '192.0.2.53';
const resolver6 = '2001:db8:10::53';
const sites = [
  { name: 'www.example.com', four: '198.51.100.10', six: '2001:db8:20::10' },
  { name: 'static.example.com', four: '198.51.100.11', six: '2001:db8:20::11' },
  { name: 'api.example.net', four: '203.0.113.20', six: '2001:db8:30::20' },
  { name: 'mail.example.org', four: '203.0.113.25', six: '2001:db8:30::25' },
  { name: 'video.example.net', four: '198.51.100.77', six: '2001:db8:20::77' },
  { name: 'updates.example.org', four: '203.0.113.80', six: '2001:db8:30::80' },
];

/** The whole scene. @param {number} seed */
class Scene {
  constructor(seed) {
    this.random = new Random(seed);
    this.link = new Link(this.random);
    this.port = 40000;
    /** @type {Record<string, unknown>[]} DNS transactions with their latency */
    this.lookups = [];
  }

  nextPort() {
    this.port += this.random.between(1, 7);
    return this.port;
  }

  /** A client's address. @param {number} index @param {boolean} six */
  client(index, six) {
    return six ? `2001:db8:10::${(0x100 + index).toString(16)}` : `192.0.2.${100 + index}`;
  }

  /**
   * A query and its answer.
   * @param {{ time: number, client: string, name: string, type: string, latencyUs: number, rcode?: number,
   *   answers?: { name: string, type: string, data: string }[], unanswered?: boolean,
   *   wrap?: (packet: import('./frames.js').Piece, source: string, destination: string) => import('./frames.js').Piece }} lookup
   */
  lookup(lookup) {
    const server = lookup.client.includes(':') ? resolver6 : resolver4;
    const port = this.nextPort();
    const id = this.random.next() & 0xffff;
    const questions = [{ name: lookup.name, type: lookup.type }];
    const wrap = lookup.wrap ? { wrap: lookup.wrap } : {};
    sendUdp(this.link, {
      time: lookup.time,
      source: lookup.client,
      destination: server,
      sourcePort: port,
      destinationPort: 53,
      message: dnsMessage({ id, questions }),
      ...wrap,
    });
    this.lookups.push({
      client: lookup.client,
      client_port: port,
      name: lookup.name,
      type: lookup.type,
      rcode: lookup.unanswered ? null : (lookup.rcode ?? 0),
      latency_us: lookup.unanswered ? null : lookup.latencyUs,
    });
    if (lookup.unanswered) return lookup.time;
    const done = lookup.time + lookup.latencyUs * 1000;
    sendUdp(this.link, {
      time: done,
      source: server,
      destination: lookup.client,
      sourcePort: 53,
      destinationPort: port,
      message: dnsMessage({
        id,
        questions,
        response: true,
        rcode: lookup.rcode ?? 0,
        answers: lookup.answers ?? [],
        authority: lookup.rcode === 3 ? [{ name: 'example.com', type: 'SOA', data: 'ns1.example.com' }] : [],
      }),
      ...wrap,
    });
    return done;
  }

  /** Looks a site up, both address types. @param {number} time @param {string} client @param {typeof sites[0]} site */
  resolve(time, client, site) {
    const latencyUs = this.random.between(400, 30_000);
    this.lookup({
      time: time + 30_000,
      client,
      name: site.name,
      type: 'AAAA',
      latencyUs: latencyUs + 200,
      answers: [{ name: site.name, type: 'AAAA', data: site.six }],
    });
    return this.lookup({
      time,
      client,
      name: site.name,
      type: 'A',
      latencyUs,
      answers: [{ name: site.name, type: 'A', data: site.four }],
    });
  }

  /** @param {string} name @param {string} client @param {string} server @param {number} serverPort @param {number} start */
  session(name, client, server, serverPort, start, options = {}) {
    return new TcpSession(this.link, {
      name,
      client,
      server,
      clientPort: this.nextPort(),
      serverPort,
      start,
      clientSideUs: this.random.between(80, 900),
      serverSideUs: this.random.between(900, 25_000),
      timestamps: this.random.fraction() < 0.5,
      ...options,
    });
  }
}

/** @param {Scene} scene */
function browsing(scene) {
  const { random } = scene;
  const agents = ['Mozilla/5.0 (sample)', 'curl/8.5.0', 'sample-client/1.0'];
  for (let visit = 0; visit < 26; visit += 1) {
    const six = random.fraction() < 0.35;
    const client = scene.client(random.between(0, 11), six);
    const site = random.pick(sites);
    const start = (0.3 + visit * 2.1 + random.fraction()) * second;
    const resolved = scene.resolve(start, client, site);
    const server = six ? site.six : site.four;
    const from = resolved + random.between(200, 2000) * 1000;
    if (visit % 2 === 0) {
      const session = scene.session('http', client, server, visit % 6 === 4 ? 8080 : 80, from).open();
      const userAgent = random.pick(agents);
      for (let request = 0, requests = random.between(1, 3); request < requests; request += 1) {
        const path = random.pick(['/', '/index.html', '/app.js', '/images/logo.png', '/search?q=flows']);
        session.send('client', [httpRequest({ method: 'GET', path, host: site.name, userAgent })]);
        session.wait(random.between(500, 20_000));
        const status = random.pick([200, 200, 200, 304, 404]);
        const body = status === 304 ? undefined : random.bytes(random.between(200, 9000));
        session
          .send('server', [httpResponse({ status, ...(body ? { body } : {}) })])
          .wait(random.between(5_000, 200_000));
      }
      session.close(random.fraction() < 0.7 ? 'client' : 'server');
    } else {
      const tls13 = random.fraction() < 0.7;
      const session = scene.session('tls', client, server, 443, from).open();
      session.send('client', [clientHello({ random, serverName: site.name, alpn: ['h2', 'http/1.1'], tls13 })], {});
      session.send('server', [serverHello({ random, tls13, encryptedBytes: random.between(300, 1100) })], {
        startsSeen: true,
      });
      session.send('client', [tlsData(random, 74)]);
      session.send('client', [tlsData(random, random.between(120, 600))]).wait(random.between(2_000, 40_000));
      for (let record = 0, records = random.between(2, 6); record < records; record += 1) {
        session.send('server', [tlsData(random, random.between(60, 1300))]);
      }
      if (random.fraction() < 0.2) session.reset('client');
      else session.close();
    }
  }
}

/** HTTP as it is seldom seen in tests and often in life. @param {Scene} scene */
function httpCases(scene) {
  const { random } = scene;
  const request = (path, host, method = 'GET') => httpRequest({ method, path, host });
  // Four requests at once, four answers at once.
  const pipelined = scene.session('http-pipelined', '192.0.2.101', '198.51.100.10', 80, 5 * second).open();
  const paths = ['/one', '/two', '/three', '/four'];
  pipelined.send(
    'client',
    paths.map((path) => request(path, 'www.example.com')),
  );
  pipelined.send(
    'server',
    paths.map((_, i) => httpResponse({ status: 200, body: random.bytes(100 + i * 10) })),
  );
  pipelined.close();
  // A request whose header is cut in the middle of a line, twice.
  const split = scene.session('http-split-header', '192.0.2.102', '198.51.100.11', 80, 6 * second).open();
  split.send('client', [request('/split-over-three-segments', 'static.example.com')], { cuts: [9, 60] });
  split.send('server', [httpResponse({ status: 200, body: random.bytes(5000), chunked: 1000 })]).close();
  // POST with a body in a segment of its own.
  const post = scene.session('http-post', '2001:db8:10::101', '2001:db8:30::20', 80, 7 * second).open();
  const posted = httpRequest({ method: 'POST', path: '/v1/items', host: 'api.example.net', body: '{"item":"sample"}' });
  post.send('client', [posted], { cuts: [posted.bytes.length - 17] });
  post.send('server', [httpResponse({ status: 201, body: ascii('{"id":1}'), type: 'application/json' })]);
  post.send('client', [request('/v1/items/1', 'api.example.net', 'DELETE')]);
  post.send('server', [httpResponse({ status: 204 })]).close();
  // Two requests cut so that one segment ends the first and begins the second; a segment of the answer is sent again.
  const mixed = scene.session('http-retransmission', '192.0.2.103', '203.0.113.20', 80, 8 * second).open();
  const first = request('/a', 'api.example.net');
  mixed.send('client', [first, request('/b', 'api.example.net')], { cuts: [first.bytes.length + 20] });
  mixed.send('server', [httpResponse({ status: 200, body: random.bytes(20_000) })], { lost: 3 });
  mixed.send('server', [httpResponse({ status: 503, body: ascii('busy') })]).close('server');
  // HEAD: a length without a body.
  const head = scene.session('http-head', '192.0.2.104', '198.51.100.10', 80, 9 * second).open();
  head.send('client', [request('/', 'www.example.com', 'HEAD')]);
  head.send('server', [httpResponse({ status: 200, headers: ['X-Sample: head'] })]).close();
}

/** @param {Scene} scene */
function tlsCases(scene) {
  const { random } = scene;
  // A ClientHello with a post-quantum key share: two segments.
  const large = scene.session('tls-split-hello', '192.0.2.105', '203.0.113.25', 443, 11 * second).open();
  large.send(
    'client',
    [clientHello({ random, serverName: 'mail.example.org', alpn: ['h2'], tls13: true, keyShareBytes: 1216 })],
    { cuts: [1000], startsSeen: true },
  );
  large.send('server', [serverHello({ random, tls13: true })]);
  large.send('client', [tlsData(random, 300)]).close();
  // No server name at all, and no ALPN.
  const anonymous = scene.session('tls-no-name', '2001:db8:10::102', '2001:db8:20::77', 443, 12 * second).open();
  anonymous.send('client', [clientHello({ random })]);
  anonymous.send('server', [serverHello({ random })]).reset('server');
}

/** @param {Scene} scene */
function dnsCases(scene) {
  const client = '192.0.2.106';
  for (let i = 0; i < 6; i += 1) {
    scene.lookup({
      time: (14 + i * 0.2) * second,
      client,
      name: `missing-${i}.example.com`,
      type: 'A',
      latencyUs: 20_000 + i * 1000,
      rcode: 3,
    });
  }
  scene.lookup({ time: 16 * second, client, name: 'broken.example.org', type: 'A', latencyUs: 900_000, rcode: 2 });
  scene.lookup({ time: 17 * second, client, name: 'silent.example.org', type: 'A', latencyUs: 0, unanswered: true });
  scene.lookup({
    time: 17.2 * second,
    client,
    name: 'example.org',
    type: 'MX',
    latencyUs: 9000,
    answers: [{ name: 'example.org', type: 'MX', data: 'mail.example.org' }],
  });
  scene.lookup({
    time: 17.4 * second,
    client,
    name: 'example.com',
    type: 'TXT',
    latencyUs: 12_000,
    answers: [{ name: 'example.com', type: 'TXT', data: 'v=spf1 -all' }],
  });
  scene.lookup({
    time: 17.6 * second,
    client: '2001:db8:10::106',
    name: '10.100.51.198.in-addr.arpa',
    type: 'PTR',
    latencyUs: 7000,
    answers: [{ name: '10.100.51.198.in-addr.arpa', type: 'PTR', data: 'www.example.com' }],
  });
  scene.lookup({
    time: 17.8 * second,
    client,
    name: 'alias.example.com',
    type: 'A',
    latencyUs: 15_000,
    answers: [
      { name: 'alias.example.com', type: 'CNAME', data: 'www.example.com' },
      { name: 'www.example.com', type: 'A', data: '198.51.100.10' },
    ],
  });
  // Over TCP, the length prefix in a segment of its own, two queries on one connection.
  const overTcp = scene.session('dns-tcp', client, resolver4, 53, 18 * second).open();
  for (const [i, name] of ['large.example.com', 'larger.example.com'].entries()) {
    const questions = [{ name, type: 'TXT' }];
    const answers = Array.from({ length: 12 }, (_, n) => ({ name, type: 'TXT', data: `${'x'.repeat(200)}${n}` }));
    const framed = (message) => ({ bytes: concat(be16(message.bytes.length), message.bytes), item: message.item });
    overTcp.send('client', [framed(dnsMessage({ id: 900 + i, questions }))], i === 1 ? { cuts: [2] } : {});
    overTcp.wait(3000);
    overTcp.send('server', [framed(dnsMessage({ id: 900 + i, questions, answers, response: true }))]);
  }
  overTcp.close();
  // mDNS (RFC 6762).
  const service = '_ipp._tcp.local';
  const printer = 'example-printer._ipp._tcp.local';
  for (const [source, group] of [
    ['192.0.2.107', '224.0.0.251'],
    ['2001:db8:10::107', 'ff02::fb'],
  ]) {
    const ask = dnsMessage({ id: 0, multicast: true, questions: [{ name: service, type: 'PTR' }] });
    sendUdp(scene.link, {
      time: 20 * second,
      source,
      destination: group,
      sourcePort: 5353,
      destinationPort: 5353,
      message: ask,
      ttl: 255,
    });
    const answer = dnsMessage({
      id: 0,
      multicast: true,
      response: true,
      answers: [
        { name: service, type: 'PTR', data: printer },
        { name: printer, type: 'SRV', data: 'example-printer.local' },
      ],
    });
    sendUdp(scene.link, {
      time: 20 * second + 40 * millisecond,
      source: source.includes(':') ? '2001:db8:10::120' : '192.0.2.120',
      destination: group,
      sourcePort: 5353,
      destinationPort: 5353,
      message: answer,
      ttl: 255,
    });
  }
}

/** Transfers on unassigned ports with everything TCP does about trouble. @param {Scene} scene */
function transfers(scene) {
  const { random } = scene;
  const data = (length) => [{ bytes: random.bytes(length), item: { layer: 'data' } }];
  const bulk = scene.session('bulk-lost', '192.0.2.108', '198.51.100.77', 50001, 22 * second, { serverSideUs: 9000 });
  bulk
    .open()
    .send('client', data(200))
    .send('server', data(120_000), { lost: 20 })
    .send('server', data(60_000), { lost: 11 });
  bulk.close();
  const upload = scene.session('bulk-missed', '2001:db8:10::108', '2001:db8:20::77', 50002, 25 * second).open();
  upload.send('client', data(90_000), { missed: 30 }).send('server', data(50)).close();
  const slow = scene.session('zero-window', '192.0.2.109', '203.0.113.80', 50003, 28 * second).open();
  slow.send('client', data(40_000), { closed: 9 }).send('client', data(20_000), { closed: 5 }).close();
  const cut = scene.session('reset', '192.0.2.110', '203.0.113.80', 50004, 31 * second).open();
  cut.send('client', data(3000)).reset('server');
  scene.session('syn-unanswered', '192.0.2.110', '203.0.113.99', 50005, 32 * second).unanswered();
  // A port scan: one source, forty ports, all refused.
  for (let port = 0; port < 40; port += 1) {
    const target = '198.51.100.10';
    new TcpSession(scene.link, {
      name: 'scan',
      client: '203.0.113.66',
      server: target,
      clientPort: 61000,
      serverPort: 20000 + port * 13,
      start: 36 * second + port * 20 * millisecond,
      serverSideUs: 300,
    }).refused();
  }
  // The same five-tuple used again after a close.
  for (const start of [44, 48]) {
    const again = new TcpSession(scene.link, {
      name: 'port-reused',
      client: '192.0.2.111',
      server: '198.51.100.77',
      clientPort: 39999,
      serverPort: 50006,
      start: start * second,
    });
    again.open().send('client', data(700)).send('server', data(2500)).close();
  }
}

/** ICMP, ARP, neighbour discovery, NTP, opaque UDP, SCTP. @param {Scene} scene */
function others(scene) {
  const { link, random } = scene;
  const ping = (time, source, destination, sequence, roundTripUs) => {
    const six = source.includes(':');
    const body = payload(Uint8Array.from({ length: 56 }, (_, i) => i));
    const rest = [...be16(0x4e53), ...be16(sequence)];
    for (const reply of [false, true]) {
      const [from, to] = reply ? [destination, source] : [source, destination];
      const echo = six ? icmpv6(reply ? 129 : 128, 0, rest, body) : icmp(reply ? 0 : 8, 0, rest, body);
      link.emit(time + (reply ? roundTripUs * 1000 : 0), link.ethernet(from, to, link.ip(from, to, echo)));
    }
  };
  for (let i = 1; i <= 10; i += 1) {
    ping((2 + i) * second, '192.0.2.100', '198.51.100.10', i, random.between(9_000, 12_000));
    ping((2.5 + i) * second, '2001:db8:10::100', '2001:db8:20::10', i, random.between(9_000, 14_000));
  }
  // Nobody listens on that UDP port: the error quotes the datagram.
  for (const [source, destination] of [
    ['192.0.2.112', '203.0.113.20'],
    ['2001:db8:10::112', '2001:db8:30::20'],
  ]) {
    const packet = link.ip(source, destination, udp(scene.nextPort(), 51000, payload(random.bytes(32))));
    link.emit(33 * second, link.ethernet(source, destination, packet));
    const quoted = payload(packet.bytes, ...packet.stack);
    const error = source.includes(':') ? icmpv6(1, 4, [0, 0, 0, 0], quoted) : icmp(3, 3, [0, 0, 0, 0], quoted);
    link.emit(33 * second + 8 * millisecond, link.ethernet(destination, source, link.ip(destination, source, error)));
  }
  // A traceroute's answers.
  for (let hop = 1; hop <= 3; hop += 1) {
    const source = '192.0.2.113';
    const packet = link.ip(source, '203.0.113.80', udp(52000, 33434 + hop, payload(new Uint8Array(24))), { ttl: hop });
    const sent = (34 + hop * 0.1) * second;
    link.emit(sent, link.ethernet(source, '203.0.113.80', packet));
    const error = icmp(11, 0, [0, 0, 0, 0], payload(packet.bytes.subarray(0, 28), ...packet.stack));
    const router = `198.18.0.${hop}`;
    link.emit(sent + hop * millisecond, link.ethernet(router, source, link.ip(router, source, error)));
  }
  for (let i = 0; i < 5; i += 1) {
    const asker = { mac: macOf(`192.0.2.${100 + i}`), ip: `192.0.2.${100 + i}` };
    const gateway = { mac: macOf('192.0.2.1'), ip: '192.0.2.1' };
    const nobody = { mac: new Uint8Array(6), ip: gateway.ip };
    const everybody = new Uint8Array(6).fill(255);
    link.emit((1 + i * 11) * second, ethernet(asker.mac, everybody, arp(false, asker, nobody)));
    link.emit((1 + i * 11) * second + 120_000, ethernet(gateway.mac, asker.mac, arp(true, gateway, asker)));
  }
  const neighbours = [
    ['2001:db8:10::100', '2001:db8:10::1'],
    ['2001:db8:10::101', '2001:db8:10::1'],
  ];
  for (const [i, [source, target]] of neighbours.entries()) {
    const targetBytes = ipv6({ source: target, destination: target }, payload(new Uint8Array(0))).bytes.slice(8, 24);
    const solicited = 'ff02::1:ff00:1';
    const ask = icmpv6(135, 0, [0, 0, 0, 0], payload(concat(targetBytes, [1, 1], macOf(source))));
    link.emit(
      (1.5 + i) * second,
      link.ethernet(source, solicited, ipv6({ source, destination: solicited, ttl: 255 }, ask)),
    );
    const answer = icmpv6(136, 0, [0x60, 0, 0, 0], payload(concat(targetBytes, [2, 1], macOf(target))));
    link.emit(
      (1.5 + i) * second + 300_000,
      link.ethernet(target, source, ipv6({ source: target, destination: source, ttl: 255 }, answer)),
    );
  }
  for (let i = 0; i < 4; i += 1) {
    const time = (4 + i * 15) * second;
    const base = { source: '192.0.2.114', destination: '203.0.113.123', sourcePort: 123, destinationPort: 123 };
    sendUdp(link, { ...base, time, message: ntpMessage(false, sampleStart + 4 + i * 15) });
    sendUdp(link, {
      ...base,
      source: base.destination,
      destination: base.source,
      time: time + 11 * millisecond,
      message: ntpMessage(true, sampleStart + 4 + i * 15),
    });
  }
  // A video call: small datagrams both ways for ten seconds, marked EF.
  for (let i = 0; i < 250; i += 1) {
    const back = i % 2 === 1;
    const source = back ? '203.0.113.20' : '192.0.2.115';
    const destination = back ? '192.0.2.115' : '203.0.113.20';
    const inner = udp(back ? 50010 : 50011, back ? 50011 : 50010, payload(random.bytes(random.between(60, 240))));
    const packet = link.ip(source, destination, inner, { trafficClass: 0xb8 });
    link.emit((40 + i * 0.04) * second, link.ethernet(source, destination, packet));
  }
  // SCTP: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, DATA, SACK (RFC 9260).
  const chunk = (type, flags, body) =>
    concat([type, flags], be16(4 + body.length), body, new Uint8Array(-body.length & 3));
  const init = (tag) => concat(be32(tag), be32(65536), be16(4), be16(4), be32(1000));
  const cookie = random.bytes(24);
  const association = [
    ['client', 0, chunk(1, 0, init(0x11111111))],
    ['server', 0x11111111, chunk(2, 0, concat(init(0x22222222), [0, 7], be16(28), cookie))],
    ['client', 0x22222222, chunk(10, 0, cookie)],
    ['server', 0x11111111, chunk(11, 0, new Uint8Array(0))],
    ['client', 0x22222222, chunk(0, 3, concat(be32(1000), be16(0), be16(0), be32(0), ascii('sample data!')))],
    ['server', 0x11111111, chunk(3, 0, concat(be32(1000), be32(65536), be16(0), be16(0)))],
  ];
  for (const [i, [from, tag, chunks]] of association.entries()) {
    const back = from === 'server';
    const [source, destination] = back ? ['203.0.113.25', '192.0.2.116'] : ['192.0.2.116', '203.0.113.25'];
    const packet = link.ip(source, destination, sctp(back ? 50020 : 50021, back ? 50021 : 50020, Number(tag), chunks));
    link.emit(50 * second + i * 5 * millisecond, link.ethernet(source, destination, packet));
  }
  // IPv4 options (router alert) and IPv6 extension headers.
  const optioned = ipv4(
    { source: '192.0.2.117', destination: '198.51.100.11', id: 7, options: [148, 4, 0, 0] },
    udp(50030, 50031, payload(random.bytes(20))),
  );
  link.emit(51 * second, link.ethernet('192.0.2.117', '198.51.100.11', optioned));
  const extended = ipv6(
    { source: '2001:db8:10::117', destination: '2001:db8:20::11' },
    udp(50032, 50033, payload(random.bytes(20))),
    { hopByHop: true, destinationOptions: true },
  );
  link.emit(51.1 * second, link.ethernet('2001:db8:10::117', '2001:db8:20::11', extended));
}

/** Fragmented datagrams: in order, backwards, and one that stays incomplete. @param {Scene} scene */
function fragmented(scene) {
  const { link, random } = scene;
  const send = (time, source, destination, pieces, order) => {
    for (const [i, index] of order.entries()) {
      link.emit(time + i * 0.2 * millisecond, link.ethernet(source, destination, pieces[index]));
    }
  };
  const name = 'fragmented.example.com';
  const big = dnsMessage({
    id: 4242,
    response: true,
    questions: [{ name, type: 'TXT' }],
    answers: Array.from({ length: 14 }, (_, n) => ({ name, type: 'TXT', data: `${'y'.repeat(220)}${n}` })),
  });
  const ask = dnsMessage({ id: 4242, questions: [{ name, type: 'TXT' }] });
  sendUdp(link, {
    time: 53 * second - 20 * millisecond,
    source: '192.0.2.118',
    destination: resolver4,
    sourcePort: 53535,
    destinationPort: 53,
    message: ask,
  });
  const four = { source: resolver4, destination: '192.0.2.118', id: 0x7001 };
  const answer = fragments(four, udp(53, 53535, payload(big.bytes, big.item)), 1400, 2);
  send(53 * second, four.source, four.destination, answer, [0, 1, 2]);
  const backwards = { source: '192.0.2.118', destination: '203.0.113.80', id: 0x7002 };
  const pieces = fragments(backwards, udp(50040, 50041, payload(random.bytes(4000))), 1480, 0);
  send(53.2 * second, backwards.source, backwards.destination, pieces, [2, 1, 0]);
  const six = { source: '2001:db8:10::118', destination: '2001:db8:30::80', id: 0x70000003 };
  const sixPieces = fragments(six, udp(50042, 50043, payload(random.bytes(3000))), 1400, 2);
  send(53.4 * second, six.source, six.destination, sixPieces, [0, 1, 2]);
  const incomplete = { source: '192.0.2.119', destination: '203.0.113.80', id: 0x7004 };
  const parts = fragments(incomplete, udp(50044, 50045, payload(random.bytes(4000))), 1480, -1);
  send(53.6 * second, incomplete.source, incomplete.destination, parts, [0, 2]);
}

/** The same kinds of sessions inside tags and tunnels. @param {Scene} scene */
function encapsulated(scene) {
  const { link, random } = scene;
  /** An inner frame between hosts of a tenant. */
  const inner = (packet, source, destination) => ethernet(macOf(source), macOf(destination), packet);
  const ends = (source, low) =>
    source.startsWith('198.19.1.') || source.startsWith('2001:db8:51:') ? low : [low[1], low[0]];
  const viaUdp = (outer, port, tunnel) => (packet, source, destination) => {
    const [from, to] = ends(source, outer);
    return link.ethernet(
      from,
      to,
      link.ip(from, to, udp(49152 + (port % 97), port, tunnel(packet, source, destination))),
    );
  };
  const routers = ['198.18.0.1', '198.18.0.2'];
  const routers6 = ['2001:db8:50::1', '2001:db8:50::2'];
  /** @type {[string, (packet: any, source: string, destination: string) => any][]} */
  const wraps = [
    ['vlan', (packet, source, destination) => inner(vlan(110, packet, { priority: 3 }), source, destination)],
    [
      'qinq',
      (packet, source, destination) => inner(vlan(200, vlan(110, packet), { service: true }), source, destination),
    ],
    ['vxlan', viaUdp(routers, 4789, (packet, source, destination) => vxlan(5001, inner(packet, source, destination)))],
    [
      'vxlan-ipv6',
      viaUdp(routers6, 4789, (packet, source, destination) => vxlan(5002, inner(packet, source, destination))),
    ],
    [
      'geneve',
      viaUdp(routers, 6081, (packet, source, destination) => geneve(6001, inner(packet, source, destination))),
    ],
    ['gtp', viaUdp(['198.18.0.3', '198.18.0.4'], 2152, (packet) => gtpu(0xabcd01, packet))],
    [
      'gre',
      (packet, source) => {
        const [from, to] = ends(source, routers);
        return link.ethernet(from, to, link.ip(from, to, gre(7001, packet)));
      },
    ],
    [
      'gre-ethernet',
      (packet, source, destination) => {
        const [from, to] = ends(source, routers);
        return link.ethernet(from, to, link.ip(from, to, gre(7002, inner(packet, source, destination))));
      },
    ],
    [
      'ip-in-ip',
      (packet, source) => {
        const [from, to] = ends(source, routers);
        return link.ethernet(from, to, link.ip(from, to, packet));
      },
    ],
    ['mpls', (packet, source, destination) => inner(mpls([16001, 24005], packet), source, destination)],
    ['pppoe', (packet, source, destination) => inner(pppoe(0x51, packet), source, destination)],
  ];
  for (const [i, [name, wrap]] of wraps.entries()) {
    for (const six of [false, true]) {
      const client = six ? `2001:db8:51::${(0x10 + i).toString(16)}` : `198.19.1.${10 + i}`;
      const server = six ? `2001:db8:52::${(0x10 + i).toString(16)}` : `198.19.2.${10 + i}`;
      const start = (41 + i * 1.1 + (six ? 0.5 : 0)) * second;
      const session = new TcpSession(link, {
        name: `${name}-${six ? 'ipv6' : 'ipv4'}`,
        client,
        server,
        clientPort: scene.nextPort(),
        serverPort: 80,
        start,
        clientSideUs: 150,
        serverSideUs: 2_500,
        mss: 1300,
        wrap,
      });
      session.open().send('client', [httpRequest({ method: 'GET', path: `/${name}`, host: `${name}.example.net` })]);
      session.send('server', [httpResponse({ status: 200, body: random.bytes(1800) })]).close();
    }
  }
  // Teredo: a ping inside UDP port 3544.
  for (const reply of [false, true]) {
    const [source, destination] = reply ? ['203.0.113.44', '192.0.2.121'] : ['192.0.2.121', '203.0.113.44'];
    const [from, to] = reply ? ['2001:db8:30::44', '2001:db8:10::121'] : ['2001:db8:10::121', '2001:db8:30::44'];
    const echo = icmpv6(reply ? 129 : 128, 0, [0, 1, 0, 1], payload(new Uint8Array(16)));
    const message = teredo(ipv6({ source: from, destination: to }, echo));
    const packet = link.ip(source, destination, udp(reply ? 3544 : 50050, reply ? 50050 : 3544, message));
    link.emit(55 * second + (reply ? 20 * millisecond : 0), link.ethernet(source, destination, packet));
  }
  scene.lookup({
    time: 56 * second,
    client: '192.0.2.122',
    name: 'vlan.example.com',
    type: 'A',
    latencyUs: 2000,
    answers: [{ name: 'vlan.example.com', type: 'A', data: '198.51.100.12' }],
    wrap: (packet, source, destination) => ethernet(macOf(source), macOf(destination), vlan(120, packet)),
  });
  // The last of the minute: a host that talks to itself seen through the link (same address both ends, two ports).
  sendUdp(link, {
    time: 59.5 * second,
    source: '192.0.2.123',
    destination: '192.0.2.123',
    sourcePort: 50060,
    destinationPort: 50061,
    message: random.bytes(100),
  });
}

/**
 * The sample's frames in order, and what its sessions and lookups were made to show.
 * @param {number} seed
 */
export function sampleTraffic(seed) {
  const scene = new Scene(seed);
  for (const part of [browsing, httpCases, tlsCases, dnsCases, transfers, others, fragmented, encapsulated])
    part(scene);
  const frames = scene.link.sorted().map(({ time, piece }) => ({
    seconds: sampleStart + Math.floor(time / second),
    nanoseconds: Math.floor((time % second) / 1000) * 1000, // the file keeps microseconds
    bytes: piece.bytes,
    stack: piece.stack,
  }));
  return { frames, sessions: scene.link.sessions, lookups: scene.lookups };
}
