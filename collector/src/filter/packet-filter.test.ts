import { Layer, PacketBatch, tunnelTypeNames } from '@netspectra/proto';
import { compilePredicate, fieldCode, parseFilter, relaxFilter, transportFields } from '@netspectra/query';
import type { FieldId, FieldReader, FilterNode } from '@netspectra/query';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketDecoder } from '../decode/index.js';
import { ethernet, ipv6, ipv6Fragment, rowOf, sampleFrames } from '../decode/testing.js';
import { RowCompactor, compilePacketFilter } from './index.js';

const frames = sampleFrames();
const names = Object.keys(frames);

/** All sample frames, one row each. */
function sampleBatch(): PacketBatch {
  const batch = new PacketBatch(names.length, 8 * names.length);
  const decoder = new PacketDecoder();
  for (const { bytes, linkType } of Object.values(frames)) {
    expect(decoder.decode(bytes, 0, bytes.length, bytes.length, linkType, 1, 2, 0, batch)).toBe(true);
  }
  return batch;
}

function filterOf(text: string): FilterNode {
  const result = parseFilter(text);
  if (!result.ok) throw new Error(`${text}: ${result.errors[0]!.message}`);
  return result.filter;
}

function kept(text: string): string[] {
  const result = compilePacketFilter(filterOf(text), { probe: 'edge-1' });
  if (!result.ok) throw new Error(result.problems[0]!.message);
  const batch = sampleBatch();
  const marks = new Uint8Array(batch.count);
  const count = result.filter.mark(batch, marks);
  const found = names.filter((_, row) => marks[row] === 1);
  expect(found).toHaveLength(count);
  return found;
}

describe('filters over packets', () => {
  it.each([
    ['', names],
    ['tunnel_type = vxlan', ['vxlan', 'vxlan linux port', 'vxlan in gre in 4in6']],
    ['tunnel_id = 0xabcdef', ['vxlan']],
    ['icmp_type = 3 and icmp_code = 1', ['ethernet icmp unreachable']],
    ['icmp_type = 3', ['ethernet icmp unreachable']],
    ['protocol = sctp and port = 2905', ['ethernet sctp']],
    ['protocol = 33 and src_port = 5001', []], // DCCP and UDP-Lite: ports are of TCP, UDP and SCTP
    ['probe != edge-1', []],
    ['client_ip = 10.0.0.1 or vlan = 1', undefined],
  ])('%s', (text, expected) => {
    if (expected) expect(kept(text)).toEqual(expected);
    else expect(compilePacketFilter(filterOf(text))).toMatchObject({ ok: false, problems: [{ field: 'client_ip' }] });
  });

  it('keeps fragments whose datagram could fit, by their addresses', () => {
    expect(kept('udp port 53')).toContain('ethernet ipv4 fragment last');
    expect(kept('not port 53')).toContain('ethernet ipv4 fragment first');
    expect(kept('udp port 53 and host 203.0.113.1')).not.toContain('ethernet ipv4 fragment last');
    expect(kept('tcp port 53')).not.toContain('ethernet ipv4 fragment last');
    expect(kept('port 3')).toContain('ethernet ipv6 atomic fragment');
    expect(kept('port 5')).not.toContain('ethernet ipv6 atomic fragment');
  });

  it('keeps later fragments that begin behind an extension header, of which only that header is known', () => {
    const marked = (next: number, text: string): number => {
      const batch = new PacketBatch(1, 8);
      const bytes = ethernet(0x86dd, ipv6(44, ipv6Fragment(next, 512, false, 7, new Uint8Array(64))));
      expect(new PacketDecoder().decode(bytes, 0, bytes.length, bytes.length, 1, 1, 2, 0, batch)).toBe(true);
      const result = compilePacketFilter(filterOf(text));
      if (!result.ok) throw new Error(result.problems[0]!.message);
      return result.filter.mark(batch, new Uint8Array(1));
    };
    for (const next of [0, 43, 51, 60, 135, 139, 140]) {
      expect([marked(next, 'port 53'), marked(next, 'icmp_type = 1')], String(next)).toEqual([1, 1]);
    }
    expect([marked(17, 'port 53'), marked(17, 'icmp_type = 1')]).toEqual([1, 0]);
    expect([marked(58, 'port 53'), marked(58, 'icmp_type = 1')]).toEqual([0, 1]);
  });

  it.each([
    ['rtt > 5ms', 'cannot be asked of a single packet because rtt is counted or measured over a whole flow record'],
    ['dns_name ~ "*.org"', 'cannot be asked of a single packet because dns_name is read from the messages'],
    ['application = dns', 'cannot be asked of a single packet because an application is recognised over'],
    ['server_port = 1', 'cannot be asked of a single packet because one packet does not tell who is client'],
    ['src_country = DE', 'cannot be asked of a single packet because src_country is looked up by the engine'],
    ['country = DE', 'cannot be asked of a single packet because country is looked up by the engine'],
    ['bytes > 1', 'cannot be asked of a single packet because bytes is counted'],
    ['flow_id = 1', 'cannot be asked of a single packet because flow_id belongs to a whole flow'],
  ])('%s is refused', (text, message) => {
    const result = compilePacketFilter(filterOf(text));
    expect(result.ok ? '' : result.problems[0]!.message).toContain(message);
  });

  it('makes a batch of the kept rows, with their outer 5-tuples', () => {
    const before = sampleBatch();
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: before.count, maxLength: before.count }), (wanted) => {
        const batch = sampleBatch();
        const rows = wanted.flatMap((keep, row) => (keep ? [row] : []));
        expect(new RowCompactor().compact(batch, Uint8Array.from(wanted, Number))).toBe(rows.length);
        expect(batch.count).toBe(rows.length);
        rows.forEach((row, place) => expect(rowOf(batch, place)).toEqual(rowOf(before, row)));
        const outer = rows.reduce((sum, row) => sum + (rowOf(before, row).outer as unknown[]).length, 0);
        expect(batch.outerCount).toBe(outer);
      }),
      { numRuns: 100 },
    );
  });

  it('refuses too few marks', () => {
    const result = compilePacketFilter(filterOf('port 1'));
    if (!result.ok) throw new Error('refused');
    expect(() => result.ok && result.filter.mark(sampleBatch(), new Uint8Array(1))).toThrow('room for 1 marks');
  });
});

