import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dnsRcodeName, dnsTypeName } from './dns-names.js';
import { DnsFramer, DnsMessage, DnsReason } from './dns.js';

const latin1 = (text: string): number[] => Array.from(text, (c) => c.charCodeAt(0));
const label = (text: string): number[] => [text.length, ...latin1(text)];
const word = (value: number): number[] => [value >>> 8, value & 255];
const header = (flags: number, ...counts: number[]): number[] => [0x12, 0x34, ...word(flags), ...counts.flatMap(word)];
const question = (name: readonly number[], type = 1): number[] => [...name, ...word(type), 0, 1];
const record = (name: readonly number[], type: number, data: readonly number[]): number[] => [
  ...name,
  ...word(type),
  ...[0, 1, 0, 0, 0, 60],
  ...word(data.length),
  ...data,
];
const example = [...label('example'), ...label('com'), 0];

function parse(bytes: readonly number[], utf8 = false): [DnsMessage, number] {
  const message = new DnsMessage();
  // In the middle of other bytes, so that reading outside shows.
  const around = Uint8Array.from([...Array.from({ length: 7 }, () => 0xc0), ...bytes, 3, 3, 3, 3, 0, 0, 1]);
  return [message, message.parse(around, 7, 7 + bytes.length, utf8)];
}

describe('DnsMessage', () => {
  it('reads a query', () => {
    const [message, reason] = parse([...header(0x0100, 1, 0, 0, 0), ...question(example, 28)]);
    expect(reason).toBe(DnsReason.None);
    expect([message.id, message.isResponse, message.name, dnsTypeName(message.type)]).toEqual([
      0x1234,
      false,
      'example.com',
      'AAAA',
    ]);
    expect(message.answers(10)).toEqual([]);
  });

  it('keeps case and escapes what is not printable', () => {
    const name = [...label('a.B\\'), ...label('\x07\xff x'), 0];
    const [message] = parse([...header(0, 1, 0, 0, 0), ...question(name)]);
    expect(message.name).toBe('a\\.B\\\\.\\007\\255 x');
  });

  it('keeps UTF-8 where the service has it, and only well-formed', () => {
    const name = [...label('\xc3\xa9\xed\xa0\x80\xc2\x85'), 0];
    expect(parse([...header(0, 1, 0, 0, 0), ...question(name)], true)[0].name).toBe('é\\237\\160\\128\\194\\133');
    expect(parse([...header(0, 1, 0, 0, 0), ...question(name)])[0].name).toBe('\\195\\169\\237\\160\\128\\194\\133');
  });

  it('gives answers as text', () => {
    const pointer = [0xc0, 12];
    const records = [
      record(pointer, 1, [192, 0, 2, 1]),
      record(pointer, 28, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
      record(pointer, 28, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      record(pointer, 5, [...label('www'), ...pointer]),
      record(pointer, 15, [0, 10, ...label('mail'), ...pointer]),
      record(pointer, 16, [...label('v=spf1 "x"'), ...label('b')]),
      record(pointer, 33, [0, 1, 0, 2, 0, 53, ...pointer]),
      record(pointer, 6, [...pointer, ...label('root'), ...pointer, ...[1, 2, 3, 4, 5].flatMap((n) => [0, 0, 0, n])]),
      record(pointer, 65, [0, 1, 0, 0, 1, 0, 3, 2, ...latin1('h2'), 0, 3, 0, 2, 0x20, 0xfb]),
      record(pointer, 48, [1, 2, 3]),
      record(pointer, 1, [1, 2, 3]),
    ];
    const [message] = parse([...header(0x8180, 1, records.length, 0, 0), ...question(example), ...records.flat()]);
    expect(message.answers(32)).toEqual([
      '192.0.2.1',
      '2001:db8::1',
      '::',
      'www.example.com',
      '10 mail.example.com',
      '"v=spf1 \\"x\\"" "b"',
      '1 2 53 example.com',
      'example.com root.example.com 1 2 3 4 5',
      '1 . alpn=h2 port=8443',
      'DNSKEY 3 bytes',
      'A 3 bytes',
    ]);
    expect(message.answers(1)).toEqual(['192.0.2.1']);
  });

  it('joins the extended response code of OPT', () => {
    const opt = [0, ...word(41), ...word(1232), 1, 0, 0, 0, 0, 0];
    const [message] = parse([...header(0x8180, 1, 0, 0, 1), ...question(example), ...opt]);
    expect(dnsRcodeName(message.rcode())).toBe('BADVERS');
    expect(dnsRcodeName(3)).toBe('NXDOMAIN');
    expect(dnsRcodeName(12)).toBe('RCODE12');
  });

  it('gives up on pointers that loop or point forward, labels of no kind, and names too long', () => {
    const counts = [1, 0, 0, 0];
    expect(parse([...header(0, ...counts), 0xc0, 12, 0, 1, 0, 1])[1]).toBe(DnsReason.BadName);
    expect(parse([...header(0, ...counts), 0xc0, 20, 0, 1, 0, 1, 0])[1]).toBe(DnsReason.BadName);
    expect(parse([...header(0, ...counts), 0x41, 1, 0, 1, 0, 1])[1]).toBe(DnsReason.BadName);
    const long = Array.from({ length: 5 }, () => label('x'.repeat(63))).flat();
    expect(parse([...header(0, ...counts), ...long, 0, 0, 1, 0, 1])[1]).toBe(DnsReason.BadName);
  });

  it('says which end came too early', () => {
    const whole = [...header(0, 1, 0, 0, 0), ...question(example)];
    for (let length = 0; length < whole.length; length += 1) {
      expect(parse(whole.slice(0, length))[1]).toBe(length < 12 ? DnsReason.HeaderCut : DnsReason.Cut);
    }
  });

  it('bounds the questions it reads', () => {
    const many = Array.from({ length: 100 }, () => question([0])).flat();
    const [message, reason] = parse([...header(0, 100, 0, 0, 0), ...many]);
    expect([reason, message.questionsRead, message.name]).toEqual([DnsReason.TooManyQuestions, 64, '.']);
  });

  it('survives any bytes', () => {
    const bytes = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 12, 0xc0, 63)), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(bytes, fc.boolean(), (body, utf8) => {
        const [message] = parse([...header(0x8180, 2, 3, 0, 1), ...body], utf8);
        message.rcode();
        for (const text of message.answers(10)) expect(text.length).toBeLessThanOrEqual(512);
        for (let i = 0; i < message.questionsRead; i += 1) {
          expect(message.questionNames[i]!.length).toBeLessThanOrEqual(255 * 4);
        }
      }),
      { numRuns: 5_000, interruptAfterTimeLimit: 5_000, verbose: 1 },
    );
  });
});

