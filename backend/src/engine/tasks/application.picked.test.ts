/**
 * What the probe leaves out of the payload is not missed: with the bytes that its picker sends, DNS, HTTP and TLS have
 * the rows, and flows the applications, that they have with all bytes.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PayloadPicker } from '@netspectra/collector/probe';
import type { PacketBatch } from '@netspectra/proto';
import { analyzeFrames, bytesOf, clientHelloBytes, conversation, framesOf, tlsRecord } from './application-testing.js';
import type { ApplicationResult, TestFrame, Turn } from './application-testing.js';

const corpus = fileURLToPath(new URL('../../../../../shared/corpus/', import.meta.url));
const fixtures = fileURLToPath(new URL('../../../../test/fixtures/', import.meta.url));

/**
 * Where HTTP differs: chunks behind the first 64 KB of a response are not followed, and the second part of a request's head
 * came in fragments, before the first.
 */
const httpDiffers = new Set(['1kxun.pcap', 'gtp1_gn_normal_incl_fragmentation.pcap']);

/** Rows and applications, in no order: the picker may change who waits for whom, not what comes of it. */
function found({ dnsRows, httpRows, tlsRows, flowTable }: ApplicationResult, frames: number) {
  const sorted = (rows: readonly object[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
  return {
    dns: sorted(dnsRows),
    http: sorted(httpRows),
    tls: sorted(tlsRows),
    applications: Array.from(flowTable.application.subarray(0, Math.min(frames, flowTable.application.length))),
  };
}

/** @returns bytes of payload that were captured, and that travelled */
function sameWhenPicked(frames: readonly TestFrame[], httpToo = true): { captured: number; travelled: number } {
  const picker = new PayloadPicker('applications');
  const bytes = { captured: 0, travelled: 0 };
  const pick = (batch: PacketBatch, row: number): number => {
    const picked = picker.pick(batch, row, batch.payload);
    bytes.captured += batch.payloadLength[row]!;
    bytes.travelled += picked;
    return picked;
  };
  const all = analyzeFrames(frames);
  const picked = analyzeFrames(frames, { pick, countTlsFrames: false });
  const wanted = found(all, frames.length);
  expect(found(picked, frames.length)).toEqual(httpToo ? wanted : { ...wanted, http: expect.any(Array) as unknown });
  expect(picked.tracker.counters().connections).toBe(0);
  return bytes;
}

const capturesIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => /\.pcap(ng)?$/.test(name)) : [];

describe('captures give the same', () => {
  for (const name of capturesIn(fixtures)) {
    it(name, () => void sameWhenPicked(framesOf(readFileSync(fixtures + name))));
  }
  for (const name of capturesIn(corpus)) {
    it(name, () => void sameWhenPicked(framesOf(readFileSync(corpus + name)), !httpDiffers.has(name)));
  }
});

const body = (length: number, byte = 0x61): string => String.fromCharCode(byte).repeat(length);
const turn = (from: 0 | 1, data: string | Uint8Array): Turn => ({
  from,
  data: typeof data === 'string' ? bytesOf(data) : data,
});
const get = (path: string, method = 'GET'): Turn => turn(0, `${method} ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
const response = (length: number, rest = '', status = '200 OK'): string =>
  `HTTP/1.1 ${status}\r\ncontent-LENGTH: ${length}\r\n\r\n${body(Math.min(length, 100_000))}${rest}`;
const chunks = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'5dc\r\n'}${body(1_500)}\r\n0\r\n\r\n`;

describe('HTTP gives the same', () => {
  const cases: Record<string, Turn[]> = {
    'bodies of all lengths': [1, 1_399, 1_460, 2_920, 40_000].flatMap((length) => [
      get(`/${length}`),
      turn(1, response(length)),
    ]),
    'pipelined responses in one segment': [
      get('/1'),
      get('/2'),
      get('/3'),
      turn(1, response(3_000, chunks + response(20))),
    ],
    'a chunked body behind HEAD': [
      get('/1', 'HEAD'),
      get('/2'),
      turn(1, response(4_000).slice(0, 50).replace(/a+$/, '') + chunks),
    ],
    'CONNECT and TLS': [
      get('b.example:443', 'CONNECT'),
      turn(1, response(90_000).replace(/a+$/, '')),
      turn(0, clientHelloBytes('c.example')),
    ],
    'no body with 304': [get('/1'), turn(1, response(5_000, '', '304 Not Modified').replace(/a+$/, '') + chunks)],
    'an upload': [
      turn(0, `POST / HTTP/1.1\r\nContent-Length: 30000\r\n\r\n${body(30_000)}`),
      turn(1, response(0)),
      get('/2'),
      turn(1, chunks),
    ],
    'two lengths': [
      get('/1'),
      turn(1, 'HTTP/1.1 200 OK\r\nContent-Length: 3000\r\nContent-Length: 3000\r\n\r\n' + body(3_000) + chunks),
    ],
    'a length and chunks': [
      get('/1'),
      turn(1, chunks.replace('Transfer', 'Content-Length: 9000\r\nTransfer')),
      turn(1, chunks),
    ],
    'until the end': [get('/1'), turn(1, `HTTP/1.1 200 OK\r\n\r\n${body(5_000)}`)],
  };
  for (const [name, turns] of Object.entries(cases)) {
    it.each([1_460, 700, 61])(`${name}, segments of %d bytes`, (segmentBytes) => {
      for (const initial of [1_000, 2 ** 32 - 2_000, 2 ** 32 - 1_002_000]) {
        sameWhenPicked(conversation(turns, { segmentBytes, initial }));
      }
    });
  }

  it('when segments are repeated or change places', () => {
    const frames = conversation([get('/1'), turn(1, response(8_000, chunks)), get('/2'), turn(1, response(8_000))]);
    for (let i = 3; i + 1 < frames.length - 3; i += 1) {
      sameWhenPicked([...frames.slice(0, i), frames[i + 1]!, frames[i]!, ...frames.slice(i + 2)]);
      sameWhenPicked([...frames.slice(0, i), frames[i]!, ...frames.slice(i)]);
    }
  });

  it('and leaves bodies out', () => {
    const { captured, travelled } = sameWhenPicked(conversation([get('/1'), turn(1, response(60_000))]));
    expect(captured).toBeGreaterThan(60_000);
    expect(travelled).toBeLessThan(200);
  });
});

const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const changeCipher = Uint8Array.from([20, 3, 3, 0, 1, 1]);
/** A ServerHello, or what looks like one: a handshake record that is no ClientHello. */
const serverHello = (length = 90): Uint8Array => {
  const record = tlsRecord(length, 22);
  record[5] = 2;
  return record;
};

describe('TLS gives the same', () => {
  const hello = clientHelloBytes('a.example');
  const long = clientHelloBytes('b.example', { padding: 1_800 });
  const cases: Record<string, Turn[]> = {
    'TLS 1.3': [
      turn(0, hello),
      turn(1, join(serverHello(), changeCipher, tlsRecord(3_000))),
      turn(0, join(changeCipher, tlsRecord(60), tlsRecord(600))),
      turn(1, join(tlsRecord(16_000), tlsRecord(16_000), tlsRecord(100))),
    ],
    'certificates in the clear': [
      turn(0, long),
      turn(1, join(serverHello(), serverHello(6_000), serverHello(4))),
      turn(0, join(serverHello(64), changeCipher, serverHello(40))),
      turn(1, join(changeCipher, serverHello(40))),
      turn(0, tlsRecord(2_000)),
      turn(1, tlsRecord(9_000)),
    ],
    'a second ClientHello': [
      turn(0, long),
      turn(1, join(serverHello(), changeCipher)),
      turn(0, join(changeCipher, clientHelloBytes('second.example'))),
      turn(1, join(serverHello(), tlsRecord(2_000))),
      turn(0, tlsRecord(2_000)),
    ],
    'early data before a second ClientHello': [
      turn(0, join(hello, changeCipher, tlsRecord(900))),
      turn(0, tlsRecord(1_000)),
      turn(1, join(serverHello(), changeCipher)),
      turn(0, clientHelloBytes('second.example')),
    ],
    'a connection that began before': [
      turn(0, tlsRecord(2_000)),
      turn(1, tlsRecord(5_000)),
      turn(0, tlsRecord(90, 21)),
    ],
    'TLS behind CONNECT': [
      get('b.example:443', 'CONNECT'),
      turn(1, 'HTTP/1.1 200 OK\r\n\r\n'),
      turn(0, long),
      turn(1, join(serverHello(), tlsRecord(2_000))),
      turn(0, tlsRecord(2_000)),
    ],
  };
  for (const [name, turns] of Object.entries(cases)) {
    it.each([1_460, 1_200])(`${name}, segments of %d bytes`, (segmentBytes) => {
      for (const initial of [1_000, 2 ** 32 - 2_000, 2 ** 32 - 1_002_000]) {
        sameWhenPicked(conversation(turns, { segmentBytes, initial, port: 443 }));
      }
    });
  }

  it('when a ClientHello is sent again', () => {
    const frames = conversation(cases['TLS 1.3']!, { port: 443 });
    sameWhenPicked([...frames.slice(0, 5), frames[3]!, ...frames.slice(5, 9), frames[3]!, ...frames.slice(9)]);
    const twice = conversation(cases['a second ClientHello']!, { port: 443 });
    sameWhenPicked([...twice.slice(0, -3), ...twice.slice(3, 7), ...twice.slice(-3)]);
  });

  it('and leaves records out', () => {
    const { captured, travelled } = sameWhenPicked(conversation(cases['TLS 1.3']!, { port: 443 }));
    expect(captured).toBeGreaterThan(35_000);
    // ... but for the client's Finished and what comes with it.
    expect(travelled - hello.length).toBeLessThan(700);
  });

  it('with other flows of the same slot in between', () => {
    // 65,536 slots: of 1,500 flows some 17 pairs share one; all have each other's turns between theirs.
    const flows = Array.from({ length: 1_500 }, (_, i) =>
      conversation(Object.values(cases)[i % 6]!, { port: 443 }).map((frame) => {
        const bytes = frame.bytes.slice();
        const fromClient = bytes[26] === 192;
        bytes.set([10, 0, i >>> 8, i & 255], fromClient ? 26 : 30);
        return { ...frame, bytes };
      }),
    );
    const frames = Array.from({ length: 60 }, (_, turnOf) => flows.flatMap((flow) => flow.slice(turnOf, turnOf + 1)));
    sameWhenPicked(frames.flat());
  });
});
