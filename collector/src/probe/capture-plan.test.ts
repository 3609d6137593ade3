import { decodePacketBatch } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { describe, expect, it } from 'vitest';
import { bytesOf, ethernet, ipv4, tcp, text, udp } from '../decode/testing.js';
import { BatchBuilder } from './batch-builder.js';
import { CapturePlan, captureRuleLimits } from './capture-plan.js';
import type { CaptureRule, CaptureSettings } from './capture-plan.js';
import type { PayloadMode } from './payload-picker.js';

const settings: CaptureSettings = { filter: '', probe: 'p', samplingRate: 1, snapLength: 256 };
const body = text('x'.repeat(400));
const dns = ethernet(0x0800, ipv4(17, udp(40_000, 53, body)));
const web = ethernet(0x0800, ipv4(6, tcp(40_000, 443, body)));
const backup = ethernet(0x0800, ipv4(6, tcp(40_001, 873, body)));
/** the second part of a datagram, which tells no ports */
const fragment = ethernet(0x0800, ipv4(17, bytesOf(body), { fragment: 10 }));
const frames = { dns, web, backup, fragment };

interface Heard {
  readonly messages: readonly { readonly rate: number; readonly sequence: number; readonly batch: PacketBatch }[];
  readonly filtered: number;
  readonly received: number;
}

/** Each frame so many times through a builder with these rules. */
function capture(
  rules: readonly CaptureRule[],
  over: Partial<CaptureSettings> = {},
  times = 1,
  payload: PayloadMode = 'none',
): Heard {
  const plan = new CapturePlan({ ...settings, ...over, rules });
  const rowsMax = 4 * times;
  const options = { probe: 'p', epoch: 1n, partitions: 1, source: 's', payload, rowsMax, messageBytesMax: 8 << 20 };
  const builder = new BatchBuilder(options, plan);
  for (let i = 0; i < times; i += 1) {
    for (const bytes of Object.values(frames)) {
      expect(builder.add(bytes, 0, bytes.length, bytes.length, 1, 1, i, 0)).toBe(true);
    }
  }
  const messages = builder.flush(true).map(({ bytes, sequence }) => {
    const decoded = decodePacketBatch(bytes);
    if (!decoded.ok) throw new Error('not decoded');
    return { rate: decoded.header.samplingRate, sequence, batch: decoded.batch };
  });
  return { messages, filtered: builder.counters.filtered, received: builder.counters.received };
}

/** Names of the frames that are kept, in order. */
const keptOf = ({ messages }: Heard): string[] =>
  messages.flatMap(({ batch }) =>
    Array.from({ length: batch.count }, (_, row) => {
      const port = batch.destinationPort[row];
      return port === 53 ? 'dns' : port === 443 ? 'web' : port === 873 ? 'backup' : 'fragment';
    }),
  );

const drop = (filter: string): CaptureRule => ({ filter, action: { type: 'drop' } });
const take = (filter: string): CaptureRule => ({ filter, action: { type: 'capture' } });
const sample = (filter: string, rate: number): CaptureRule => ({ filter, action: { type: 'sample', rate } });

