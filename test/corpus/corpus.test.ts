/**
 * `analyze` against tshark: every capture of the corpus (when it is there) and every fixture of our own. Where we differ
 * on purpose, docs/differences.md says why, and `differences` below says where; a difference that is gone fails too.
 */
import { describe, expect, it } from 'vitest';
import { analyzeFile } from '../../backend/src/cli/analyze.js';
import type { Analysis } from '../../backend/src/cli/analysis.js';
import { differences } from './differences.js';
import { capturesWith, corpusFolder, fixturesFolder } from './truth.js';
import type { Truth } from './truth.js';

/** The parts of an analysis that tshark's results speak of, flat. */
function ofAnalysis(analysis: Analysis): Record<string, unknown> {
  const flat: Record<string, unknown> = {
    packets: analysis.packets,
    bytes: analysis.bytes,
    captured_bytes: analysis.captured_bytes,
    'conversations.tcp': analysis.conversations.tcp,
    'conversations.udp': analysis.conversations.udp,
    'dns.queries': analysis.dns.queries,
    'dns.responses': analysis.dns.responses,
    'dns.names': counts(analysis.dns.names.map(({ name, count }) => [name, count])),
    'http.requests': analysis.http.requests,
    'http.responses': analysis.http.responses,
    'http.methods': counts(Object.entries(analysis.http.methods)),
    'http.hosts': counts(analysis.http.hosts.map(({ host, count }) => [host, count])),
    'http.statuses': counts(Object.entries(analysis.http.statuses)),
  };
  for (const layer of Object.keys(layers)) {
    flat[`protocols.${layer}`] = analysis.protocols[layer] ?? { packets: 0, bytes: 0 };
  }
  return flat;
}

/** Our protocol -> tshark's dissector. */
const layers: Record<string, string> = {
  ipv4: 'ip',
  ipv6: 'ipv6',
  arp: 'arp',
  tcp: 'tcp',
  udp: 'udp',
  icmp: 'icmp',
  icmpv6: 'icmpv6',
  dns: 'dns',
  mdns: 'mdns',
  llmnr: 'llmnr',
  http: 'http',
  tls: 'tls',
};

function ofTruth(truth: Truth): Record<string, unknown> {
  const names = new Map<string, number>();
  for (const { kind, qname, count } of truth.dns.names) {
    if (kind === 'query') names.set(qname, (names.get(qname) ?? 0) + count);
  }
  const flat: Record<string, unknown> = {
    packets: truth.packets,
    bytes: truth.bytes_wire,
    captured_bytes: truth.bytes_captured,
    'conversations.tcp': truth.conversations.tcp.length,
    'conversations.udp': truth.conversations.udp.length,
    'dns.queries': truth.dns.queries,
    'dns.responses': truth.dns.responses,
    'dns.names': counts([...names]),
    'http.requests': truth.http.requests,
    'http.responses': truth.http.responses,
    'http.methods': counts(Object.entries(truth.http.methods)),
    'http.hosts': counts(Object.entries(truth.http.hosts)),
    'http.statuses': counts(Object.entries(truth.http.status)),
  };
  for (const [ours, theirs] of Object.entries(layers)) {
    const layer = truth.frames_with_layer[theirs];
    flat[`protocols.${ours}`] = { packets: layer?.frames ?? 0, bytes: layer?.bytes ?? 0 };
  }
  return flat;
}

function counts(entries: readonly (readonly [string, number])[]): [string, number][] {
  return entries.map(([name, count]): [string, number] => [name, count]).sort(([a], [b]) => (a < b ? -1 : 1));
}

const captures = [
  ...capturesWith(corpusFolder, '.truth.json').map((capture) => ({ ...capture, from: 'corpus' })),
  ...capturesWith(fixturesFolder, '.expected.json').map((capture) => ({ ...capture, from: 'fixtures' })),
];

describe('analyze agrees with tshark', () => {
  it.each(captures)('$from/$name', async ({ name, path, truth }) => {
    const analyzed = analyzeFile(path, { top: 1_000_000, workers: 1 });
    if (truth.tshark?.exit) {
      // tshark refuses it, and so do we, saying why and where.
      await expect(analyzed).rejects.toThrow(/at byte \d+/);
      return;
    }
    const { analysis, damage } = await analyzed;
    const ours = ofAnalysis(analysis);
    const theirs = ofTruth(truth);
    const differing = Object.keys(ours).filter((key) => JSON.stringify(ours[key]) !== JSON.stringify(theirs[key]));
    const allowed = differences[name]?.fields ?? [];
    for (const key of differing.filter((each) => !allowed.includes(each)))
      expect({ [key]: ours[key] }).toEqual({ [key]: theirs[key] });
    expect(differing.sort()).toEqual([...allowed].sort());
    expect(damage).toEqual([]);
  });

  it('has fixtures to compare with', () => {
    expect(captures.filter(({ from }) => from === 'fixtures').length).toBeGreaterThan(15);
  });
});
