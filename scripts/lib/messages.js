/** Application messages as bytes, each with the stack item that says what it holds. */
import { addressBytes, ascii, be16, be32, concat } from './bytes.js';

/** DNS record types by name. */
export const DnsType = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33 };
const dnsTypes = /** @type {Record<string, number>} */ (DnsType);

/** @param {string} name */
function dnsName(name) {
  const labels = name.split('.').filter((label) => label !== '');
  return concat(...labels.map((label) => concat([label.length], ascii(label))), [0]);
}

/** @param {string} type @param {string} data */
function recordData(type, data) {
  if (type === 'A' || type === 'AAAA') return addressBytes(data);
  if (type === 'MX') return concat(be16(10), dnsName(data));
  if (type === 'TXT') return concat([data.length], ascii(data));
  if (type === 'SRV') return concat(be16(0), be16(0), be16(631), dnsName(data));
  if (type === 'SOA')
    return concat(
      dnsName(data),
      dnsName(`hostmaster.${data}`),
      be32(1),
      be32(7200),
      be32(900),
      be32(1209600),
      be32(300),
    );
  return dnsName(data);
}

/**
 * A DNS message (RFC 1035), with an EDNS record (RFC 6891) on unicast ones.
 * @param {{ id: number, response?: boolean, rcode?: number, multicast?: boolean, truncated?: boolean,
 *   questions?: { name: string, type: string }[],
 *   answers?: { name: string, type: string, data: string, ttl?: number }[],
 *   authority?: { name: string, type: string, data: string, ttl?: number }[] }} message
 * @returns {{ bytes: Uint8Array, item: import('./frames.js').Item }}
 */
export function dnsMessage(message) {
  const questions = message.questions ?? [];
  const answers = message.answers ?? [];
  const authority = message.authority ?? [];
  let flags = message.response ? 0x8000 : 0;
  if (message.multicast) flags |= message.response ? 0x0400 : 0;
  else flags |= message.response ? 0x0180 : 0x0100;
  if (message.truncated) flags |= 0x0200;
  /** @param {{ name: string, type: string, data: string, ttl?: number }} record */
  const record = (record) => {
    const data = recordData(record.type, record.data);
    // The name of the first question is pointed to (offset 12), as servers do.
    const name = record.name === questions[0]?.name ? be16(0xc00c) : dnsName(record.name);
    return concat(name, be16(dnsTypes[record.type]), be16(1), be32(record.ttl ?? 300), be16(data.length), data);
  };
  const edns = message.multicast ? [] : [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0];
  const bytes = concat(
    be16(message.id),
    be16(flags | (message.rcode ?? 0)),
    be16(questions.length),
    be16(answers.length),
    be16(authority.length),
    be16(message.multicast ? 0 : 1),
    ...questions.map((question) => concat(dnsName(question.name), be16(dnsTypes[question.type]), be16(1))),
    ...answers.map(record),
    ...authority.map(record),
    edns,
  );
  return {
    bytes,
    item: {
      layer: message.multicast ? 'mdns' : 'dns',
      response: message.response ?? false,
      rcode: message.rcode ?? 0,
      questions: questions.map((question) => ({ name: question.name, type: dnsTypes[question.type] })),
    },
  };
}

/**
 * @param {{ method: string, path: string, host: string, userAgent?: string, body?: string, headers?: string[] }} request
 * @returns {{ bytes: Uint8Array, item: import('./frames.js').Item }}
 */
