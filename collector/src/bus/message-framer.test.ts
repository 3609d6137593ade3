import { Parser, State } from '@nats-io/transport-node';
import type { ParserEvent } from '@nats-io/transport-node';
import { BufferPool } from '../memory/index.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageFramer } from './message-framer.js';

const newPool = (): BufferPool => new BufferPool({ bytesMax: 1 << 24, sizeOf: (length) => length });
const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What the client's parser makes of these pieces; copied, for it hands out views. */
function parsed(pieces: readonly Uint8Array[]): { events: unknown[]; states: number[] } {
  const events: unknown[] = [];
  const states: number[] = [];
  const parser = new Parser({
    push: ({ kind, msg, data }: ParserEvent) =>
      events.push([
        kind,
        msg && [
          msg.sid,
          msg.hdr,
          msg.size,
          ...[msg.subject, msg.reply].map((part) => part && Buffer.from(part).toString()),
        ],
        data && Buffer.from(data).toString('latin1'),
      ]),
  });
  for (const piece of pieces) {
    parser.parse(piece);
    states.push(parser.state);
  }
  return { events, states };
}

/** Bytes in pieces that end at these places. */
function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end));
}

function framed(chunks: readonly Uint8Array[], buffers = newPool()): Uint8Array[] {
  const framer = new MessageFramer(buffers);
  return chunks.flatMap((chunk) => framer.push(chunk));
}

const subject = fc.stringMatching(/^[a-z$_.0-9]{1,40}$/);
/** With line ends and digits in it, as what follows could be taken for a line. */
const payload = fc.oneof(
  fc.string({ unit: fc.constantFrom('\r', '\n', 'M', 'S', 'G', ' ', '7', 'x'), maxLength: 60 }),
  fc.integer({ min: 0, max: 40_000 }).map((length) => 'PING\r\nMSG a 1 3\r\n'.repeat(3_000).slice(0, length)),
);
const operation = fc.oneof(
  fc.constantFrom('PING\r\n', 'PONG\r\n', '+OK\r\n', "-ERR 'Slow Consumer'\r\n", 'INFO {"server_id":"x"}\r\n'),
  fc
    .tuple(fc.constantFrom('MSG', 'msg'), subject, fc.integer({ min: 1, max: 99 }), fc.option(subject), payload)
    .map(
      ([name, to, sid, reply, body]) => `${name} ${to} ${sid} ${reply ? `${reply} ` : ''}${body.length}\r\n${body}\r\n`,
    ),
  fc
    .tuple(subject, fc.integer({ min: 1, max: 99 }), fc.option(subject), payload, payload)
    .map(([to, sid, reply, header, body]) => {
      const sizes = `${header.length} ${header.length + body.length}`;
      return `HMSG ${to} ${sid} ${reply ? `${reply} ` : ''}${sizes}\r\n${header}${body}\r\n`;
    }),
);

describe('messages cut out of a stream', () => {
  it('are what the parser finds in the stream, and none comes in two pieces, wherever the stream was cut', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (operations, places) => {
          const bytes = ascii(operations.join(''));
          const pieces = framed(cutAt(bytes, places));
          expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
          const found = parsed(pieces);
          expect(found.events).toEqual(parsed([bytes]).events);
          expect(new Set(found.states)).toEqual(new Set([State.OP_START]));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('come byte by byte, too', () => {
    const bytes = ascii(`INFO {}\r\nMSG a 1 20000\r\n${'x\n'.repeat(10_000)}\r\nPING\r\nHMSG b 2 r 3 5\r\nabcde\r\n`);
    const pieces = framed(
      cutAt(
        bytes,
        Array.from({ length: bytes.length }, (_, i) => i),
      ),
    );
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
    expect(pieces.map(({ length }) => length)).toEqual([9, 15 + 20_002, 6, 16 + 7]);
  });

  it('lie in memory that was given back', () => {
    const buffers = newPool();
    const message = ascii(`MSG a 1 100000\r\n${'m'.repeat(100_000)}\r\n`);
    const framer = new MessageFramer(buffers);
    const receive = (): Uint8Array[] => cutAt(message, [65_536]).flatMap((chunk) => framer.push(chunk));
    const [first] = receive();
    const [second] = receive();
    expect(second!.buffer).not.toBe(first!.buffer);
    buffers.giveBack(first!);
    const [third] = receive();
    expect(third!.buffer).toBe(first!.buffer);
    expect(Buffer.compare(third!, message)).toBe(0);
    expect(Buffer.compare(second!, message)).toBe(0);
  });

  it('leave to the parser whatever is no NATS: nothing is lost, held or made up', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string({ unit: 'binary-ascii', maxLength: 50 }),
            fc.constantFrom(
              '\n',
              '\r\n',
              'MSG',
              'MSG \r\n',
              'MSG a 1 -5\r\n',
              'HMSG a 1 2 99999999999999999999\r\n',
              'h\n',
              'm 3\n',
            ),
            fc.constant('INFO '.padEnd(70_000, 'x')),
          ),
          { maxLength: 12 },
        ),
        fc.array(fc.nat(), { maxLength: 30 }),
        (parts, places) => {
          const bytes = ascii(parts.join(''));
          const whole = Buffer.concat(framed(cutAt(bytes, places)));
          expect(whole.equals(bytes.subarray(0, whole.length))).toBe(true);
          // Only what may become a line or a message is waited for, and of a line at most 64 KB.
          const rest = bytes.subarray(whole.length);
          const end = rest.indexOf('\n');
          if (end < 0) expect(rest.length).toBeLessThanOrEqual(65_536);
          else expect(rest.subarray(0, end).toString('latin1')).toMatch(/^[MmHh].*\d\r?$/s);
        },
      ),
      { numRuns: 500 },
    );
  });
});