describe('names read before', () => {
  /** Questions of one label each until offset 256, where `name` stands, and last `www` + a pointer there: C1 00. */
  function pointingBack(name: string): Uint8Array {
    const bytes = new Uint8Array(300);
    let at = 12;
    let questions = 0;
    const question = (label: string): void => {
      bytes[at] = label.length;
      for (let i = 0; i < label.length; i += 1) bytes[at + 1 + i] = label.charCodeAt(i);
      at += label.length + 2 + 4;
      questions += 1;
    };
    while (256 - at > 60) question('x'.repeat(20));
    question('y'.repeat(256 - at - 6));
    expect(at).toBe(256);
    question(name);
    bytes.set([3, 119, 119, 119, 0xc1, 0x00, 0, 1, 0, 1], at);
    bytes[5] = questions + 1;
    return bytes.subarray(0, at + 10);
  }

  it('are not taken for a name whose pointer leads elsewhere in another message', () => {
    const message = new DnsMessage();
    for (const name of ['aaa', 'bbb', 'aaa']) {
      expect(message.parse(pointingBack(name), 0, pointingBack(name).length)).toBe(DnsReason.None);
      expect(message.questionNames[message.questionsRead - 1]).toBe(`www.${name}`);
    }
  });

  it('read the same wherever they stand, whatever is around them and whatever was read before', () => {
    const message = new DnsMessage();
    let seed = 7;
    const next = (below: number): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % below;
    const labels = [
      'a',
      'b',
      'ab',
      'ba',
      'abc',
      'www',
      'mail',
      'host-1',
      'host-2',
      'x'.repeat(15),
      'x'.repeat(16),
      'net',
    ];
    for (let round = 0; round < 20_000; round += 1) {
      const name = Array.from({ length: next(6) }, () => labels[next(labels.length)]!);
      const octets = name.flatMap((label) => [label.length, ...Buffer.from(label)]);
      const whole = [...header(0, 1, 0, 0, 0), ...octets, 0, 0, 28, 0, 1];
      // Other bytes behind the message, or none at all: the last word of a name may be read beyond its end, but not seen.
      const bytes = new Uint8Array(5 + whole.length + next(3) * 4).fill(next(256));
      bytes.set(whole, 5);
      expect(message.parse(bytes, 5, 5 + whole.length)).toBe(DnsReason.None);
      expect(message.name).toBe(name.join('.') || '.');
      expect(message.type).toBe(28);
      expect(message.questionSlots[0]).toBeGreaterThanOrEqual(octets.length < 64 ? 0 : -1);
    }
  });

  it('are told apart by their last octets when they share a slot', () => {
    const message = new DnsMessage();
    const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
    const names = letters.flatMap((a) => letters.map((b) => `abcd.zone.x${a}${b}`));
    for (const name of [...names, ...names]) {
      const octets = name.split('.').flatMap((each) => [each.length, ...Buffer.from(each)]);
      const bytes = Uint8Array.from([...header(0, 1, 0, 0, 0), ...octets, 0, 0, 1, 0, 1]);
      message.parse(bytes, 0, bytes.length);
      expect(message.name).toBe(name);
    }
  });

  it('may end where their memory ends', () => {
    const message = new DnsMessage();
    for (let length = 1; length < 60; length += 1) {
      const bytes = Uint8Array.from([...header(0, 1, 0, 0, 0), length, ...Buffer.alloc(length, 'x'), 0]);
      expect(message.parse(bytes, 0, bytes.length)).toBe(DnsReason.Cut); // no type and class
    }
  });

  it('have the same slot when they come again, and none where a pointer is in them', () => {
    const message = new DnsMessage();
    const slots = ['one.example', 'two.example', 'one.example'].map((name) => {
      const octets = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
      const bytes = Uint8Array.from([...header(0, 1, 0, 0, 0), ...octets, 0, 0, 1, 0, 1]);
      message.parse(bytes, 0, bytes.length);
      return message.questionSlots[0]!;
    });
    expect(slots[0]).toBe(slots[2]);
    expect(slots[0]).not.toBe(slots[1]);
    const bytes = pointingBack('aaa');
    message.parse(bytes, 0, bytes.length);
    expect(message.questionSlots[message.questionsRead - 1]).toBe(-1);
  });

  it('keep UTF-8 and plain reading apart', () => {
    const bytes = Uint8Array.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0xc3, 0xa9, 0, 0, 1, 0, 1]);
    const message = new DnsMessage();
    for (let round = 0; round < 2; round += 1) {
      message.parse(bytes, 0, bytes.length, true);
      expect(message.name).toBe('é');
      message.parse(bytes, 0, bytes.length);
      expect(message.name).toBe('\\195\\169');
    }
  });
});

