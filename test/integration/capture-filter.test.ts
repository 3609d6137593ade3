/**
 * Capture filters against libpcap itself: tcpdump reads captures with the compiled expression, and what it keeps is
 * compared with what the filter keeps of the decoded packets. Random filters; the seed is printed (FC_SEED repeats it).
 * Runs where tcpdump is installed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilePacketFilter } from '@netspectra/collector/filter';
import { PacketDecoder } from '@netspectra/collector/decode';
import { Layer, PacketBatch } from '@netspectra/proto';
import { captureFilter } from '@netspectra/query';
import type { BpfOptions } from '@netspectra/query';
import { parseFilter } from '@netspectra/query';
import {
  bytesOf,
  ethernet,
  extension,
  icmp,
  ipv4,
  ipv6,
  readCapture,
  sampleFrames,
  tcp,
  udp,
  vlan,
} from '../../collector/src/decode/testing.js';

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const hasTcpdump = spawnSync('tcpdump', ['--version']).status === 0;
const ethernetLink = 1;

interface Capture {
  readonly name: string;
  readonly linkType: number;
  readonly frames: readonly Uint8Array[];
  readonly path: string;
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'capture-filter-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A capture file in which the second of a frame's time is its number. */
function captureOf(name: string, linkType: number, frames: readonly Uint8Array[]): Capture {
  const le32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
  const header = bytesOf(le32(0xa1b2c3d4), le32(0x00040002), le32(0), le32(0), le32(262_144), le32(linkType));
  const records = frames.map((frame, i) => bytesOf(le32(i), le32(0), le32(frame.length), le32(frame.length), frame));
  const path = join(folder, `${name}.pcap`);
  writeFileSync(path, bytesOf(header, ...records));
  return { name, linkType, frames, path };
}

/** Which frames tcpdump keeps. */
function kernelKeeps(capture: Capture, expression: string): Set<number> {
  const { status, stdout, stderr } = spawnSync('tcpdump', ['-r', capture.path, '-w', '-', expression], {
    maxBuffer: 1 << 26,
  });
  // libpcap refuses what it finds no packet can meet.
  if (stderr.includes('expression rejects all packets')) return new Set();
  expect(status, `${expression}: ${stderr.toString()}`).toBe(0);
  return new Set(readCapture(new Uint8Array(stdout)).map((frame) => frame.seconds));
}

/** Which frames the filter keeps, and which of them were captured whole. */
function filterKeeps(capture: Capture, filter: string): { kept: Set<number>; whole: Set<number> } {
  const parsed = parseFilter(filter);
  if (!parsed.ok) throw new Error(`${filter}: ${parsed.errors[0]!.message}`);
  const compiled = compilePacketFilter(parsed.filter);
  if (!compiled.ok) throw new Error(compiled.problems[0]!.message);
  const batch = new PacketBatch(capture.frames.length, 8 * capture.frames.length);
  const decoder = new PacketDecoder();
  for (const frame of capture.frames) {
    decoder.decode(frame, 0, frame.length, frame.length, capture.linkType, 0, 0, 0, batch);
  }
  const marks = new Uint8Array(batch.count);
  compiled.filter.mark(batch, marks);
  const numbers = [...marks.keys()];
  return {
    kept: new Set(numbers.filter((row) => marks[row] === 1)),
    // Headers cut short, or lying about their lengths, are out of the promise.
    whole: new Set(numbers.filter((row) => (batch.layers[row]! & Layer.Truncated) === 0 && batch.reason[row] === 0)),
  };
}

function compiled(filter: string, options: BpfOptions): { text: string; exact: boolean } {
  const result = captureFilter(filter, options);
  if (!result.ok) throw new Error(`${filter}: ${result.reasons[0]!.message}`);
  return result;
}

// --- frames that have nothing strange about them ---

const hosts4 = ['10.0.0.1', '10.0.0.2', '10.0.255.9', '192.0.2.7'];
const hosts6 = ['20010db8000000000000000000000001', '20010db8000100000000000000000002'];
const portNumbers = [22, 53, 80, 443, 1023, 1024, 50_000];

const transport = fc
  .tuple(fc.constantFrom(6, 17, 58, 1, 132, 50), fc.constantFrom(...portNumbers), fc.constantFrom(...portNumbers))
  .chain(([protocol, a, b]) =>
    fc
      .tuple(fc.constant(protocol), fc.constantFrom(0, 3, 8, 128), fc.constantFrom(0, 1))
      .map(([number, type, code]) => ({
        number,
        bytes:
          number === 6
            ? tcp(a, b, new Uint8Array(4))
            : number === 17
              ? udp(a, b, new Uint8Array(12))
              : number === 132
                ? bytesOf(a >>> 8, a & 255, b >>> 8, b & 255, '0000000100000000', new Uint8Array(16))
                : icmp(type, code, new Uint8Array(16)),
      })),
  );
