/**
 * The server side of capture-loopback.js, run in a network namespace of its own: DNS over UDP and TCP (answers from a
 * fixed table), HTTP and HTTPS, on every address. Writes "ready" when all of them listen; ends on SIGTERM.
 * Arguments: key file, certificate file.
 */
import dgram from 'node:dgram';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { dnsMessage } from './messages.js';

const [keyFile, certificateFile] = process.argv.slice(2);
const records = /** @type {Record<string, Record<string, string>>} */ ({
  'www.example.com': { A: '192.0.2.2', AAAA: '2001:db8:1::2' },
  'secure.example.com': { A: '192.0.2.2', AAAA: '2001:db8:1::2' },
  'vlan.example.com': { A: '198.51.100.2' },
});
const typeNames = /** @type {Record<number, string>} */ ({ 1: 'A', 28: 'AAAA', 16: 'TXT' });

/** The answer to one query. @param {Uint8Array} query */
function answer(query) {
  const view = new DataView(query.buffer, query.byteOffset, query.byteLength);
  const labels = [];
  let at = 12;
  while (query[at] > 0) {
    labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + query[at])));
    at += 1 + query[at];
  }
  const name = labels.join('.');
  const type = typeNames[view.getUint16(at + 1)] ?? 'A';
  const known = records[name.toLowerCase()];
  const data = known?.[type];
  return dnsMessage({
    id: view.getUint16(0),
    response: true,
    rcode: known ? 0 : 3,
    questions: [{ name, type }],
    answers: data ? [{ name, type, data }] : [],
  }).bytes;
}

/** @type {http.RequestListener} */
const serve = (request, response) => {
  if (request.method === 'POST') {
    let length = 0;
    request.on('data', (chunk) => (length += chunk.length));
    request.on('end', () => response.writeHead(201, { 'content-type': 'application/json' }).end(`{"bytes":${length}}`));
  } else if (request.url === '/missing') response.writeHead(404).end('not here\n');
  else if (request.url === '/large') {
    response.writeHead(200, { 'content-length': 30000 }).end(Buffer.alloc(30000, 'netspectra '));
  } else if (request.url === '/chunked') {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write('first chunk\n');
    setTimeout(() => response.end('second chunk\n'), 20);
  } else response.writeHead(200, { 'content-type': 'text/plain' }).end('hello\n');
};

const datagrams = dgram.createSocket('udp6');
datagrams.on('message', (query, peer) => datagrams.send(answer(query), peer.port, peer.address));
const stream = net.createServer((socket) => {
  let held = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const end = 2 + held.readUInt16BE(0);
      const reply = answer(held.subarray(2, end));
      const framed = Buffer.alloc(2 + reply.length);
      framed.writeUInt16BE(reply.length);
      framed.set(reply, 2);
      socket.write(framed);
      held = held.subarray(end);
    }
  });
});
const plain = http.createServer(serve);
const secure = https.createServer({ key: readFileSync(keyFile), cert: readFileSync(certificateFile) }, serve);
await Promise.all([
  new Promise((resolve) => datagrams.bind(53, '::', () => resolve(undefined))),
  ...[
    [stream, 53],
    [plain, 80],
    [secure, 443],
  ].map(
    ([server, port]) =>
      new Promise((resolve) => /** @type {net.Server} */ (server).listen(Number(port), '::', () => resolve(undefined))),
  ),
]);
console.log('ready');
process.on('SIGTERM', () => process.exit(0));