/** A slow reading of a row, from the language's description. */
function slowReader(batch: PacketBatch, row: number): FieldReader {
  const values = rowOf(batch, row) as Record<string, number>;
  const words = (hex: unknown): number[] =>
    [0, 8, 16, 24].map((at) => Number.parseInt(String(hex).slice(at, at + 8), 16));
  const layers = values['layers']!;
  const has = (bit: number): boolean => (layers & bit) !== 0;
  const ported = has(Layer.HasPorts) && [6, 17, 132].includes(values['protocol']!);
  const icmp = has(Layer.HasAddresses) && !has(Layer.Fragment) && [1, 58].includes(values['protocol']!);
  const addresses = { src_ip: words(values['source']), dst_ip: words(values['destination']) };
  const isIpv4 = String(values['source']).startsWith('00000000000000000000ffff');
  const numbers: Partial<Record<FieldId, number>> = {
    ...(ported ? { src_port: values['sourcePort']!, dst_port: values['destinationPort']! } : {}),
    ...(icmp ? { icmp_type: values['icmpType']!, icmp_code: values['icmpCode']! } : {}),
    ...(has(Layer.HasAddresses) ? { protocol: values['protocol']! } : {}),
    ip_version: has(Layer.HasAddresses) ? (isIpv4 ? 4 : 6) : 0,
    ether_type: values['etherType']!,
    vlan: values['vlan']!,
    inner_vlan: values['innerVlan']!,
    tunnel_id: values['tunnelId']!,
  };
  const find = <T>(record: Partial<Record<FieldId, T>>, code: number): T | undefined =>
    Object.entries(record).find(([id]) => fieldCode(id as FieldId) === code)?.[1];
  return {
    number: (field) => find(numbers, field) ?? NaN,
    text: (field) =>
      find({ probe: 'edge-1', tunnel_type: tunnelTypeNames[values['tunnelType']!] ?? '' }, field) ?? null,
    hasAddress: (field) => has(Layer.HasAddresses) && find(addresses, field) !== undefined,
    addressWord: (field, word) => find(addresses, field)![word]!,
  };
}

describe('the packet reader', () => {
  it('agrees with a slow reading of the rows on random filters', () => {
    const comparisons = fc.constantFrom(
      ...['host 10.0.0.1', 'src net 10.0.0.0/8', 'dst_ip in 2001:db8::/32', 'src_ip = dst_ip', 'host != 10.0.0.2'],
      ...[
        'port 53',
        'src_port > dst_port',
        'port in 1..1023',
        'dst_port not in (80, 443)',
        'tcp',
        'protocol in (1, 17)',
      ],
      ...[
        'ip6',
        'ip_version = 0',
        'ether_type = ipv6',
        'arp',
        'vlan',
        'inner_vlan = vlan',
        'vlan < 10',
        'icmp_type = 8',
      ],
      ...['icmp_code != 0', 'tunnel_type = gre', 'tunnel_type ~ "g*"', 'tunnel_id > 5', 'probe =~ /^edge/', 'icmp6'],
    );
    const text = fc.letrec<{ any: string }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 3, depthSize: 'small' },
        comparisons,
        tie('any').map((inner) => `not (${inner})`),
        fc.tuple(tie('any'), fc.constantFrom('and', 'or'), tie('any')).map(([a, sign, b]) => `(${a}) ${sign} (${b})`),
      ),
    })).any;
    const batch = sampleBatch();
    const readers = names.map((_, row) => slowReader(batch, row));
    const marks = new Uint8Array(batch.count);
    fc.assert(
      fc.property(text, (written) => {
        const filter = filterOf(written);
        const result = compilePacketFilter(filter, { probe: 'edge-1' });
        if (!result.ok) throw new Error(result.problems[0]!.message);
        result.filter.mark(batch, marks);
        const predicate = compilePredicate(filter);
        const relaxed = compilePredicate(relaxFilter(filter, transportFields));
        readers.forEach((reader, row) => {
          const expected = (batch.layers[row]! & Layer.Fragment) === 0 ? predicate(reader) : relaxed(reader);
          expect(marks[row], `${written} on ${names[row]!}`).toBe(expected ? 1 : 0);
          // What is known of a fragment must never count against it.
          if (predicate(reader)) expect(relaxed(reader)).toBe(true);
        });
      }),
      { numRuns: 300 },
    );
  });
});
