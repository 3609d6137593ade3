/** dns, http and tls from frames to rows: pairing, order, limits, hostile bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Application } from '../flow-table/index.js';
import {
  analyzeFrames,
  bytesOf,
  clientHelloBytes,
  conversation,
  dnsBytes,
  dnsOverTcp,
  tcpFrame,
  tlsRecord,
  udpFrame,
} from './application-testing.js';
import type { ApplicationResult, TestFrame } from './application-testing.js';
import { dnsTask } from './dns.js';
import { httpTask } from './http.js';
import { tlsTask } from './tls.js';

const request = (path: string, method = 'GET'): Uint8Array =>
  bytesOf(`${method} ${path} HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: test/1\r\n\r\n`);
const response = (body: string, head = 'HTTP/1.1 200 OK'): Uint8Array =>
  bytesOf(`${head}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
const application = (result: ApplicationResult): number => result.flowTable.application[0]!;
const pick = (rows: readonly Record<string, string>[], ...names: string[]): string[] =>
  rows.map((row) => names.map((name) => row[name]).join(' '));

describe('dns', () => {
  it('pairs query and response with latency and answers', () => {
    const result = analyzeFrames([
      udpFrame(0, 53, dnsBytes(7, 'www.example.org'), 100),
      udpFrame(1, 53, dnsBytes(7, 'WWW.example.org', { response: true, answers: ['192.0.2.9', '192.0.2.10'] }), 112),
    ]);
    expect(result.dnsRows).toMatchObject([
      {
        timestamp: '1700000000.100000000',
        client_ip: '::ffff:c000:0201',
        server_ip: '::ffff:c633:6402',
        client_port: '40000',
        server_port: '53',
        transport: 'udp',
        service: 'dns',
        queries: '1',
        responses: '1',
        name: 'www.example.org',
        type: 'A',
        rcode: 'NOERROR',
        answer_count: '2',
        answers: "['192.0.2.9','192.0.2.10']",
        latency_ns: '12000000',
      },
    ]);
    expect(result.dns).toMatchObject({
      queries: 1,
      responses: 1,
      names: [{ name: 'www.example.org', count: 1 }],
      rcodes: { NOERROR: 1 },
      protocols: { dns: { packets: 2, bytes: 75 + 107 } },
    });
    expect(application(result)).toBe(Application.Dns);
  });

  it('joins repeated queries, and gives messages without partner rows of their own', () => {
    const result = analyzeFrames([
      udpFrame(0, 53, dnsBytes(1, 'twice.example'), 0),
      udpFrame(0, 53, dnsBytes(1, 'twice.example'), 500),
      udpFrame(0, 53, dnsBytes(2, 'silent.example'), 600),
      udpFrame(1, 53, dnsBytes(1, 'twice.example', { response: true, rcode: 3 }), 700),
      udpFrame(1, 53, dnsBytes(1, 'twice.example', { response: true, rcode: 3 }), 701),
      udpFrame(0, 53, dnsBytes(3, 'late.example'), 20_000),
      udpFrame(0, 53, dnsBytes(4, 'a.example'), 20_001),
      udpFrame(1, 53, dnsBytes(4, 'b.example', { response: true, rcode: 2 }), 20_002),
    ]);
    expect(pick(result.dnsRows, 'name', 'queries', 'responses', 'rcode', 'latency_ns').sort()).toEqual([
      'a.example 1 0  0',
      'b.example 0 1 SERVFAIL 0',
      'late.example 1 0  0',
      'silent.example 1 0  0',
      'twice.example 0 1 NXDOMAIN 0',
      'twice.example 2 1 NXDOMAIN 700000000',
    ]);
  });

  it('does not pair mDNS, and names services by port', () => {
    const result = analyzeFrames([
      udpFrame(0, 5353, dnsBytes(0, '_ipp._tcp.local', { type: 12 }), 0),
      udpFrame(1, 5353, dnsBytes(0, '_ipp._tcp.local', { type: 12, response: true }), 1),
      udpFrame(0, 5355, dnsBytes(5, 'host'), 2),
    ]);
    expect(pick(result.dnsRows, 'service', 'queries', 'responses').sort()).toEqual([
      'llmnr 1 0',
      'mdns 0 1',
      'mdns 1 0',
    ]);
    expect(result.dns.protocols).toMatchObject({ mdns: { packets: 2 }, llmnr: { packets: 1 } });
    expect(result.dns.queries).toBe(2);
  });

  it('reads several messages in a TCP stream, however it is cut', () => {
    const turns = [
      {
        from: 0 as const,
        data: Uint8Array.from([...dnsOverTcp(dnsBytes(1, 'one.example')), ...dnsOverTcp(dnsBytes(2, 'two.example'))]),
      },
      {
        from: 1 as const,
        data: Uint8Array.from(
          [2, 1].flatMap((id) => [
            ...dnsOverTcp(dnsBytes(id, id === 1 ? 'one.example' : 'two.example', { response: true })),
          ]),
        ),
      },
    ];
    for (let cut = 1; cut < turns[0]!.data.length; cut += 1) {
      const result = analyzeFrames(conversation(turns, { port: 53, cutsAt: [cut] }));
      expect(pick(result.dnsRows, 'transport', 'name', 'queries', 'responses')).toEqual([
        'tcp two.example 1 1',
        'tcp one.example 1 1',
      ]);
    }
  });

  it('counts names exactly up to its limit and the rest together', () => {
    const frames = ['a', 'b', 'c', 'a'].map((name, i) => udpFrame(0, 53, dnsBytes(i, `${name}.example`), i));
    const result = analyzeFrames(frames, { names_max: 2 });
    expect([result.dns.names, result.dns.names_other]).toEqual([
      [
        { name: 'a.example', count: 2 },
        { name: 'b.example', count: 1 },
      ],
      1,
    ]);
    const merged = dnsTask.merge([result.dns, result.dns]);
    expect(merged).toMatchObject({ queries: 8, names_other: 2, protocols: { dns: { packets: 8 } } });
    expect(merged.names[0]).toEqual({ name: 'a.example', count: 4 });
  });

  it('keeps no rows when only the report is wanted', () => {
    const result = analyzeFrames([udpFrame(0, 53, dnsBytes(1, 'x.example'))], { windows: false });
    expect([result.dnsRows, result.dns.queries]).toEqual([[], 1]);
  });
});

describe('http', () => {
  const turns = [
    { from: 0 as const, data: request('/a') },
    { from: 1 as const, data: response('x'.repeat(3_000)) },
    { from: 0 as const, data: request('/b', 'HEAD') },
    { from: 1 as const, data: bytesOf('HTTP/1.1 404 Not Found\r\nContent-Length: 77\r\n\r\n') },
    { from: 0 as const, data: Uint8Array.from([...request('/c'), ...request('/d')]) },
    { from: 1 as const, data: Uint8Array.from([...response('c'), ...response('dd', 'HTTP/1.1 500 Oh')]) },
  ];
  const wanted = ['GET /a 200 1 1', 'HEAD /b 404 1 1', 'GET /c 200 1 1', 'GET /d 500 1 1'];
  const rowsOf = (result: ApplicationResult): string[] =>
    pick(result.httpRows, 'method', 'path', 'status', 'requests', 'responses');

  it('pairs requests and responses in their order', () => {
    const result = analyzeFrames(conversation(turns));
    expect(rowsOf(result)).toEqual(wanted);
    expect(result.httpRows[0]).toMatchObject({
      host: 'www.example.org',
      user_agent: 'test/1',
      content_type: 'text/html',
      request_bytes: String(turns[0]!.data.length),
      response_bytes: String(turns[1]!.data.length),
      latency_ns: '1000000',
    });
    expect(result.http).toMatchObject({
      requests: 4,
      responses: 4,
      methods: { GET: 3, HEAD: 1 },
      hosts: [{ host: 'www.example.org', count: 4 }],
      statuses: { '200': 2, '404': 1, '500': 1 },
      protocols: { http: { packets: 6 } },
    });
    expect(application(result)).toBe(Application.Http);
    expect(httpTask.merge([result.http, result.http])).toMatchObject({ requests: 8, methods: { GET: 6 } });
  });

  it('sees the same wherever the segments end', () => {
    const bytes = turns.filter(({ from }) => from === 0).reduce((sum, { data }) => sum + data.length, 0);
    for (let cut = 1; cut < bytes; cut += 1) {
      expect(rowsOf(analyzeFrames(conversation(turns, { cutsAt: [cut], initial: 0xfffff000 })))).toEqual(wanted);
    }
    for (const segmentBytes of [1, 2, 7, 100]) {
      expect(rowsOf(analyzeFrames(conversation(turns, { segmentBytes, port: 12_345 })))).toEqual(wanted);
    }
  });

  it('sees the same when segments are repeated or change places', () => {
    const frames = conversation(turns, { segmentBytes: 40 });
    const seed = 20_240_601;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 4, max: frames.length - 5 }), fc.boolean()), { maxLength: 12 }),
        (changes) => {
          const order = [...frames];
          for (const [at, swap] of changes) {
            // Neighbours of one direction change places (which is what networks do), or one is sent again.
            const here = order[at]!;
            const next = order[at + 1]!;
            const same = here.bytes[26] === next.bytes[26];
            if (swap && same) [order[at], order[at + 1]] = [next, here];
            else order.splice(at + 1, 0, here);
          }
          expect(rowsOf(analyzeFrames(order))).toEqual(wanted);
        },
      ),
      { numRuns: 150, seed, interruptAfterTimeLimit: 5_000, verbose: 1 },
    );
  });

  it('goes on behind a lost response head, and tells of the request without it', () => {
    const frames = conversation(turns, { segmentBytes: 100 });
    const first = frames.findIndex(({ bytes }) => bytes[26] === 198 && bytes.length > 100);
    const result = analyzeFrames(frames.filter((_, i) => i !== first));
    expect(rowsOf(result)).toEqual(['GET /a 0 1 0', ...wanted.slice(1)]);
    expect(result.tracker.counters().streamGaps).toBe(1);
  });

  it('reads what a short snap length leaves', () => {
    const frames = conversation(turns).map((frame) => ({ ...frame, bytes: frame.bytes.subarray(0, 54 + 600) }));
    expect(rowsOf(analyzeFrames(frames))).toEqual(wanted);
  });

  it('ends HTTP at an upgrade, and finds TLS behind CONNECT', () => {
    const upgraded = analyzeFrames(
      conversation([
        { from: 0, data: bytesOf('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n') },
        { from: 1, data: bytesOf('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n') },
        { from: 0, data: bytesOf('GET /not-a-request HTTP/1.1\r\n\r\n') },
      ]),
    );
    expect(rowsOf(upgraded)).toEqual(['GET /ws 101 1 1']);
    const tunnelled = analyzeFrames(
      conversation(
        [
          { from: 0, data: bytesOf('CONNECT inner.example:443 HTTP/1.1\r\nHost: inner.example:443\r\n\r\n') },
          { from: 1, data: bytesOf('HTTP/1.1 200 Connection established\r\n\r\n') },
          { from: 0, data: clientHelloBytes('inner.example') },
        ],
        { port: 3_128 },
      ),
    );
    expect(rowsOf(tunnelled)).toEqual(['CONNECT inner.example:443 200 1 1']);
    expect(pick(tunnelled.tlsRows, 'server_name')).toEqual(['inner.example']);
  });

  it('gives interim responses rows of their own', () => {
    const result = analyzeFrames(
      conversation([
        { from: 0, data: bytesOf('POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n') },
        { from: 1, data: bytesOf('HTTP/1.1 100 Continue\r\n\r\n') },
        { from: 0, data: bytesOf('ok') },
        { from: 1, data: bytesOf('HTTP/1.1 204 No Content\r\n\r\n') },
      ]),
    );
    expect(rowsOf(result)).toEqual(['POST /up 100 0 1', 'POST /up 204 1 1']);
    expect(result.http).toMatchObject({ requests: 1, responses: 2, statuses: { '100': 1, '204': 1 } });
  });

  it('begins in the middle of a connection', () => {
    const frames = conversation(turns).slice(4);
    expect(rowsOf(analyzeFrames(frames))).toEqual(['  200 0 1', ...wanted.slice(1)]);
  });

  it('tells of what is half-seen when the connection is reset or the capture ends', () => {
    const frames = [
      tcpFrame({ from: 0, sequence: 1, acknowledgment: 1, data: request('/x') }),
      tcpFrame({
        from: 1,
        sequence: 1,
        acknowledgment: 200,
        data: bytesOf('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
      }),
    ];
    const open = analyzeFrames(frames);
    expect([rowsOf(open), open.http.requests, open.http.responses]).toEqual([['GET /x 200 1 1'], 1, 0]);
    const reset = analyzeFrames([...frames, tcpFrame({ from: 1, sequence: 500, flags: 4 })]);
    expect(rowsOf(reset)).toEqual(['GET /x 200 1 1']);
  });

  it('lets a 5-tuple be used again', () => {
    const once = conversation(turns);
    const again = conversation(turns, { initial: 77_000_000 });
    expect(rowsOf(analyzeFrames([...once, ...again]))).toEqual([...wanted, ...wanted]);
  });

  it('follows no more connections than it may', () => {
    const frames: TestFrame[] = [];
    for (let i = 0; i < 50; i += 1) {
      frames.push(tcpFrame({ from: 0, sequence: 1, acknowledgment: 1, data: request(`/${i}`), clientPort: 1_000 + i }));
    }
    const result = analyzeFrames(frames, { connectionsMax: 8 });
    expect(result.tracker.counters()).toMatchObject({ connections: 0, connectionsEvicted: 42 });
    expect(rowsOf(result).length).toBe(50);
  });

  it('marks flows of other protocols so that they cost nothing more', () => {
    const result = analyzeFrames([
      tcpFrame({ from: 1, sequence: 1, acknowledgment: 1, data: bytesOf('220 mail.example ESMTP\r\n'), port: 25 }),
      tcpFrame({
        from: 0,
        sequence: 1,
        acknowledgment: 1,
        data: bytesOf('OPTIONS sip:a SIP/2.0\r\n\r\n'),
        port: 5_060,
        clientPort: 5_000,
      }),
      tcpFrame({
        from: 1,
        sequence: 1,
        acknowledgment: 1,
        data: bytesOf('SSH-2.0-x\r\n'),
        port: 22,
        clientPort: 6_000,
      }),
    ]);
    expect(Array.from(result.flowTable.application.slice(0, 3))).toEqual([
      Application.Other,
      // 5000 is a port where HTTP is likely
      Application.Unknown,
      Application.Ssh,
    ]);
    expect(result.http.requests).toBe(0);
  });
});

describe('tls', () => {
  it('makes a row of each ClientHello and counts frames by record borders', () => {
    const frames = conversation(
      [
        { from: 0, data: clientHelloBytes('www.example.org', { recordBytes: 50, padding: 2_000 }) },
        { from: 1, data: Uint8Array.from([...tlsRecord(80, 22), ...tlsRecord(8_000)]) },
        { from: 0, data: tlsRecord(100) },
      ],
      { port: 8_443 },
    );
    const result = analyzeFrames(frames);
    expect(result.tlsRows).toMatchObject([
      { server_name: 'www.example.org', alpn: "['h2','http/1.1']", version: 'TLS 1.3', server_port: '8443' },
    ]);
    expect(result.tls).toMatchObject({
      client_hellos: 1,
      server_names: [{ name: 'www.example.org', count: 1 }],
      // Two with the hello; of six with the large record its first and its last; one with the client's.
      protocols: { tls: { packets: 5 } },
    });
    expect(application(result)).toBe(Application.Tls);
    expect(tlsTask.merge([result.tls, result.tls])).toMatchObject({ client_hellos: 2 });
  });

  it('sees the same wherever the segments end', () => {
    const data = clientHelloBytes('split.example', { recordBytes: 100 });
    for (let cut = 1; cut < data.length; cut += 1) {
      const result = analyzeFrames(conversation([{ from: 0, data }], { port: 443, cutsAt: [cut] }));
      expect(pick(result.tlsRows, 'server_name', 'version')).toEqual(['split.example TLS 1.3']);
    }
  });
});

describe('hostile packets', () => {
  it('neither throw nor leave anything behind', () => {
    const good = [
      ...conversation(
        [
          { from: 0, data: request('/a') },
          { from: 1, data: response('x'.repeat(300)) },
        ],
        { segmentBytes: 50 },
      ),
      ...conversation([{ from: 0, data: clientHelloBytes('a.example', { recordBytes: 60 }) }], {
        port: 443,
        segmentBytes: 70,
      }),
      ...conversation([{ from: 0, data: dnsOverTcp(dnsBytes(1, 'a.example')) }], { port: 53, segmentBytes: 9 }),
      udpFrame(0, 53, dnsBytes(1, 'a.example')),
      udpFrame(1, 53, dnsBytes(1, 'a.example', { response: true, answers: ['192.0.2.1'] })),
    ];
    const change = fc.record({
      frame: fc.nat(good.length - 1),
      at: fc.integer({ min: 34, max: 200 }),
      value: fc.nat(255),
      cut: fc.option(fc.nat(150), { freq: 5 }),
      times: fc.constantFrom(0, 1, 1, 1, 2),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const frames: TestFrame[][] = good.map((frame) => [{ ...frame, bytes: frame.bytes.slice() }]);
        for (const { frame, at, value, cut, times } of changes) {
          const one = frames[frame]![0] ?? good[frame]!;
          if (at < one.bytes.length) one.bytes[at] = value;
          const bytes = cut === null ? one.bytes : one.bytes.subarray(0, cut);
          frames[frame] = Array.from({ length: times }, () => ({ ...one, bytes }));
        }
        const result = analyzeFrames(frames.flat(), { connectionsMax: 3, heldBytesMax: 500 });
        expect(result.tracker.counters().connections).toBe(0);
        expect(result.tracker.budget.bytes).toBe(0);
        const sum = (rows: readonly Record<string, string>[], column: string): number =>
          rows.reduce((total, row) => total + Number(row[column]), 0);
        expect(sum(result.dnsRows, 'queries')).toBe(result.dns.queries);
        expect(sum(result.dnsRows, 'responses')).toBe(result.dns.responses);
        expect(sum(result.httpRows, 'requests')).toBeGreaterThanOrEqual(result.http.requests);
        expect(sum(result.httpRows, 'responses')).toBeGreaterThanOrEqual(result.http.responses);
        expect(result.tlsRows.length).toBe(result.tls.client_hellos);
      }),
      { numRuns: 1_500, interruptAfterTimeLimit: 3_000, verbose: 1 },
    );
  });
});
