/**
 * The client side of capture-loopback.js: looks names up, fetches pages over HTTP and HTTPS, IPv4, IPv6 and the VLAN,
 * has a connection refused, and ends.
 */
import dns from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { dnsMessage } from './messages.js';

/** @param {string} server */
const resolver = (server) => {
  const made = new dns.Resolver({ timeout: 1000, tries: 1 });
  made.setServers([server]);
  return made;
};

/**
 * @param {typeof http | typeof https} library
 * @param {https.RequestOptions} options
 * @param {string} [body]
 */
const fetchPage = (library, options, body) =>
  new Promise((resolve, reject) => {
    const request = library.request({ rejectUnauthorized: false, ...options }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end(body);
  });

/** One question over TCP. @param {string} server @param {string} name */
const askOverTcp = (server, name) =>
  new Promise((resolve, reject) => {
    const query = dnsMessage({ id: 321, questions: [{ name, type: 'TXT' }] }).bytes;
    const socket = net.connect(53, server, () => socket.write(Buffer.concat([Buffer.from([0, query.length]), query])));
    socket.on('data', () => socket.end());
    socket.on('close', resolve);
    socket.on('error', reject);
  });

const headers = { host: 'www.example.com', 'user-agent': 'netspectra-sample/1.0' };
for (const server of ['192.0.2.2', '[2001:db8:1::2]', '198.51.100.2']) {
  const names = resolver(server);
  await names.resolve4('www.example.com');
  await names.resolve6('www.example.com');
  await names.resolve4('nowhere.example.com').catch(() => undefined); // NXDOMAIN is wanted
}
for (const host of ['192.0.2.2', '2001:db8:1::2', '198.51.100.2']) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const path of ['/', '/large', '/chunked', '/missing']) await fetchPage(http, { host, path, headers, agent });
  await fetchPage(http, { host, path: '/form', method: 'POST', headers, agent }, 'x'.repeat(4000));
  agent.destroy();
  await fetchPage(https, { host, path: '/', servername: 'secure.example.com', headers, ALPNProtocols: ['http/1.1'] });
  await askOverTcp(host, 'www.example.com');
  await new Promise((resolve) => net.connect(9, host).on('error', resolve));
}
await fetchPage(https, {
  host: '192.0.2.2',
  path: '/',
  headers,
  maxVersion: 'TLSv1.2',
  servername: 'secure.example.com',
});