describe('what becomes of a packet', () => {
  it.each<[string, CaptureRule[], string, string[]]>([
    ['no rule: all', [], '', ['dns', 'web', 'backup', 'fragment']],
    ['the own filter', [], 'udp', ['dns', 'fragment']],
    ['a rule that drops', [drop('port 873')], '', ['dns', 'web', 'fragment']],
    ['none brings back what the own filter leaves out', [take('tcp')], 'udp', ['dns', 'fragment']],
    ['the first that keeps a packet decides', [take('port 443'), drop('tcp')], '', ['dns', 'web', 'fragment']],
    ['in this order', [drop('tcp'), take('port 443')], '', ['dns', 'fragment']],
    ['nothing but', [take('tcp and port 443'), drop('')], '', ['web']],
    ['a fragment that could belong to what is taken', [take('port 53'), drop('')], '', ['dns', 'fragment']],
    ['a fragment that need not belong to what is dropped', [drop('port 53')], '', ['web', 'backup', 'fragment']],
  ])('%s', (_, rules, filter, names) => {
    const heard = capture(rules, { filter });
    expect(keptOf(heard)).toEqual(names);
    expect(heard.filtered).toBe(4 - names.length);
    if (names.length > 0) expect(heard.received).toBe(4);
  });

  it('what is never captured no rule brings back', () => {
    expect(keptOf(capture([take('')], { except: 'port 443' }))).toEqual(['dns', 'backup', 'fragment']);
  });

  it('one of so many, and each says of how many it is one', () => {
    const times = 20_000;
    const { messages, filtered } = capture(
      [sample('tcp and port 443', 4), sample('tcp and port 873', 100)],
      { samplingRate: 3 },
      times,
    );
    const rows = new Map(messages.map(({ rate, batch }) => [rate, batch.count]));
    expect([...rows.keys()]).toEqual([3, 12, 300]);
    expect(messages.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
    expect(rows.get(3)).toBe(2 * times);
    // 5 standard deviations of a binomial distribution: one run in a million would fail.
    expect(Math.abs(rows.get(12)! - times / 4)).toBeLessThan(5 * Math.sqrt(times * 0.25 * 0.75));
    expect(Math.abs(rows.get(300)! - times / 100)).toBeLessThan(5 * Math.sqrt(times * 0.01 * 0.99));
    expect([...rows.values()].reduce((sum, each) => sum + each, filtered)).toBe(4 * times);
    const ports = messages.map(({ batch }) => new Set(batch.destinationPort.subarray(0, batch.count)));
    expect(ports.map((each) => [...each])).toEqual([[53, 0], [443], [873]]);
  });

  it.each<[PayloadMode, number, number]>([
    ['none', 0, 100 - 54],
    ['all', 256 - 54, 100 - 54],
  ])('payload %s, and another length by a rule', (mode, plain, ruled) => {
    const rules: CaptureRule[] = [{ filter: 'port 443', action: { type: 'payload', snapLength: 100 } }];
    const { messages } = capture(rules, {}, 1, mode);
    const { batch } = messages[0]!;
    const lengths = Array.from({ length: batch.count }, (_, row) => [
      batch.payloadLength[row],
      batch.capturedLength[row],
    ]);
    expect([lengths[2], lengths[1]]).toEqual([
      [plain, 256],
      [ruled, 100],
    ]);
  });

  it('asks the kernel for what any rule needs', () => {
    const rules: CaptureRule[] = [{ filter: 'port 443', action: { type: 'payload', snapLength: 1_500 } }];
    const longer = new CapturePlan({ ...settings, rules });
    expect(longer.snapLengthMax).toBe(1_500);
    expect(longer.bpf({})).toMatchObject({ ok: true, text: '' });
    const some = new CapturePlan({ ...settings, filter: 'tcp', rules: [take('port 443'), drop('port 873')] }).bpf({
      link: 'other',
    });
    expect(some).toMatchObject({ ok: true, text: expect.stringMatching(/443.* or .*not.*873/) as string });
  });
});

describe('rules that cannot be used', () => {
  it.each<[string, Partial<CaptureSettings>]>([
    ['the filter, column 1: ', { filter: 'nonsense = 3' }],
    ['rule 2: ', { rules: [take('tcp'), drop('bytes > 1MB')] }],
    ['rule 1, column ', { rules: [drop('port = ')] }],
    ['rule 1, column ', { rules: [drop('tcp) or (udp')] }],
    ['rule 1: one of 1000000 of one of 65535 packets', { samplingRate: 65_535, rules: [sample('', 1_000_000)] }],
    ['101 rules; a probe takes 100', { rules: Array.from({ length: 101 }, () => drop('arp')) }],
    ['16 different sampling rates', { rules: Array.from({ length: 16 }, (_, i) => sample('arp', i + 2)) }],
  ])('%s', (message, over) => {
    expect(() => new CapturePlan({ ...settings, ...over })).toThrow(message);
  });

  it('the most that is allowed still makes a program for the kernel', () => {
    const rules = Array.from({ length: captureRuleLimits.rules }, (_, i) =>
      (i % 2 === 0 ? drop : take)(
        `host in (${Array.from({ length: 100 }, (_unused, j) => `10.${i}.${j}.1`).join(', ')})`,
      ),
    );
    const result = new CapturePlan({ ...settings, rules }).bpf({});
    expect(result.ok).toBe(true);
  });
});
