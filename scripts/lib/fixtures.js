/**
 * Every generated fixture of test/fixtures: its bytes, and the results expected of it as the generator knows them.
 *
 * @typedef {{ name: string, bytes: Uint8Array, format: 'pcap' | 'pcapng', byteOrder: string, resolution: string,
 *   linkTypes: number[], expected: ReturnType<Truth['result']> }} Fixture
 * @typedef {{ name: string, bytes: Uint8Array, about: string, packets: number, bytes_wire: number,
 *   damage: { reason: string, offset: number } }} Damaged
 *   offset: byte at which the damage begins: the record or block that cannot be read whole, or the first wrong byte
 *   after it
 */
import { PcapngFile, pcapFile } from './capture-files.js';
import { concat } from './bytes.js';
import { icmp, icmpv6, ipv4, ipv6, linkLayers, payload, tcp, udp, Tcp } from './frames.js';
import { clientHello, dnsMessage, httpRequest, httpResponse } from './messages.js';
import { Random } from './random.js';
import { sampleStart, sampleTraffic } from './sample-traffic.js';
import { Truth } from './truth.js';

/** Any number; kept once chosen, since the committed files come from it. */
export const sampleSeed = 20260101;

/**
 * Twelve network-layer packets that every small fixture carries: a DNS lookup (IPv4), an HTTP exchange (IPv6), a
 * ClientHello and a ping.
 * @param {'both' | 'ipv4' | 'ipv6'} version
 */
function smallTraffic(version) {
  const random = new Random(7);
  const four = { source: '192.0.2.10', destination: '198.51.100.20' };
  const six = { source: '2001:db8:1::10', destination: '2001:db8:2::20' };
  const back = (ends) => ({ source: ends.destination, destination: ends.source });
  const wrap = (ends, inner) => (ends.source.includes(':') ? ipv6(ends, inner) : ipv4({ ...ends, id: 99 }, inner));
  const lookupEnds = version === 'ipv6' ? six : four;
  const webEnds = version === 'ipv4' ? four : six;
  const questions = [{ name: 'small.example.com', type: 'A' }];
  const ask = dnsMessage({ id: 77, questions });
  const answer = dnsMessage({
    id: 77,
    questions,
    response: true,
    answers: [{ name: 'small.example.com', type: 'A', data: '198.51.100.20' }],
  });
  const request = httpRequest({ method: 'GET', path: '/small', host: 'small.example.com' });
  const response = httpResponse({ status: 200, body: random.bytes(64) });
  const hello = clientHello({ random, serverName: 'small.example.com', alpn: ['http/1.1'], tls13: true });
  const segment = (server, port, flags, sequence, acknowledgment, message) =>
    wrap(
      server ? back(webEnds) : webEnds,
      tcp(
        {
          sourcePort: server ? port : 40001,
          destinationPort: server ? 40001 : port,
          flags,
          sequence,
          acknowledgment,
        },
        message ? payload(message.bytes, message.item) : undefined,
      ),
    );
  const { Syn, Ack, Psh, Fin } = Tcp;
  const asked = request.bytes.length;
  const answered = response.bytes.length;
  const echo = (reply) =>
    version === 'ipv6'
      ? wrap(reply ? back(six) : six, icmpv6(reply ? 129 : 128, 0, [0, 1, 0, 1], payload(new Uint8Array(40))))
      : wrap(reply ? back(four) : four, icmp(reply ? 0 : 8, 0, [0, 1, 0, 1], payload(new Uint8Array(40))));
  return [
    wrap(lookupEnds, udp(5301, 53, payload(ask.bytes, ask.item))),
    wrap(back(lookupEnds), udp(53, 5301, payload(answer.bytes, answer.item))),
    segment(false, 80, Syn, 1000, 0),
    segment(true, 80, Syn | Ack, 9000, 1001),
    segment(false, 80, Ack, 1001, 9001),
    segment(false, 80, Ack | Psh, 1001, 9001, request),
    segment(true, 80, Ack | Psh, 9001, 1001 + asked, response),
    segment(false, 80, Fin | Ack, 1001 + asked, 9001 + answered),
    segment(true, 80, Fin | Ack, 9001 + answered, 1002 + asked),
    segment(false, 443, Ack | Psh, 5000, 6000, hello),
    echo(false),
    echo(true),
  ];
}