export function httpRequest(request) {
  const lines = [
    `${request.method} ${request.path} HTTP/1.1`,
    `Host: ${request.host}`,
    `User-Agent: ${request.userAgent ?? 'sample-client/1.0'}`,
    'Accept: */*',
    ...(request.headers ?? []),
    ...(request.body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${request.body.length}`]),
  ];
  return {
    bytes: ascii(`${lines.join('\r\n')}\r\n\r\n${request.body ?? ''}`),
    item: { layer: 'http', method: request.method, host: request.host },
  };
}

const reasons = /** @type {Record<number, string>} */ ({
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  301: 'Moved Permanently',
  304: 'Not Modified',
  404: 'Not Found',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
});

/**
 * @param {{ status: number, body?: Uint8Array, type?: string, chunked?: number, headers?: string[] }} response
 *   chunked: bytes a chunk (RFC 9112 7.1) instead of a Content-Length
 * @returns {{ bytes: Uint8Array, item: import('./frames.js').Item }}
 */
export function httpResponse(response) {
  const body = response.body ?? new Uint8Array(0);
  const lines = [
    `HTTP/1.1 ${response.status} ${reasons[response.status] ?? 'Status'}`,
    'Server: sample-server/1.0',
    ...(response.headers ?? []),
  ];
  let framed = body;
  if (response.chunked) {
    const chunks = [];
    for (let at = 0; at < body.length; at += response.chunked) {
      const chunk = body.subarray(at, at + response.chunked);
      chunks.push(ascii(`${chunk.length.toString(16)}\r\n`), chunk, ascii('\r\n'));
    }
    framed = concat(...chunks, ascii('0\r\n\r\n'));
    lines.push('Transfer-Encoding: chunked');
  } else if (response.status !== 204 && response.status !== 304) lines.push(`Content-Length: ${body.length}`);
  if (body.length > 0) lines.push(`Content-Type: ${response.type ?? 'application/octet-stream'}`);
  return {
    bytes: concat(ascii(`${lines.join('\r\n')}\r\n\r\n`), framed),
    item: { layer: 'http', status: response.status },
  };
}

/** @param {number} type @param {number} version @param {Uint8Array} body */
const tlsRecord = (type, version, body) => concat([type], be16(version), be16(body.length), body);

/** @param {number} type @param {Uint8Array} body */
const tlsExtension = (type, body) => concat(be16(type), be16(body.length), body);

/** @param {number} type @param {Uint8Array} body */
const tlsHandshake = (type, body) => concat([type, 0], be16(body.length), body);

/**
 * A ClientHello (RFC 8446 4.1.2) with server name (RFC 6066 3), ALPN (RFC 7301) and, for TLS 1.3, supported_versions and
 * a key share of the given size (1,216 bytes: a hybrid post-quantum share, which makes the hello span two segments).
 * @param {{ random: import('./random.js').Random, serverName?: string, alpn?: string[], tls13?: boolean,
 *   keyShareBytes?: number }} hello
 * @returns {{ bytes: Uint8Array, item: import('./frames.js').Item }}
 */
export function clientHello(hello) {
  const extensions = [];
  if (hello.serverName !== undefined) {
    const name = ascii(hello.serverName);
    extensions.push(tlsExtension(0, concat(be16(name.length + 3), [0], be16(name.length), name)));
  }
  extensions.push(tlsExtension(10, concat(be16(4), be16(29), be16(23))));
  extensions.push(tlsExtension(13, concat(be16(4), be16(0x0403), be16(0x0804))));
  if (hello.alpn) {
    const list = concat(...hello.alpn.map((protocol) => concat([protocol.length], ascii(protocol))));
    extensions.push(tlsExtension(16, concat(be16(list.length), list)));
  }
  if (hello.tls13) {
    extensions.push(tlsExtension(43, concat([4], be16(0x0304), be16(0x0303))));
    const key = hello.random.bytes(hello.keyShareBytes ?? 32);
    const group = hello.keyShareBytes ? 0x11ec : 29; // X25519MLKEM768 or x25519
    extensions.push(tlsExtension(51, concat(be16(key.length + 4), be16(group), be16(key.length), key)));
  }
  const list = concat(...extensions);
  const body = concat(
    be16(0x0303),
    hello.random.bytes(32),
    [32],
    hello.random.bytes(32),
    be16(6),
    be16(0x1301),
    be16(0x1303),
    be16(0xc02f),
    [1, 0],
    be16(list.length),
    list,
  );
  return {
    bytes: tlsRecord(22, 0x0301, tlsHandshake(1, body)),
    item: { layer: 'tls', clientHello: true, serverName: hello.serverName },
  };
}

/**
 * ServerHello (RFC 8446 4.1.3) followed by a ChangeCipherSpec and opaque encrypted bytes.
 * @param {{ random: import('./random.js').Random, tls13?: boolean, encryptedBytes?: number }} hello
 * @returns {{ bytes: Uint8Array, item: import('./frames.js').Item }}
 */
export function serverHello(hello) {
  const extensions = hello.tls13
    ? concat(
        tlsExtension(43, Uint8Array.from(be16(0x0304))),
        tlsExtension(51, concat(be16(29), be16(32), hello.random.bytes(32))),
      )
    : new Uint8Array(0);
  const body = concat(
    be16(0x0303),
    hello.random.bytes(32),
    [32],
    hello.random.bytes(32),
    be16(hello.tls13 ? 0x1301 : 0xc02f),
    [0],
    be16(extensions.length),
    extensions,
  );
  return {
    bytes: concat(
      tlsRecord(22, 0x0303, tlsHandshake(2, body)),
      tlsRecord(20, 0x0303, Uint8Array.from([1])),
      tlsRecord(23, 0x0303, hello.random.bytes(hello.encryptedBytes ?? 700)),
    ),
    item: { layer: 'tls' },
  };
}

/**
 * One record of application data.
 * @param {import('./random.js').Random} random
 * @param {number} length
 * @returns {{ bytes: Uint8Array, item: import('./frames.js').Item }}
 */
export const tlsData = (random, length) => ({
  bytes: tlsRecord(23, 0x0303, random.bytes(length)),
  item: { layer: 'tls' },
});

/**
 * NTP client or server packet (RFC 5905).
 * @param {boolean} server
 * @param {number} seconds of the Unix epoch
 */
export function ntpMessage(server, seconds) {
  const bytes = new Uint8Array(48);
  const view = new DataView(bytes.buffer);
  bytes[0] = (4 << 3) | (server ? 4 : 3);
  bytes[1] = server ? 2 : 0;
  bytes[2] = 6;
  bytes[3] = 0xec;
  if (server) view.setUint32(12, 0xc0000201);
  view.setUint32(40, (seconds + 2208988800) >>> 0);
  return bytes;
}