const network = fc.tuple(transport, fc.constantFrom(4, 6, 6, 4, 0)).chain(([{ number, bytes }, version]) => {
  const hosts = version === 6 ? hosts6 : hosts4;
  return fc.tuple(fc.constantFrom(...hosts), fc.constantFrom(...hosts)).map(([source, destination]) => {
    // ICMP belongs to its own version of IP.
    if (version === 6) return { type: 0x86dd, bytes: ipv6(number === 1 ? 58 : number, bytes, { source, destination }) };
    if (version === 4) return { type: 0x0800, bytes: ipv4(number === 58 ? 1 : number, bytes, { source, destination }) };
    return { type: 0x0806, bytes: bytesOf('0001080006040001', '020000000001', '0a000001', '000000000000', '0a000002') };
  });
});
const plainFrame = fc.tuple(network, fc.array(fc.constantFrom(0, 5, 10, 20), { maxLength: 2 })).map(([inner, tags]) => {
  let { type, bytes } = inner;
  for (const id of tags) {
    bytes = vlan(id, type, bytes);
    type = 0x8100;
  }
  return bytesOf(ethernet(type, bytes), new Uint8Array(20));
});

// --- filters ---

const leaf = fc.constantFrom(
  ...['host 10.0.0.1', 'src host 10.0.0.2', 'dst net 10.0.0.0/16', 'host != 10.0.0.1', 'src_ip not in 10.0.0.0/8'],
  ...['host in 0.0.0.0/0', 'src_ip in ::/0', 'host in (2001:db8::1, 192.0.2.0/24)', 'dst_ip in 10.0.0.2..10.0.255.9'],
  ...['src_ip in 2001:db8:1::..2001:db8:1::3', 'host in 10.0.255.9..::1:0:0:0', 'src_ip = ::1', 'dst_ip != 192.0.2.7'],
  ...['port 53', 'tcp port 443', 'src port 80', 'portrange 1-1023', 'port != 53', 'dst_port > 1023', 'src_port <= 80'],
  ...[
    'port not in (80, 443)',
    'dst_port in (22, 50..100)',
    'port < 100',
    'src_port >= 0',
    'port > 65535',
    'dst_port < 0',
  ],
  ...['tcp', 'udp', 'icmp', 'icmp6', 'sctp', 'ip', 'ip6', 'arp', 'esp', 'protocol != udp', 'protocol in 1..20'],
  ...[
    'protocol not in (6, 17)',
    'protocol < 255',
    'ip_version != 4',
    'ip_version = 0',
    'ip_version > 4',
    'ip_version in 0..9',
  ],
  ...['ether_type = ipv4', 'ether_type != ipv6', 'ether_type in (arp, 0x86dd)', 'ether_type in 0x800..0x806'],
  ...[
    'vlan',
    'vlan 10',
    'vlan = 0',
    'vlan in (5, 10..15)',
    'vlan != 5',
    'inner_vlan = 20',
    'inner_vlan != 0',
    'vlan < 10',
  ],
  ...['icmp_type = 8', 'icmp_type != 3', 'icmp_code in 1..5', 'icmp_type > 100', 'tunnel_type = ""', 'tunnel_id = 0'],
);
/** What chance would seldom put together: a tag that must not be followed by another, frames that only one field minds. */
const corners = ['vlan = 10 and inner_vlan = 0', 'icmp_type = 8', 'src_ip in 10.0.0.0/8', 'port 53', 'inner_vlan = 20'];
/** Left to the probe. */
const vague = fc.constantFrom(
  'src_port = dst_port',
  'src_ip != dst_ip',
  'ether_type > 0x800',
  'vlan = inner_vlan',
  'probe = x',
);
const filterOf = (leaves: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      leaves,
      tie('node').map((inner) => `not (${inner})`),
      fc.tuple(tie('node'), fc.constantFrom('and', 'or'), tie('node')).map(([a, sign, b]) => `(${a}) ${sign} (${b})`),
    ),
  })).node;