/** When the n-th small packet was captured: 80 ms apart, with a nanosecond part. @param {number} n */
const smallTime = (n) => ({ seconds: sampleStart + Math.floor(n / 12), nanoseconds: (n % 12) * 8e7 + 23_456_789 });

/**
 * @param {'both' | 'ipv4' | 'ipv6'} version
 * @param {keyof typeof linkLayers | string} link
 */
const smallFrames = (version, link) =>
  smallTraffic(version).map((packet, n) => {
    const frame = linkLayers[link].wrap(packet);
    return { ...smallTime(n), bytes: frame.bytes, stack: frame.stack };
  });

/**
 * @param {readonly (import('./capture-files.js').CapturedFrame & { stack: import('./frames.js').Item[] })[]} frames
 * @param {{ unitNanoseconds?: number, snapLength?: number }} options unit: times in the file are cut to it
 */
function truthOf(frames, options = {}) {
  const truth = new Truth();
  for (const frame of frames) {
    const unit = options.unitNanoseconds ?? 1000;
    truth.add(
      {
        seconds: frame.seconds,
        nanoseconds: Math.floor(frame.nanoseconds / unit) * unit,
        wireLength: frame.wireLength ?? frame.bytes.length,
        capturedLength: Math.min(frame.bytes.length, options.snapLength ?? 262144),
      },
      frame.stack,
    );
  }
  return truth.result();
}

/**
 * @param {string} name
 * @param {ReturnType<typeof smallFrames>} frames
 * @param {{ linkType?: number, nanosecond?: boolean, bigEndian?: boolean }} options
 * @returns {Fixture}
 */
function pcapFixture(name, frames, options = {}) {
  return {
    name,
    bytes: pcapFile(frames, options).bytes,
    format: 'pcap',
    byteOrder: options.bigEndian ? 'big' : 'little',
    resolution: options.nanosecond ? 'ns' : 'us',
    linkTypes: [options.linkType ?? 1],
    expected: truthOf(frames, { unitNanoseconds: options.nanosecond ? 1 : 1000 }),
  };
}

/**
 * Three interfaces of different link type and resolution, one with a time offset; every kind of block; packets in
 * Enhanced, Simple and obsolete Packet Blocks; a second section in the other byte order.
 * @returns {Fixture}
 */
function pcapngInterfaces() {
  const ethernet = smallFrames('both', 'ethernet');
  const raw = smallFrames('both', 'raw');
  const sll = smallFrames('both', 'sll');
  const truth = new Truth();
  const file = new PcapngFile();
  /**
   * @param {ReturnType<typeof smallFrames>[0]} frame
   * @param {number} interfaceId
   * @param {number} perSecond ticks of the interface
   */
  const add = (frame, interfaceId, perSecond, block = 'packet') => {
    const ticks = (BigInt(frame.nanoseconds) * BigInt(perSecond)) / 1_000_000_000n;
    const nanoseconds = Number((ticks * 1_000_000_000n) / BigInt(perSecond));
    const length = frame.bytes.length;
    truth.add(
      { seconds: frame.seconds, nanoseconds, wireLength: length, capturedLength: length, noTime: block === 'simple' },
      frame.stack,
    );
    const captured = { ...frame, interfaceId };
    if (block === 'simple') file.simplePacket(captured);
    else if (block === 'old') file.oldPacket(captured);
    else file.packet(captured, block === 'flags' ? [{ code: 2, value: Uint8Array.from([1, 0, 0, 0]) }] : []);
  };
  file.section({ application: 'make-sample' });
  file.interface({ linkType: 1, name: 'eth0' });
  file.interface({ linkType: 101, name: 'tun0', resolution: 9, offsetSeconds: 3600 });
  file.interface({ linkType: 113, name: 'any', resolution: 0x80 | 20, snapLength: 65535 });
  // Name Resolution Block: one IPv4 record; Interface Statistics, Decryption Secrets, Custom and an unknown block.
  file.block(4, concat([1, 0, 14, 0], [192, 0, 2, 10], new TextEncoder().encode('h.example\0'), [0, 0], [0, 0, 0, 0]));
  add(ethernet[0], 0, 1e6);
  add(ethernet[1], 0, 1e6, 'flags');
  add(raw[2], 1, 1e9);
  add(sll[3], 2, 1 << 20);
  file.block(0x0bad, Uint8Array.from([0, 0, 0x7f, 0x35, 1, 2, 3, 4]));
  add(raw[4], 1, 1e9);
  add(ethernet[5], 0, 1e6, 'old');
  add(sll[6], 2, 1 << 20);
  file.block(10, concat([0x4b, 0x53, 0x4c, 0x54], [4, 0, 0, 0], [35, 10, 35, 10]));
  add(ethernet[10], 0, 1e6, 'simple');
  file.block(5, concat([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]));
  file.block(0x7fff0001, Uint8Array.from([9, 9, 9, 9]));
  file.section({ bigEndian: true });
  file.interface({ linkType: 1, resolution: 9 });
  add(ethernet[7], 0, 1e9);
  add(ethernet[8], 0, 1e9);
  add(ethernet[11], 0, 1e9, 'old');
  return {
    name: 'pcapng-interfaces.pcapng',
    bytes: file.bytes(),
    format: 'pcapng',
    byteOrder: 'little',
    resolution: 'per-interface',
    linkTypes: [1, 101, 113, 1],
    expected: truth.result(),
  };
}

