#!/usr/bin/env node
/**
 * Makes a big capture file for benchmarks: `node test/load/generate.js --packets 4000000 --flows 200000 --seed 1 --out
 * FILE`. The same arguments give the same bytes. Beside FILE it writes FILE.json: what the file holds, as counted while
 * it was made.
 *
 * The traffic: frame sizes of the simple IMIX (60, 590 and 1514 bytes without FCS; 27:16:5 instead of 7:4:1, because
 * handshakes and DNS have sizes of their own, for a mean near IMIX's 360 up to 200k flows), exactly `--flows`
 * five-tuples of which one begins every packets/flows packets, the other packets going to the flows that have begun by
 * Zipf's law (exponent 1), a fifth of the packets IPv6. TCP flows begin with SYN, SYN-ACK, ACK and their
 * sequence numbers advance by what they send: HTTP (whole requests, responses of the length they announce), TLS
 * (ClientHello with server name, then records) and opaque bulk; UDP flows are opaque or DNS. 100,000 packets a second
 * of capture time. IPv4 header checksums are right; transport checksums are left out (0), as with checksum offload.
 * Clients are 16 networks of /24 of 198.18.0.0/15, servers four /24 of 198.19.0.0/16; IPv6 2001:db8::/32.
 */
import { closeSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { Random } from '../../scripts/lib/random.js';
import { clientHello, dnsMessage, httpRequest, httpResponse, serverHello } from '../../scripts/lib/messages.js';
import { concat } from '../../scripts/lib/bytes.js';

const Kind = { Http: 0, Tls: 1, Bulk: 2, Udp: 3, Dns: 4 };
/** Of twenty flows: 5 HTTP, 7 TLS, 2 bulk, 4 opaque UDP, 2 DNS; scattered, since the first flows are the heaviest. */
const kinds = Uint8Array.from([1, 0, 3, 1, 2, 4, 1, 0, 1, 3, 0, 1, 4, 1, 3, 0, 2, 1, 3, 0]);
const serverPorts = [80, 443, 50001, 50002, 53];

const chunkBytes = 4 << 20;
const startSeconds = 1767225600; // 2026-01-01T00:00:00Z
const packetsPerSecond = 100_000;
const clients = 16 * 250;
const servers = 4 * 50;
const clientPorts = 50_000;

/** Ready-made application messages, patched where a packet needs it. */
function messagePool() {
  const random = new Random(99);
  const hosts = Array.from({ length: 64 }, (_, i) => `www${i}.example.com`);
  const requests = Array.from({ length: 1024 }, (_, i) => {
    const path = `/path/${(i * 37) % 211}/item-${i % 16}`;
    return httpRequest({ method: i % 8 === 7 ? 'HEAD' : 'GET', path, host: hosts[i % 64], userAgent: `load/${i % 5}` })
      .bytes;
  });
  const names = Array.from({ length: 4096 }, (_, i) => `host-${i}.zone${i % 50}.example.net`);
  return {
    random,
    requests: requests.filter((_, i) => i % 8 !== 7), // HEAD answers have no body; left out to keep bodies simple
    responseLengths: Array.from({ length: 64 }, (_, i) => Math.round(200 * 1.11 ** i)),
    hellos: hosts.map((name) => clientHello({ random, serverName: name, alpn: ['h2', 'http/1.1'], tls13: true }).bytes),
    serverHello: serverHello({ random, tls13: true, encryptedBytes: 900 }).bytes,
    queries: names.map((name) => dnsMessage({ id: 0, questions: [{ name, type: 'A' }] }).bytes),
    answers: names.map((name, i) => {
      const missing = i % 20 === 19;
      return dnsMessage({
        id: 0,
        response: true,
        rcode: missing ? 3 : 0,
        questions: [{ name, type: 'A' }],
        answers: missing ? [] : [{ name, type: 'A', data: `198.19.0.${i % 250}` }],
      }).bytes;
    }),
  };
}

/** The header of an answer whose body has that length. @param {number} length */
const responseHeader = (length) => {
  const whole = httpResponse({ status: 200, body: new Uint8Array(length) }).bytes;
  return whole.slice(0, whole.length - length);
};

/** Mixes the bits of a flow's number. @param {number} value */
function mix(value) {
  let hash = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Writes the file and its counts.
 * @param {{ packets: number, flows: number, seed: number, out: string }} options
 * @returns {Record<string, unknown>} what FILE.json holds
 */
export function generate({ packets, flows, seed, out }) {
  if (!(packets >= 1 && flows >= 1 && flows <= packets && flows <= clients * clientPorts)) {
    throw new RangeError(`need 1 <= flows <= packets and flows <= ${clients * clientPorts}`);
  }
  const random = new Random(seed);
  const pool = messagePool();
  const headers = pool.responseLengths.map(responseHeader);
  const filler = concat(pool.random.bytes(2048));
  // State of each flow: where it stands, its sequence numbers, and bytes of HTTP body still to come.
  const state = new Uint8Array(flows);
  const clientSequence = new Uint32Array(flows);
  const serverSequence = new Uint32Array(flows);
  const bodyLeft = new Uint32Array(flows);

  const chunk = new Uint8Array(chunkBytes + 4096);
  const view = new DataView(chunk.buffer);
  const partial = `${out}.part`;
  const file = openSync(partial, 'w');
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 65535, true);
  view.setUint32(20, 1, true);
  let length = 24;

  let bytes = 0;
  const counts = {
    ipv4: 0,
    ipv6: 0,
    tcp: 0,
    udp: 0,
    dns: 0,
    http_requests: 0,
    http_responses: 0,
    client_hellos: 0,
    syn: 0,
  };
  let dnsQueries = 0;
  let started = 0;
  let seconds = startSeconds;
  let microseconds = 0;

  for (let packet = 0; packet < packets; packet += 1) {
    let flow;
    if (Math.floor(((packet + 1) * flows) / packets) > started || started === 0) flow = started++;
    else flow = Math.min(started - 1, Math.floor(Math.exp(random.fraction() * Math.log(started + 1))) - 1);
    const hash = mix(flow);
    const kind = kinds[flow % 20];
    const six = flow % 9 === 4 || flow % 9 === 8;
    const tcp = kind <= Kind.Bulk;
    const draw = random.next();
    const size = draw % 48;
    const headerLength = 14 + (six ? 40 : 20) + (tcp ? 20 : 8);
    let room = (size < 27 ? 60 : size < 43 ? 590 : 1514) - headerLength;
    if (room < 0) room = 0;

    // What this packet is: who sends it, TCP flags, and its payload (`content`, then filler).
    let fromServer = false;
    let flags = 0x10;
    /** @type {Uint8Array | undefined} */
    let content;
    let fill = 0;
    let tlsRecord = false;
    const step = state[flow];
    if (kind === Kind.Dns) {
      const name = mix(flow * 31 + (step >> 1)) & 4095;
      fromServer = (step & 1) === 1;
      content = fromServer ? pool.answers[name] : pool.queries[name];
      if (!fromServer) dnsQueries += 1;
      counts.dns += 1;
      state[flow] = (step + 1) & 255;
    } else if (kind === Kind.Udp) {
      fromServer = step > 0 && (draw & 0x10000) !== 0;
      fill = room === 0 ? 4 : room;
      state[flow] = 1;
    } else if (step < 3) {
      fromServer = step === 1;
      flags = step === 0 ? 0x02 : step === 1 ? 0x12 : 0x10;
      if (step === 0) {
        clientSequence[flow] = hash;
        serverSequence[flow] = mix(hash);
        counts.syn += 1;
      }
      state[flow] = step + 1;
    } else if (step === 3) {
      flags = 0x18;
      state[flow] = 4;
      if (kind === Kind.Http) {
        content = pool.requests[draw % pool.requests.length];
        counts.http_requests += 1;
      } else if (kind === Kind.Tls) {
        content = pool.hellos[hash & 63];
        counts.client_hellos += 1;
      } else fill = room;
    } else if (step === 4 && kind !== Kind.Bulk) {
      fromServer = true;
      flags = 0x18;
      state[flow] = 5;
      if (kind === Kind.Http) {
        const choice = (draw >>> 8) & 63;
        content = headers[choice];
        fill = Math.min(pool.responseLengths[choice], Math.max(0, room - content.length));
        bodyLeft[flow] = pool.responseLengths[choice] - fill;
        if (bodyLeft[flow] === 0) state[flow] = 3;
        counts.http_responses += 1;
      } else content = pool.serverHello;
    } else if (room <= 20) {
      fromServer = (draw & 0x30000) === 0; // a bare acknowledgment, three times of four by the client
    } else {
      fromServer = kind === Kind.Http || (draw & 0x30000) !== 0;
      fill = room;
      if (kind === Kind.Http) {
        if (fill >= bodyLeft[flow]) {
          fill = bodyLeft[flow];
          state[flow] = 3;
        }
        bodyLeft[flow] -= fill;
      } else if (kind === Kind.Tls) tlsRecord = true;
    }

    const payloadLength = (content ? content.length : 0) + fill;
    const wire = Math.max(60, headerLength + payloadLength);
    // Record header; 10 microseconds between packets.
    view.setUint32(length, seconds, true);
    view.setUint32(length + 4, microseconds, true);
    view.setUint32(length + 8, wire, true);
    view.setUint32(length + 12, wire, true);
    microseconds += 1_000_000 / packetsPerSecond;
    if (microseconds >= 1_000_000) {
      microseconds -= 1_000_000;
      seconds += 1;
    }
    let at = length + 16;
    length = at + wire;
    bytes += wire;

    // Ethernet, documentation MAC addresses.
    view.setUint32(at, 0x00005e00);
    view.setUint16(at + 4, fromServer ? 0x5301 : 0x5302);
    view.setUint32(at + 6, 0x00005e00);
    view.setUint16(at + 10, fromServer ? 0x5302 : 0x5301);
    view.setUint16(at + 12, six ? 0x86dd : 0x0800);
    at += 14;
    const client = flow % clients;
    const server = (hash >>> 8) % servers;
    const transportLength = (tcp ? 20 : 8) + payloadLength;
    if (six) {
      counts.ipv6 += 1;
      view.setUint32(at, 0x60000000);
      view.setUint16(at + 4, transportLength);
      chunk[at + 6] = tcp ? 6 : 17;
      chunk[at + 7] = 64;
      const low = fromServer ? 24 : 8; // where the client's address stands
      view.setUint32(at + low, 0x20010db8);
      view.setUint32(at + low + 4, 0x00c00000 + (client >>> 8));
      view.setUint32(at + low + 8, 0);
      view.setUint32(at + low + 12, client);
      view.setUint32(at + 32 - low, 0x20010db8);
      view.setUint32(at + 36 - low, 0x00500000);
      view.setUint32(at + 40 - low, 0);
      view.setUint32(at + 44 - low, server);
      at += 40;
    } else {
      counts.ipv4 += 1;
      const clientAddress = 0xc6120001 + (Math.floor(client / 250) << 8) + (client % 250);
      const serverAddress = 0xc6130001 + (Math.floor(server / 50) << 8) + (server % 50);
      const totalLength = 20 + transportLength;
      const protocol = tcp ? 6 : 17;
      const id = packet & 0xffff;
      let sum = 0x4500 + totalLength + id + 0x4000 + (0x4000 | protocol);
      sum += (clientAddress >>> 16) + (clientAddress & 0xffff) + (serverAddress >>> 16) + (serverAddress & 0xffff);
      sum = (sum & 0xffff) + (sum >>> 16);
      sum = (sum & 0xffff) + (sum >>> 16);
      view.setUint16(at, 0x4500);
      view.setUint16(at + 2, totalLength);
      view.setUint16(at + 4, id);
      view.setUint16(at + 6, 0x4000);
      view.setUint16(at + 8, 0x4000 | protocol);
      view.setUint16(at + 10, ~sum & 0xffff);
      view.setUint32(at + 12, fromServer ? serverAddress : clientAddress);
      view.setUint32(at + 16, fromServer ? clientAddress : serverAddress);
      at += 20;
    }
    // 7,919 is prime to 50,000: a client's flows all have ports of their own, away from those of tunnels.
    const clientPort = 10_000 + ((Math.floor(flow / clients) * 7919 + client * 31) % clientPorts);
    const serverPort = serverPorts[kind];
    view.setUint16(at, fromServer ? serverPort : clientPort);
    view.setUint16(at + 2, fromServer ? clientPort : serverPort);
    if (tcp) {
      counts.tcp += 1;
      view.setUint32(at + 4, fromServer ? serverSequence[flow] : clientSequence[flow]);
      view.setUint32(at + 8, flags === 0x02 ? 0 : fromServer ? clientSequence[flow] : serverSequence[flow]);
      chunk[at + 12] = 0x50;
      chunk[at + 13] = flags;
      view.setUint16(at + 14, 64240);
      view.setUint32(at + 16, 0);
      const advance = payloadLength + (flags & 2 ? 1 : 0);
      if (fromServer) serverSequence[flow] += advance;
      else clientSequence[flow] += advance;
      at += 20;
    } else {
      counts.udp += 1;
      view.setUint16(at + 4, 8 + payloadLength);
      view.setUint16(at + 6, 0);
      at += 8;
    }
    if (content) {
      chunk.set(content, at);
      if (kind === Kind.Dns) view.setUint16(at, mix(flow + (step >> 1)) & 0xffff);
      at += content.length;
    }
    if (fill > 0) {
      const from = draw & 255;
      chunk.set(filler.subarray(from, from + fill), at);
      if (tlsRecord) {
        chunk[at] = 23;
        view.setUint16(at + 1, 0x0303);
        view.setUint16(at + 3, fill - 5);
      }
      at += fill;
    }
    if (at < length) chunk.fill(0, at, length);
    if (length >= chunkBytes) {
      writeSync(file, chunk, 0, length);
      length = 0;
    }
  }
  writeSync(file, chunk, 0, length);
  closeSync(file);
  const result = {
    packets,
    bytes,
    flows: started,
    seed,
    mean_bytes: Math.round((bytes / packets) * 10) / 10,
    ...counts,
    dns_queries: dnsQueries,
    dns_responses: counts.dns - dnsQueries,
  };
  // The counts first: a capture file under its final name is always whole and has its counts.
  writeFileSync(`${out}.json`, `${JSON.stringify(result, null, 1)}\n`);
  renameSync(partial, out);
  return result;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      packets: { type: 'string', default: '4000000' },
      flows: { type: 'string', default: '200000' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
    },
  });
  if (values.out === undefined) {
    console.error('usage: generate.js --out FILE [--packets N] [--flows N] [--seed N]');
    process.exit(2);
  }
  const begin = performance.now();
  const result = generate({
    packets: Number(values.packets),
    flows: Number(values.flows),
    seed: Number(values.seed),
    out: values.out,
  });
  console.error(`${((performance.now() - begin) / 1000).toFixed(1)} s`);
  console.log(JSON.stringify(result));
}
