import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Recognition } from './recognition.js';
import { TlsParser, recognizeTls, tlsVersionName } from './tls.js';

const latin1 = (text: string): number[] => Array.from(text, (c) => c.charCodeAt(0));
const word = (value: number): number[] => [value >>> 8, value & 255];
const extension = (type: number, body: readonly number[]): number[] => [...word(type), ...word(body.length), ...body];

function hello(serverName: string, alpn: readonly string[], versions: readonly number[], padding = 0): number[] {
  const names = alpn.flatMap((name) => [name.length, ...latin1(name)]);
  const extensions = [
    ...extension(0x1a1a, [0]),
    ...(serverName === ''
      ? []
      : extension(0, [...word(serverName.length + 3), 0, ...word(serverName.length), ...latin1(serverName)])),
    ...extension(16, [...word(names.length), ...names]),
    ...(versions.length === 0 ? [] : extension(43, [versions.length * 2, ...versions.flatMap(word)])),
    ...extension(
      21,
      Array.from({ length: padding }, () => 0),
    ),
  ];
  const body = [3, 3, ...Array.from({ length: 32 }, () => 7), 2, 9, 9, 0, 4, 0x0a, 0x0a, 0x13, 1, 1, 0];
  body.push(...word(extensions.length), ...extensions);
  return [1, body.length >>> 16, (body.length >>> 8) & 255, body.length & 255, ...body];
}

function records(bytes: readonly number[], size: number, type = 22): number[] {
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.slice(at, at + size);
    out.push(type, 3, 1, ...word(part.length), ...part);
  }
  return out;
}

function parser(): [TlsParser, string[]] {
  const seen: string[] = [];
  const subject = new TlsParser({
    tlsClientHello: (found) => seen.push(`${found.serverName} ${found.alpn.join(',')} ${found.versionName}`),
  });
  return [subject, seen];
}

describe('TlsParser', () => {
  const whole = hello('www.example.org', ['h2', '\x0a\x0a', 'http/1.1'], [0x2a2a, 0x0304, 0x0303]);
  const wanted = ['www.example.org h2,http/1.1 TLS 1.3'];
  const after = [
    20,
    3,
    3,
    0,
    1,
    1,
    ...records(
      Array.from({ length: 300 }, () => 1),
      100,
      23,
    ),
  ];

  it('finds the ClientHello however records and segments cut it', () => {
    for (const size of [1, 3, 50, 16_000]) {
      const bytes = Uint8Array.from([...records(whole, size), ...after]);
      for (let cut = 0; cut <= bytes.length; cut += size === 1 ? 11 : 1) {
        const [subject, seen] = parser();
        subject.data(bytes, 0, cut);
        subject.data(bytes, cut, bytes.length);
        expect(seen).toEqual(wanted);
        expect([subject.lost, subject.broken]).toEqual([false, 0]);
      }
    }
  });

  it('reads hellos without extensions worth naming, and those of old', () => {
    const [subject, seen] = parser();
    const bytes = Uint8Array.from(records(hello('', [], []), 16_000));
    subject.data(bytes, 0, bytes.length);
    expect(seen).toEqual(['  TLS 1.2']);
    const [old, seenOld] = parser();
    const body = [3, 0, ...Array.from({ length: 32 }, () => 7), 0, 0, 2, 0, 5, 1, 0];
    const oldBytes = Uint8Array.from(records([1, 0, 0, body.length, ...body], 16_000));
    old.data(oldBytes, 0, oldBytes.length);
    expect(seenOld).toEqual(['  SSL 3.0']);
    expect(tlsVersionName(0x7f1c)).toBe('0x7f1c');
  });

  it('counts a second ClientHello, but not encrypted handshakes that begin like one', () => {
    const [subject, seen] = parser();
    const encrypted = [1, 0, 0, 60, ...Array.from({ length: 36 }, () => 0x9d)];
    const bytes = Uint8Array.from([
      ...records(whole, 16_000),
      ...[20, 3, 3, 0, 1, 1],
      ...records(whole, 16_000),
      ...records(encrypted, 16_000),
      ...after,
    ]);
    subject.data(bytes, 0, bytes.length);
    expect(seen).toEqual([...wanted, ...wanted]);
    expect([subject.lost, subject.broken]).toEqual([false, 0]);
  });

  it('keeps record borders over bytes that are not there', () => {
    const [subject] = parser();
    const record = Uint8Array.from(
      records(
        Array.from({ length: 1_000 }, () => 0x55),
        1_000,
        23,
      ),
    );
    subject.data(record, 0, 100);
    subject.skip(record.length - 100);
    expect(subject.lost).toBe(false);
    subject.touched = false;
    subject.data(record, 0, 5);
    subject.touched = false;
    subject.data(record, 5, 500);
    expect(subject.touched).toBe(false);
    subject.data(record, 500, record.length);
    expect(subject.touched).toBe(true);
    subject.skip(3);
    expect(subject.lost).toBe(true);
    subject.data(record, 7, 50);
    expect(subject.lost).toBe(true);
    subject.data(record, 0, record.length);
    expect(subject.lost).toBe(false);
  });

  it('bounds what it gathers', () => {
    const [subject, seen] = parser();
    const big = Uint8Array.from(records([1, 2, 0, 0, ...Array.from({ length: 140_000 }, () => 0)], 16_000));
    subject.data(big, 0, big.length);
    expect([seen, subject.broken > 0]).toEqual([[], true]);
    const large = hello('big.example', [], [0x0304], 60_000);
    const bytes = Uint8Array.from(records(large, 16_384));
    const [ok, seenOk] = parser();
    ok.data(bytes, 0, bytes.length);
    expect(seenOk).toEqual(['big.example  TLS 1.3']);
  });

  it('recognises beginnings', () => {
    const of = (...bytes: number[]): number => recognizeTls(Uint8Array.from(bytes), 0, bytes.length);
    expect([of(22, 3, 1, 2, 0), of(23, 3, 3, 0, 0), of(22), of(22, 3, 1)]).toEqual([
      Recognition.Yes,
      Recognition.Yes,
      Recognition.Perhaps,
      Recognition.Perhaps,
    ]);
    for (const bytes of [
      [],
      [19, 3, 1, 0, 1],
      [22, 2, 1, 0, 1],
      [22, 3, 5, 0, 1],
      [22, 3, 1, 0xff, 0],
      [22, 3, 1, 0, 0],
    ]) {
      expect(of(...bytes)).toBe(Recognition.No);
    }
  });

  it('survives any bytes, gaps and cuts', () => {
    const mutated = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const bytes = [...whole];
      for (const [at, value] of changes) bytes[at] = value;
      return Uint8Array.from(records(bytes, 120));
    });
    const piece = fc.oneof(mutated, fc.uint8Array({ maxLength: 30 }), fc.integer({ min: 1, max: 70_000 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const [subject, seen] = parser();
        for (const one of pieces) {
          if (typeof one === 'number') subject.skip(one);
          else subject.data(one, 0, one.length);
        }
        subject.close(true);
        for (const text of seen) expect(text.length).toBeLessThan(10_000);
      }),
      { numRuns: 5_000, interruptAfterTimeLimit: 5_000, verbose: 1 },
    );
  });
});
