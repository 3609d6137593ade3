import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HttpBody, HttpParser, recognizeHttp } from './http.js';
import type { HttpMessage } from './http.js';
import { Recognition } from './recognition.js';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

interface Seen {
  heads: string[];
  ends: string[];
  lost: number;
}

function parser(wish: (message: HttpMessage) => number = () => HttpBody.Framed): [HttpParser, Seen] {
  const seen: Seen = { heads: [], ends: [], lost: 0 };
  const subject = new HttpParser({
    httpHead(message) {
      seen.heads.push(message.isRequest ? `${message.method} ${message.host}${message.target}` : `${message.status}`);
      return wish(message);
    },
    httpEnd(message, complete) {
      seen.ends.push(`${message.bytes}${complete ? '' : ' cut'}`);
    },
    httpLost() {
      seen.lost += 1;
    },
  });
  return [subject, seen];
}

function feed(text: string, wish?: (message: HttpMessage) => number): Seen {
  const [subject, seen] = parser(wish);
  const bytes = bytesOf(text);
  subject.data(bytes, 0, bytes.length);
  return seen;
}

const requests =
  'GET /a?b=c HTTP/1.1\r\nHost: One.example\r\nUser-Agent: x/1\r\n\r\n' +
  '\r\nPOST /p HTTP/1.1\nhost:two.example\nContent-Length: 5\n\nhello' +
  'PUT http://three.example/x HTTP/1.0\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 3\r\n\r\n' +
  '5;ext=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n' +
  'OPTIONS * HTTP/1.1\r\nHost: four\r\n\r\n';
const requestHeads = ['GET One.example/a?b=c', 'POST two.example/p', 'PUT three.example/x', 'OPTIONS four*'];
const requestEnds = ['59', '58', '140', '34'];

describe('HttpParser', () => {
  it('reads requests with every kind of body', () => {
    const seen = feed(requests);
    expect(seen).toEqual({ heads: requestHeads, ends: requestEnds, lost: 0 });
  });

  it('sees the same however the stream is cut', () => {
    const bytes = bytesOf(requests);
    for (let first = 0; first <= bytes.length; first += 1) {
      for (let second = first; second <= bytes.length; second += 7) {
        const [subject, seen] = parser();
        subject.data(bytes, 0, first);
        subject.data(bytes, first, second);
        subject.data(bytes, second, bytes.length);
        expect(seen).toEqual({ heads: requestHeads, ends: requestEnds, lost: 0 });
      }
    }
    const [subject, seen] = parser();
    for (let at = 0; at < bytes.length; at += 1) subject.data(bytes, at, at + 1);
    expect(seen.heads).toEqual(requestHeads);
  });

  it('reads responses: interim, without body, by length, chunked, until close', () => {
    const [subject, seen] = parser();
    const text =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' +
      'HTTP/1.0 200 OK\r\n\r\nall the rest HTTP/1.1 200 OK\r\n\r\n';
    const bytes = bytesOf(text);
    subject.data(bytes, 0, bytes.length);
    expect(seen.heads).toEqual(['100', '204', '304', '200', '200', '200']);
    expect(seen.ends.length).toBe(5);
    subject.close(true);
    expect(seen.ends[5]).toBe(`${'HTTP/1.0 200 OK\r\n\r\nall the rest HTTP/1.1 200 OK\r\n\r\n'.length}`);
  });

  it('heeds what the handler knows: no body after HEAD, no HTTP after CONNECT', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n';
    expect(feed(head + head, () => HttpBody.None).heads).toEqual(['200', '200']);
    expect(feed(head + head, () => HttpBody.Ended).heads).toEqual(['200']);
  });

  it('passes over bodies that are not there, and counts them', () => {
    const [subject, seen] = parser();
    const head = bytesOf('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
    subject.data(head, 0, head.length);
    subject.skip(999_990);
    subject.touched = false;
    const rest = bytesOf('0123456789HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    subject.data(rest, 0, rest.length);
    expect(seen.heads).toEqual(['200', '404']);
    expect(seen.ends[0]).toBe(String(head.length + 1_000_000));
    expect(subject.touched).toBe(true);
  });

  it('finds the next message after lost bytes', () => {
    const [subject, seen] = parser();
    const part = bytesOf('HTTP/1.1 200 OK\r\nContent-');
    subject.data(part, 0, part.length);
    subject.skip(100);
    const body = bytesOf('some body');
    subject.data(body, 0, body.length);
    expect(subject.lost).toBe(true);
    const next = bytesOf('HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n');
    subject.data(next, 0, next.length);
    expect(seen).toEqual({ heads: ['500'], ends: [String(next.length)], lost: 1 });
  });

  it('refuses lengths that contradict each other, and other protocols', () => {
    expect(feed('POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello').lost).toBe(1);
    expect(feed('POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\nhello').lost).toBe(1);
    expect(feed('POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\nhello').ends.length).toBe(1);
    for (const line of ['OPTIONS sip:x SIP/2.0', 'OPTIONS rtsp://x RTSP/1.0', 'HTTP/1.1 2xx', 'GETX / HTTP/1.1']) {
      const [subject, seen] = parser();
      const bytes = bytesOf(`${line}\r\n\r\n`);
      subject.data(bytes, 0, bytes.length);
      expect([subject.confirmed, seen.heads]).toEqual([false, []]);
    }
  });

  it('bounds the head', () => {
    const [subject, seen] = parser();
    const piece = bytesOf(`X: ${'y'.repeat(1_000)}\r\n`);
    const first = bytesOf('GET / HTTP/1.1\r\n');
    subject.data(first, 0, first.length);
    for (let i = 0; i < 100; i += 1) subject.data(piece, 0, piece.length);
    expect(seen.heads).toEqual([]);
    expect([subject.lost, subject.broken]).toEqual([true, 1]);
  });

  it('bounds the values and shows bytes that are no text', () => {
    const [subject] = parser();
    const bytes = bytesOf(`GET /${'p'.repeat(5_000)} HTTP/1.1\r\nHost: \xffa${'h'.repeat(300)}\r\n\r\n`);
    subject.data(bytes, 0, bytes.length);
    expect(subject.message.target.length).toBe(2_048);
    expect(subject.message.host.startsWith('\\xffah')).toBe(true);
    expect(subject.message.host.length).toBe(255 + 3);
  });

  it('recognises beginnings', () => {
    const of = (text: string): number => recognizeHttp(bytesOf(text), 0, text.length);
    expect([of('GET '), of('HTTP/1.1'), of('G'), of('HTT'), of('GEX'), of(''), of('\x16\x03')]).toEqual([
      Recognition.Yes,
      Recognition.Yes,
      Recognition.Perhaps,
      Recognition.Perhaps,
      Recognition.No,
      Recognition.No,
      Recognition.No,
    ]);
  });

  it('survives any bytes, gaps and cuts', () => {
    const token = fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'HTTP/1.1 200 OK\r\n',
      'Content-Length: ',
      'Transfer-Encoding: chunked\r\n',
      '\r\n',
      '\n',
      'ffffffffffff',
      '5',
      '0\r\n\r\n',
      ':',
    );
    const piece = fc.oneof(token.map(bytesOf), fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 1e12 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.boolean(), (pieces, orderly) => {
        const [subject, seen] = parser();
        for (const one of pieces) {
          if (typeof one === 'number') subject.skip(one);
          else subject.data(one, 0, one.length);
        }
        subject.close(orderly);
        expect(seen.ends.length).toBe(seen.heads.length);
      }),
      { numRuns: 5_000, interruptAfterTimeLimit: 5_000, verbose: 1 },
    );
  });
});