/** @param {boolean} bigEndian @returns {Fixture} */
function pcapngPlain(bigEndian) {
  const frames = smallFrames('both', 'ethernet');
  const file = new PcapngFile({ bigEndian });
  file.section({ bigEndian });
  file.interface({ linkType: 1 });
  for (const frame of frames) file.packet(frame);
  return {
    name: `pcapng-${bigEndian ? 'be' : 'le'}.pcapng`,
    bytes: file.bytes(),
    format: 'pcapng',
    byteOrder: bigEndian ? 'big' : 'little',
    resolution: 'us',
    linkTypes: [1],
    expected: truthOf(frames),
  };
}

/** The first 96 bytes of each frame only. @returns {Fixture} */
function snapped() {
  const snapLength = 96;
  const frames = smallFrames('both', 'ethernet').filter((_, n) => n < 5 || n > 9);
  return {
    ...pcapFixture('pcap-snapped.pcap', frames),
    bytes: pcapFile(frames, { snapLength }).bytes,
    expected: truthOf(frames, { snapLength }),
  };
}

/**
 * The big sample with what its sessions and lookups were made to show.
 */
export function sampleFixture() {
  const { frames, sessions, lookups } = sampleTraffic(sampleSeed);
  return { fixture: pcapFixture('sample.pcap', frames), sessions, lookups };
}

/** All small fixtures. @returns {Fixture[]} */
export function smallFixtures() {
  const frames = smallFrames('both', 'ethernet');
  const fixtures = [
    pcapFixture('pcap-us-le.pcap', frames),
    pcapFixture('pcap-us-be.pcap', frames, { bigEndian: true }),
    pcapFixture('pcap-ns-le.pcap', frames, { nanosecond: true }),
    pcapFixture('pcap-ns-be.pcap', frames, { nanosecond: true, bigEndian: true }),
    snapped(),
    pcapngPlain(false),
    pcapngPlain(true),
    pcapngInterfaces(),
    pcapFixture('empty.pcap', []),
  ];
  for (const [link, { linkType }] of Object.entries(linkLayers)) {
    if (link === 'ethernet') continue;
    const version = link === 'raw-ipv4' ? 'ipv4' : link === 'raw-ipv6' ? 'ipv6' : 'both';
    fixtures.push(pcapFixture(`link-${link}.pcap`, smallFrames(version, link), { linkType }));
  }
  return fixtures;
}