describe.runIf(hasTcpdump)('capture filters', () => {
  it(`keep exactly what the filter keeps of plain frames (seed ${seed})`, () => {
    const capture = captureOf('plain', ethernetLink, fc.sample(plainFrame, { seed, numRuns: 400 }));
    const options: BpfOptions = { encapsulated: 'outer' };
    let some = 0;
    for (const filter of [...corners, ...fc.sample(filterOf(leaf), { seed, numRuns: 200 })]) {
      const { text, exact } = compiled(filter, options);
      expect(exact, filter).toBe(true);
      const { kept, whole } = filterKeeps(capture, filter);
      expect(whole.size).toBe(capture.frames.length);
      expect([...kernelKeeps(capture, text)], `seed ${seed}: ${filter} => ${text}`).toEqual([...kept]);
      if (kept.size > 0 && kept.size < capture.frames.length) some += 1;
    }
    expect(some).toBeGreaterThan(60);
  });

  const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
  const fixture = (file: string): Capture => {
    const frames = readCapture(new Uint8Array(readFileSync(join(fixtures, file))));
    return captureOf(
      file,
      frames[0]!.linkType,
      frames.map((frame) => frame.bytes),
    );
  };
  /** Every protocol, tunnel and extension the decoder knows, also behind VLAN tags. */
  const strange = (): Capture => {
    const known = Object.values(sampleFrames()).filter(
      (frame) => frame.linkType === ethernetLink && frame.bytes.length < 9000,
    );
    const ported = ipv6(60, extension(43, udp(50_000, 53, new Uint8Array(8))), {
      source: hosts6[0]!,
      destination: hosts6[1]!,
    });
    const mapped = ipv6(17, udp(53, 53, new Uint8Array(8)), { source: '00000000000000000000ffff0a000001' });
    // The ICMP of the other version of IP.
    const crossed = [
      ethernet(0x0800, ipv4(58, icmp(8, 0, new Uint8Array(16)))),
      ethernet(0x86dd, ipv6(1, icmp(8, 0, new Uint8Array(16)))),
    ];
    const made = [ethernet(0x86dd, ported), ethernet(0x86dd, mapped), ...crossed];
    const frames = [...known.map((frame) => frame.bytes), ...made];
    const tag = (frame: Uint8Array): Uint8Array => bytesOf(frame.subarray(0, 12), 0x81, 0, 0, 10, frame.subarray(12));
    const once = frames.map(tag);
    const twice = once.map(tag);
    return captureOf('strange', ethernetLink, [...frames, ...once, ...twice, ...twice.map(tag)]);
  };

  it.each([
    ['all protocols', strange],
    ['sample.pcap', () => fixture('sample.pcap')],
    ['loopback.pcap', () => fixture('loopback.pcap')],
    ['link-raw.pcap', () => fixture('link-raw.pcap')],
    ['link-sll.pcap', () => fixture('link-sll.pcap')],
    ['link-sll2.pcap', () => fixture('link-sll2.pcap')],
    ['link-null.pcap', () => fixture('link-null.pcap')],
    ['link-ppp.pcap', () => fixture('link-ppp.pcap')],
  ])(`lose nothing that the filter keeps of %s (seed ${seed})`, (_, make) => {
    const capture = make();
    const link = capture.linkType === ethernetLink ? 'ethernet' : 'other';
    const leaves = fc.oneof({ weight: 8, arbitrary: leaf }, { weight: 1, arbitrary: vague });
    for (const filter of [...corners, ...fc.sample(filterOf(leaves), { seed, numRuns: 30 })]) {
      for (const vlanTags of ['inFrame', 'offloaded'] as const) {
        const { text } = compiled(filter, { link, vlanTags });
        const { kept, whole } = filterKeeps(capture, filter);
        const found = kernelKeeps(capture, text);
        const lost = [...kept].filter((row) => whole.has(row) && !found.has(row));
        expect(lost, `seed ${seed}: ${filter} => ${text}`).toEqual([]);
      }
    }
  });

  it('fit the kernel at their biggest', () => {
    const list = (count: number, item: (i: number) => string): string =>
      Array.from({ length: count }, (_, i) => item(i)).join(', ');
    for (const filter of [
      `host in (${list(200, (i) => `10.${i}.0.${i}`)})`,
      `src_ip in (${list(200, (i) => `2001:db8:${i}::${i}`)})`,
      `not port in (${list(200, (i) => String(3 * i))})`,
      `host in (${list(1000, (i) => `10.${i >> 8}.${i & 255}.1`)})`,
      `dst_ip in (${list(130, (i) => `2001:db8:${i}::${i}`)}) or host in (${list(130, (i) => `10.${i}.0.${i}`)}) or vlan in (${list(300, (i) => String(2 * i))})`,
      list(190, (i) => `(src_ip != 10.0.0.${i} and dst_port != ${i})`).replaceAll(', ', ' or '),
    ]) {
      const { text } = compiled(filter, {});
      const out = execFileSync('tcpdump', ['-ddd', '-y', 'EN10MB', text], { stdio: ['ignore', 'pipe', 'pipe'] });
      expect(Number(out.toString().split('\n')[0]), filter.slice(0, 40)).toBeLessThanOrEqual(4096);
    }
  });
});