describe('DnsFramer', () => {
  const messages = [
    [...header(0x0100, 1, 0, 0, 0), ...question(example)],
    [...header(0x8180, 1, 0, 0, 0), ...question([0])],
    [...header(0x8180, 0, 0, 0, 0)],
  ];
  const stream = Uint8Array.from(messages.flatMap((message) => [...word(message.length), ...message]));

  function run(pieces: readonly Uint8Array[]): number[][] {
    const got: number[][] = [];
    const framer = new DnsFramer({
      dnsMessage: (bytes, start, end) => got.push(Array.from(bytes.subarray(start, end))),
    });
    for (const piece of pieces) framer.data(piece, 0, piece.length);
    return got;
  }

  it('finds the same messages however the stream is cut', () => {
    for (let first = 0; first <= stream.length; first += 1) {
      for (let second = first; second <= stream.length; second += 3) {
        const pieces = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
        expect(run(pieces)).toEqual(messages);
      }
    }
    expect(run(Array.from(stream, (byte) => Uint8Array.of(byte)))).toEqual(messages);
  });

  it('goes on behind lost bytes whose number is known', () => {
    const got: number[][] = [];
    const framer = new DnsFramer({
      dnsMessage: (bytes, start, end) => got.push(Array.from(bytes.subarray(start, end))),
    });
    framer.data(stream, 0, 20);
    framer.skip(5);
    framer.data(stream, 25, stream.length);
    expect(got).toEqual([messages[0]!.slice(0, 18), messages[1], messages[2]]);
    expect(framer.broken).toBe(1);
  });

  it('waits for a segment that is one message when it lost the border', () => {
    const got: number[][] = [];
    const framer = new DnsFramer({
      dnsMessage: (bytes, start, end) => got.push(Array.from(bytes.subarray(start, end))),
    });
    framer.data(stream, 0, 1);
    framer.skip(40);
    framer.data(stream, 5, 30);
    const last = Uint8Array.from([...word(messages[0]!.length), ...messages[0]!]);
    framer.data(last, 0, last.length);
    expect(got).toEqual([messages[0]]);
  });
});
