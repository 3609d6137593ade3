import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Enricher } from './enricher.js';
import { createHostLookup } from './hosts.js';
import { ReverseDns, cleanHostName, reverseName } from './reverse-dns.js';
import type { ReverseDnsOptions } from './reverse-dns.js';
import { words } from './testing.js';

/** What the server says to a question: a name, a response code, bytes of its own making, or nothing at all. */
type Answer = string | { rcode: number } | { raw: (query: Buffer) => Buffer[] } | null;

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const labels = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);

/** The query's question, its id, and an answer section: RFC 1035 4.1. */
function response(query: Buffer, rcode: number, answers: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | rcode, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  let end = 12;
  while (query[end] !== 0) end += query[end]! + 1;
  return Buffer.concat([header, query.subarray(12, end + 5), ...answers]);
}

function pointer(name: Buffer, ttl = 60): Buffer {
  const fixed = Buffer.from([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, ttl, 0, 0]);
  fixed.writeUInt16BE(name.length, 10);
  return Buffer.concat([fixed, name]);
}

function questionOf(query: Buffer): string {
  const parts: string[] = [];
  for (let at = 12; query[at] !== 0; at += query[at]! + 1) {
    parts.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
  }
  return parts.join('.');
}

/** A DNS server on a port of the loopback. */
async function serve(answer: (name: string) => Answer) {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  const held: (() => void)[] = [];
  socket.on('message', (query, from) => {
    const name = questionOf(query);
    asked.push(name);
    const said = answer(name);
    const send = (bytes: Buffer): void => socket.send(bytes, from.port, from.address);
    if (said === null) held.push(() => send(response(query, 0, [pointer(labels('late.example.org'))])));
    else if (typeof said === 'string') send(response(query, 0, [pointer(labels(said))]));
    else if ('rcode' in said) send(response(query, said.rcode, []));
    else for (const bytes of said.raw(query)) send(bytes);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  open.push(() => socket.close());
  return { server: `127.0.0.1:${(socket.address() as AddressInfo).port}`, asked, held };
}

function resolver(server: string, options: Partial<ReverseDnsOptions> = {}): ReverseDns {
  const dns = new ReverseDns({
    servers: [server],
    timeoutMillis: 200,
    cacheSize: 1000,
    ttlMillis: 10_000,
    negativeTtlMillis: 5_000,
    concurrency: 8,
    ...options,
  });
  open.push(() => dns.close());
  return dns;
}

/** Wait for a condition that something else brings about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('names to ask for', () => {
  it('are those of RFC 1035 and RFC 3596', () => {
    expect(reverseName(words('192.0.2.7'))).toBe('7.2.0.192.in-addr.arpa');
    expect(reverseName(words('2001:db8::567:89ab'))).toBe(
      'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    );
  });
});

describe('names that come back', () => {
  it.each([
    ['Host.Example.ORG', 'host.example.org'],
    ['host.example.org.', 'host.example.org'],
    ['_dmarc.a-b.example', '_dmarc.a-b.example'],
    ['x'.repeat(63), 'x'.repeat(63)],
  ])('are kept: %s', (name, kept) => expect(cleanHostName(name)).toBe(kept));
  it.each([
    '',
    '.',
    'a..b',
    '-a.example',
    'a b.example',
    '<script>alert(1)</script>',
    '=cmd|calc',
    'ex\u0000ample',
    '\u001b[31mred',
    'bücher.example',
    'x'.repeat(64),
    Array.from({ length: 60 }, () => 'abcd').join('.'),
    42,
  ])('are none: %j', (name) => expect(cleanHostName(name)).toBe(''));
});

describe('reverse DNS', () => {
  it('asks once, and remembers names and that there is none', async () => {
    const { server, asked } = await serve((name) => (name.startsWith('7.') ? 'Host.example.org' : { rcode: 3 }));
    let clock = 0;
    const dns = resolver(server, { now: () => clock });
    const both = [words('192.0.2.7'), words('192.0.2.8')];
    expect(await dns.names(both, 5000)).toEqual(['host.example.org', '']);
    expect(await dns.names(both, 5000)).toEqual(['host.example.org', '']);
    expect(asked.sort()).toEqual(['7.2.0.192.in-addr.arpa', '8.2.0.192.in-addr.arpa']);
    clock = 5_001; // only "no name" is forgotten by now
    await dns.names(both, 5000);
    expect(asked.slice(2)).toEqual(['8.2.0.192.in-addr.arpa']);
    clock = 10_001;
    await dns.names(both, 5000);
    expect(asked.length).toBe(5);
    expect(dns.counters).toMatchObject({ asked: 5, found: 2, absent: 3, failed: 0 });
  });

  it('does not wait longer than it may, and has the late name for the next', async () => {
    const { server, asked, held } = await serve(() => null);
    const dns = resolver(server, { timeoutMillis: 20_000 });
    const started = performance.now();
    expect(await dns.names([words('192.0.2.7')], 30)).toEqual(['']);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(await dns.names([words('192.0.2.7')], 0)).toEqual(['']);
    expect(asked.length).toBe(1); // the same question is asked once
    for (const send of held) send();
    await until(() => dns.counters.found === 1);
    expect(await dns.names([words('192.0.2.7')], 0)).toEqual(['late.example.org']);
  });

  it('gives up a server that does not answer, and does not ask again at once', async () => {
    const { server, asked } = await serve(() => null);
    const dns = resolver(server, { timeoutMillis: 50 });
    expect(await dns.names([words('192.0.2.7')], 20_000)).toEqual(['']);
    expect(await dns.names([words('192.0.2.7')], 20_000)).toEqual(['']);
    expect([asked.length, dns.counters.failed]).toEqual([1, 1]);
  });

  it.each<[string, (query: Buffer) => Buffer[]]>([
    ['rubbish', () => [Buffer.from('rubbish')]],
    ['nothing', () => [Buffer.alloc(0)]],
    ['a cut answer', (query) => [response(query, 0, [pointer(labels('host.example.org'))]).subarray(0, 40)]],
    ['a name that points to itself', (query) => [response(query, 0, [pointer(Buffer.from([0xc0, 46]))])]],
    [
      'the answer to another question',
      (query) => [response(Buffer.from(query).fill(1, 0, 2), 0, [pointer(labels('evil.example'))])],
    ],
    ['a failing server', (query) => [response(query, 2, [])]],
    ['a refusal', (query) => [response(query, 5, [])]],
    ['markup', (query) => [response(query, 0, [pointer(labels('<b>x</b>.example'))])]],
    ['bytes', (query) => [response(query, 0, [pointer(Buffer.from([4, 0, 1, 27, 255, 0]))])]],
    ['many answers', (query) => Array.from({ length: 200 }, () => response(query, 3, []))],
  ])('takes %s for no name', async (_, raw) => {
    const { server } = await serve(() => ({ raw }));
    const dns = resolver(server, { timeoutMillis: 100 });
    expect(await dns.names([words('192.0.2.7')], 20_000)).toEqual(['']);
    const { found, absent, failed, refused } = dns.counters;
    expect([found, absent + failed + refused]).toEqual([0, 1]);
  });

  it('bounds what is under way, what waits and what is remembered', async () => {
    const { server, asked, held } = await serve(() => null);
    const dns = resolver(server, { concurrency: 2, cacheSize: 50, timeoutMillis: 20_000 });
    const many = Array.from({ length: 1000 }, (_, i) => words(`10.0.${i >> 8}.${i & 255}`));
    await dns.names(many, 10);
    await until(() => asked.length === 2);
    expect([asked.length, dns.counters.dropped]).toEqual([2, 1000 - 202]);
    while (dns.counters.found < 202) {
      for (const send of held.splice(0)) send();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([asked.length, dns.size]).toEqual([202, 50]);
  });
});

describe('hosts', () => {
  const networks = [{ name: 'office', cidr: ['192.0.2.0/24'], local: true }];
  it('are shown with all that is known, and asked for only where they may be', async () => {
    const { server, asked } = await serve(() => 'host.example.org');
    const enricher = new Enricher({ networks, country: null, asn: null });
    const lookup = (scope: 'local' | 'all') =>
      createHostLookup({ enricher, reverseDns: resolver(server), scope, budgetMillis: 20_000 });
    const addresses = ['192.0.2.7', '::ffff:192.0.2.7', '198.51.100.1', '224.0.0.251', '127.0.0.1', '::', 'ff02::fb'];
    const hosts = await lookup('local').lookupHosts(addresses);
    expect(hosts[0]).toEqual({
      address: '192.0.2.7',
      name: 'host.example.org',
      country: '',
      asn: 0,
      as_name: '',
      network: 'office',
      local: true,
    });
    expect(hosts[1]).toEqual(hosts[0]);
    expect(hosts.slice(2).map(({ name }) => name)).toEqual(['', '', '', '', '']);
    expect(asked).toEqual(['7.2.0.192.in-addr.arpa']);
    const all = await lookup('all').lookupHosts(addresses);
    expect(all.map(({ name }) => name !== '')).toEqual([true, true, true, false, false, false, false]);
  });

  it('work without reverse DNS, and refuse what is no address', async () => {
    const enricher = new Enricher({ networks, country: null, asn: null });
    const { lookupHosts } = createHostLookup({ enricher, reverseDns: null, scope: 'all', budgetMillis: 0 });
    expect(await lookupHosts(['192.0.2.7'])).toMatchObject([{ name: '', network: 'office' }]);
    await expect(lookupHosts(['192.0.2.7/24'])).rejects.toThrow(RangeError);
  });
});
