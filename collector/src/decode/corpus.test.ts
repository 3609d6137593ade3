/**
 * Real captures against tshark's own counts: frames and wire bytes per protocol, and the sets of TCP and UDP
 * conversations. Runs where the corpus is at hand.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Layer, PacketBatch } from '@netspectra/proto';
import { describe, expect, it } from 'vitest';
import { DefragmentResult, Defragmenter, PacketDecoder } from './index.js';
import { addressOf, readCapture } from './testing.js';

const corpus = fileURLToPath(new URL('../../../../shared/corpus/', import.meta.url));

interface Conversation {
  a: string;
  b: string;
  a_port: number;
  b_port: number;
  frames_ab: number;
  frames_ba: number;
}
interface Truth {
  packets: number;
  tshark: { exit: number };
  ipv4_fragments: number;
  ipv6_fragments: number;
  frames_with_layer: Record<string, { frames: number; bytes: number } | undefined>;
  conversations: { tcp: Conversation[]; udp: Conversation[] };
}

const layersByName = {
  ip: Layer.Ipv4,
  ipv6: Layer.Ipv6,
  arp: Layer.Arp,
  tcp: Layer.Tcp,
  udp: Layer.Udp,
  icmp: Layer.Icmp,
  icmpv6: Layer.Icmpv6,
  gre: Layer.Gre,
  vxlan: Layer.Vxlan,
  geneve: Layer.Geneve,
  gtp: Layer.Gtpu,
  teredo: Layer.Teredo,
  mpls: Layer.Mpls,
} as const;

/** Where only packets and bytes bind (the corpus README). */
const referenceOnly = /^(fuzz-|dns-zlip-|frag-)|-trunc/;

function hexAddress(address: string): string {
  if (!address.includes(':')) {
    const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
    return `00000000000000000000ffff${bytes.join('')}`;
  }
  const [head = '', tail] = address.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = new Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join('');
}

const endpoints = (a: string, aPort: number, b: string, bPort: number): string =>
  [`${a}:${aPort}`, `${b}:${bPort}`].sort().join(' ');

function summarize(file: Uint8Array) {
  const decoder = new PacketDecoder();
  const defragmenter = new Defragmenter({ timeoutSeconds: 1e9 });
  const batch = new PacketBatch(1, 8);
  const layers: Record<string, { frames: number; bytes: number }> = {};
  const conversations = { tcp: new Map<string, number>(), udp: new Map<string, number>() };
  const count = (protocol: number, key: string): void => {
    if (protocol !== 6 && protocol !== 17) return;
    const map = protocol === 6 ? conversations.tcp : conversations.udp;
    map.set(key, (map.get(key) ?? 0) + 1);
  };
  const countOuter = (rows: PacketBatch): void => {
    for (let i = 0; i < rows.outerCount; i += 1) {
      const source = addressOf(rows.outerSourceAddress, i);
      const destination = addressOf(rows.outerDestinationAddress, i);
      count(
        rows.outerProtocol[i]!,
        endpoints(source, rows.outerSourcePort[i]!, destination, rows.outerDestinationPort[i]!),
      );
    }
  };
  let packets = 0;
  for (const frame of readCapture(file)) {
    batch.clear();
    batch.payload = frame.bytes;
    const decoded = decoder.decode(
      frame.bytes,
      0,
      frame.bytes.length,
      frame.wireLength,
      frame.linkType,
      frame.seconds,
      frame.nanoseconds,
      0,
      batch,
    );
    expect(decoded).toBe(true);
    packets += 1;
    let rows = batch;
    countOuter(batch);
    if ((batch.layers[0]! & Layer.Fragment) !== 0 && defragmenter.add(batch, 0) === DefragmentResult.Completed) {
      rows = defragmenter.completed;
      countOuter(rows);
    }
    const bits = rows.layers[0]!;
    for (const [name, bit] of Object.entries(layersByName)) {
      if ((bits & bit) === 0) continue;
      const entry = (layers[name] ??= { frames: 0, bytes: 0 });
      entry.frames += 1;
      entry.bytes += rows.wireLength[0]!;
    }
    if ((bits & Layer.HasPorts) !== 0 && (bits & Layer.Fragment) === 0) {
      const source = addressOf(rows.sourceAddress, 0);
      const destination = addressOf(rows.destinationAddress, 0);
      count(rows.protocol[0]!, endpoints(source, rows.sourcePort[0]!, destination, rows.destinationPort[0]!));
    }
  }
  return { packets, layers, conversations };
}

describe.runIf(existsSync(corpus))('decode agrees with tshark on the corpus', () => {
  const names = existsSync(corpus)
    ? readdirSync(corpus)
        .filter((name) => name.endsWith('.truth.json'))
        .map((name) => name.slice(0, -'.truth.json'.length))
    : [];
  it.each(names.filter((name) => !referenceOnly.test(name)))('%s', (name) => {
    const truth = JSON.parse(readFileSync(`${corpus}${name}.truth.json`, 'utf8')) as Truth;
    if (truth.tshark.exit === 2) return;
    const seen = summarize(new Uint8Array(readFileSync(corpus + name)));
    const wanted = Object.fromEntries(
      Object.keys(layersByName)
        .map((key) => [key, truth.frames_with_layer[key]] as const)
        .filter(([, value]) => value !== undefined),
    );
    expect(seen.packets).toBe(truth.packets);
    expect(seen.layers).toEqual(wanted);
    for (const protocol of ['tcp', 'udp'] as const) {
      const conversations = new Map<string, number>();
      for (const row of truth.conversations[protocol]) {
        const key = endpoints(hexAddress(row.a), row.a_port, hexAddress(row.b), row.b_port);
        conversations.set(key, (conversations.get(key) ?? 0) + row.frames_ab + row.frames_ba);
      }
      expect(Object.fromEntries(seen.conversations[protocol])).toEqual(Object.fromEntries(conversations));
    }
  });
});