/** Damaged files with what can still be read of them. @returns {Damaged[]} */
export function damagedFixtures() {
  const frames = smallFrames('both', 'ethernet');
  const { bytes, offsets } = pcapFile(frames);
  const wire = (count) => frames.slice(0, count).reduce((sum, frame) => sum + frame.bytes.length, 0);
  /** @type {Damaged[]} */
  const out = [];
  /**
   * @param {string} name @param {string} about @param {Uint8Array} file @param {number} packets
   * @param {string} reason @param {number} offset
   */
  const add = (name, about, file, packets, reason, offset) =>
    out.push({ name, bytes: file, about, packets, bytes_wire: wire(packets), damage: { reason, offset } });
  /** @param {Uint8Array} file @param {number} at @param {number} value */
  const patched = (file, at, value) => {
    const copy = file.slice();
    new DataView(copy.buffer).setUint32(at, value, true);
    return copy;
  };
  add(
    'damaged-cut-in-record.pcap',
    'ends in the middle of the sixth record',
    bytes.slice(0, offsets[5] + 40),
    5,
    'truncated_file',
    offsets[5],
  );
  add(
    'damaged-cut-in-header.pcap',
    'ends in the middle of a record header',
    bytes.slice(0, offsets[8] + 9),
    8,
    'truncated_file',
    offsets[8],
  );
  add('damaged-cut-file-header.pcap', 'ends within the file header', bytes.slice(0, 20), 0, 'truncated_file', 0);
  add(
    'damaged-record-length.pcap',
    'the fourth record claims 2 GiB',
    patched(bytes, offsets[3] + 8, 0x7fffffff),
    3,
    'bad_record_length',
    offsets[3],
  );
  add(
    'damaged-garbage-tail.pcap',
    '64 bytes of 0xff after the last record',
    concat(bytes, new Uint8Array(64).fill(255)),
    frames.length,
    'bad_record_length',
    bytes.length,
  );
  add(
    'damaged-short-tail.pcap',
    '7 stray bytes after the last record',
    concat(bytes, new Uint8Array(7)),
    frames.length,
    'truncated_file',
    bytes.length,
  );
  add(
    'damaged-magic.pcap',
    'no capture file at all',
    concat(new TextEncoder().encode('this is no capture file\n'), new Uint8Array(16)),
    0,
    'unknown_format',
    0,
  );

  const file = new PcapngFile();
  file.section();
  file.interface({ linkType: 1 });
  for (const frame of frames) file.packet(frame);
  const blocks = file.bytes();
  const block = (n) => file.offsets[2 + n];
  add(
    'damaged-cut-in-block.pcapng',
    'ends in the middle of the seventh packet block',
    blocks.slice(0, block(6) + 50),
    6,
    'truncated_file',
    block(6),
  );
  add(
    'damaged-block-length-small.pcapng',
    'the fifth packet block has a total length of 8',
    patched(blocks, block(4) + 4, 8),
    4,
    'bad_block_length',
    block(4),
  );
  add(
    'damaged-block-length-odd.pcapng',
    'the fifth packet block has a total length that is no multiple of four',
    patched(blocks, block(4) + 4, (file.blocks[6].length + 2) >>> 0),
    4,
    'bad_block_length',
    block(4),
  );
  add(
    'damaged-block-length-huge.pcapng',
    'the fifth packet block claims 2 GiB',
    patched(blocks, block(4) + 4, 0x7ffffff0),
    4,
    'bad_block_length',
    block(4),
  );
  add(
    'damaged-block-trailer.pcapng',
    "the fifth packet block's two lengths differ",
    patched(blocks, block(5) - 4, 12),
    4,
    'bad_block_length',
    block(4),
  );
  add(
    'damaged-captured-length.pcapng',
    'the third packet block holds fewer bytes than its captured length says',
    patched(blocks, block(2) + 20, 5000),
    frames.length - 1, // the block's own length is right, so only this packet is lost
    'bad_packet_length',
    block(2),
  );
  add(
    'damaged-byte-order.pcapng',
    "the section's byte-order magic is wrong",
    patched(blocks, 8, 0x12345678),
    0,
    'bad_section',
    0,
  );
  const skipped = out.find((file) => file.name === 'damaged-captured-length.pcapng');
  if (skipped) skipped.bytes_wire = wire(frames.length) - frames[2].bytes.length;
  return out;
}
