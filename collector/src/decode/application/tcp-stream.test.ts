import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SegmentBudget, TcpStream } from './tcp-stream.js';

/** Collects what comes: bytes as letters, missing ones as dots. */
class Collector {
  text = '';
  segments = 0;
  closed = '';
  streamSegment(bytes: Uint8Array, start: number, end: number, missing: number): void {
    this.segments += 1;
    this.text += String.fromCharCode(...bytes.subarray(start, end)) + '.'.repeat(missing);
  }
  streamGap(length: number): void {
    this.text += length > 10_000 ? '~' : '.'.repeat(length);
  }
  streamClose(orderly: boolean): void {
    this.closed += orderly ? 'F' : 'R';
  }
}

function stream(budgetBytes = 1 << 20): [TcpStream, Collector, SegmentBudget] {
  const collector = new Collector();
  const budget = new SegmentBudget(budgetBytes);
  return [new TcpStream(collector, budget), collector, budget];
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

function send(
  to: TcpStream,
  sequence: number,
  text: string,
  { flags = 16, captured = text.length, seconds = 0 } = {},
): void {
  to.segment(bytesOf(text), 0, captured, sequence >>> 0, text.length, flags, 60 + text.length, seconds);
}

describe('TcpStream', () => {
  it('gives each byte once, in order, over the wrap of the numbers', () => {
    for (const base of [0, 1_000, 0x7ffffffc, 0xfffffffc]) {
      const [subject, got, budget] = stream();
      subject.start(base);
      send(subject, base, 'ab');
      send(subject, base + 4, 'ef');
      send(subject, base + 6, 'gh');
      send(subject, base + 6, 'gh');
      expect(got.text).toBe('ab');
      send(subject, base + 1, 'bcde');
      send(subject, base, 'abcdefghij');
      expect(got.text).toBe('abcdefghij');
      send(subject, base + 10, 'k', { flags: 17 });
      expect([got.text, got.closed, budget.bytes, budget.gaps]).toEqual(['abcdefghijk', 'F', 0, 0]);
      send(subject, base + 11, 'x');
      expect(got.text).toBe('abcdefghijk');
    }
  });

  it('tells of bytes that the snap length cut off', () => {
    const [subject, got] = stream();
    send(subject, 5, 'abcdef', { captured: 2 });
    send(subject, 8, 'defgh', { captured: 5 });
    expect(got.text).toBe('ab....gh');
    send(subject, 13, 'ij', { captured: 0 });
    expect(got.text).toBe('ab....gh..');
  });

  it('gives a hole up when data behind it is acknowledged, before or after it shows', () => {
    const [before, gotBefore] = stream();
    before.start(0);
    before.acknowledge(5, 0);
    send(before, 5, 'fg');
    expect(gotBefore.text).toBe('.....fg');
    const [after, gotAfter, budget] = stream();
    after.start(0);
    send(after, 5, 'fg');
    after.acknowledge(5, 0);
    expect(gotAfter.text).toBe('');
    after.acknowledge(7, 0);
    expect(gotAfter.text).toBe('.....fg');
    expect([budget.gaps, budget.gapBytes, budget.heldBack]).toEqual([1, 5, 1]);
  });

  it('gives a hole up when it is old', () => {
    const [subject, got] = stream();
    subject.start(0);
    send(subject, 2, 'c', { seconds: 10 });
    send(subject, 3, 'd', { seconds: 12 });
    expect(got.text).toBe('');
    send(subject, 4, 'e', { seconds: 14 });
    expect(got.text).toBe('..cde');
  });

  it('gives a hole up at its limits and counts it', () => {
    const [subject, got, budget] = stream(1_000);
    subject.start(0);
    for (let i = 0; i < 20; i += 1) send(subject, 10 + 200 * i, 'x'.repeat(100));
    expect(budget.bytes).toBeLessThanOrEqual(1_000);
    expect(budget.limitHits).toBeGreaterThan(0);
    expect(got.text.length).toBeGreaterThan(0);
    subject.close();
    expect([got.text.length, budget.bytes, got.closed]).toEqual([10 + 200 * 19 + 100, 0, 'R']);
  });

  it('waits with FIN until the bytes before it came', () => {
    const [subject, got] = stream();
    subject.start(0);
    send(subject, 3, 'd', { flags: 17 });
    expect(got.closed).toBe('');
    send(subject, 0, 'abc');
    expect([got.text, got.closed]).toEqual(['abcd', 'F']);
  });

  it('takes numbers outside any window as a new numbering', () => {
    const [subject, got] = stream();
    send(subject, 0, 'ab');
    send(subject, 0x40000000, 'cd');
    expect(got.text).toBe('ab~cd');
    send(subject, 0x40000002, 'ef');
    expect(got.text).toBe('ab~cdef');
  });

  it('puts any order, repetition and overlap together', () => {
    const text = Array.from({ length: 120 }, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
    const piece = fc.tuple(fc.nat(119), fc.integer({ min: 1, max: 30 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.integer(), (pieces, base) => {
        const [subject, got, budget] = stream();
        subject.start(base >>> 0);
        for (const [at, length] of pieces) send(subject, base + at, text.slice(at, at + length));
        for (let at = 0; at < 120; at += 40) send(subject, base + at, text.slice(at, at + 40));
        expect(got.text).toBe(text);
        expect(budget.bytes).toBe(0);
      }),
      { numRuns: 2_000, interruptAfterTimeLimit: 5_000, verbose: 1 },
    );
  });

  it('never gives a byte twice or out of place, whatever comes', () => {
    const step = fc.record({
      at: fc.oneof(fc.nat(300), fc.integer()),
      length: fc.nat(20),
      captured: fc.nat(20),
      flags: fc.constantFrom(16, 17, 1),
      acknowledgment: fc.option(fc.nat(400)),
      seconds: fc.nat(10),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const budget = new SegmentBudget(64);
        let closed = 0;
        const subject = new TcpStream(
          {
            streamSegment(bytes, start, end, missing) {
              expect(closed).toBe(0);
              expect(start).toBeLessThanOrEqual(end);
              expect(end).toBeLessThanOrEqual(bytes.length);
              expect(missing).toBeGreaterThanOrEqual(0);
            },
            streamGap: (length) => expect(length).toBeGreaterThan(0),
            streamClose: () => {
              closed += 1;
            },
          },
          budget,
        );
        for (const { at, length, captured, flags, acknowledgment, seconds } of steps) {
          const have = Math.min(captured, length);
          subject.segment(new Uint8Array(have), 0, have, at >>> 0, length, flags, 60, seconds);
          if (acknowledgment !== null) subject.acknowledge(acknowledgment, seconds);
        }
        subject.close();
        expect([closed, budget.bytes]).toEqual([1, 0]);
      }),
      { numRuns: 3_000, interruptAfterTimeLimit: 5_000, verbose: 1 },
    );
  });
});
