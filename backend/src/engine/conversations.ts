/**
 * Distinct TCP and UDP conversations: unordered pairs of (address, port), VLANs and tunnels apart, at every layer of a
 * frame. Flows are counted from the flow table; this set takes the enclosing 5-tuples of tunnels and, where the same
 * 5-tuple can stand in several flows (VLANs), those too.
 */
import { flowHash } from '@netspectra/collector/decode';
import type { PacketBatch } from '@netspectra/proto';
import type { FlowTable } from './flow-table/index.js';

const keyWords = 10; // two addresses, ports, protocol
const tcp = 6;
const udp = 17;

/** Exact set of 5-tuples, direction-free; grows by doubling up to `limit`, then counts what it could not take. */
class TupleSet {
  tcp = 0;
  udp = 0;
  refused = 0;
  private keys = new Uint32Array(64 * keyWords);
  private index = new Int32Array(128).fill(-1);
  private count = 0;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  add(a: Uint32Array, aAt: number, aPort: number, b: Uint32Array, bAt: number, bPort: number, protocol: number): void {
    let forward = aPort < bPort;
    if (aPort === bPort) {
      forward = true;
      for (let i = 0; i < 4; i += 1) {
        if (a[aAt + i] === b[bAt + i]) continue;
        forward = a[aAt + i]! < b[bAt + i]!;
        break;
      }
    }
    if (this.count * 2 >= this.index.length) this.grow();
    const key = this.count * keyWords;
    const keys = this.keys;
    const low = forward ? a : b;
    const lowAt = forward ? aAt : bAt;
    const high = forward ? b : a;
    const highAt = forward ? bAt : aAt;
    for (let i = 0; i < 4; i += 1) keys[key + i] = low[lowAt + i]!;
    for (let i = 0; i < 4; i += 1) keys[key + 4 + i] = high[highAt + i]!;
    keys[key + 8] = (forward ? aPort | (bPort << 16) : bPort | (aPort << 16)) >>> 0;
    keys[key + 9] = protocol;
    const mask = this.index.length - 1;
    let bucket = hashWords(keys, key) & mask;
    for (;;) {
      const entry = this.index[bucket]!;
      if (entry < 0) break;
      let same = true;
      for (let i = 0; same && i < keyWords; i += 1) same = keys[entry * keyWords + i] === keys[key + i];
      if (same) return;
      bucket = (bucket + 1) & mask;
    }
    if (this.count >= this.limit) {
      this.refused += 1;
      return;
    }
    this.index[bucket] = this.count;
    this.count += 1;
    if (protocol === tcp) this.tcp += 1;
    else if (protocol === udp) this.udp += 1;
  }

  /** The keys, ten words each. */
  keysInUse(): Uint32Array {
    return this.keys.slice(0, this.count * keyWords);
  }

  private grow(): void {
    const keys = new Uint32Array(this.keys.length * 2);
    keys.set(this.keys);
    this.keys = keys;
    this.index = new Int32Array(this.index.length * 2).fill(-1);
    const mask = this.index.length - 1;
    for (let entry = 0; entry < this.count; entry += 1) {
      let bucket = hashWords(keys, entry * keyWords) & mask;
      while (this.index[bucket]! >= 0) bucket = (bucket + 1) & mask;
      this.index[bucket] = entry;
    }
  }
}

function hashWords(words: Uint32Array, at: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < keyWords; i += 1) {
    hash = Math.imul(hash ^ words[at + i]!, 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

/** The direction-free hash of a key of `exportForeign`: whose it is. */
export function hashOfTuple(key: Uint32Array): number {
  return flowHash(
    key[0]!,
    key[1]!,
    key[2]!,
    key[3]!,
    key[4]!,
    key[5]!,
    key[6]!,
    key[7]!,
    key[8]! & 0xffff,
    key[8]! >>> 16,
    key[9]!,
  );
}

export interface ConversationReport {
  tcp: number;
  udp: number;
}

export class Conversations {
  private readonly outer: TupleSet;
  /** enclosing 5-tuples that other partitions own: of datagrams put together here */
  private readonly foreign: TupleSet;

  /** @param limit most enclosing 5-tuples kept */
  constructor(limit: number) {
    this.outer = new TupleSet(limit);
    this.foreign = new TupleSet(limit);
  }

  /**
   * The enclosing 5-tuples of a batch that this partition owns.
   * @param all the batch is this partition's whole: what others own is kept for them
   */
  count(batch: PacketBatch, owns: (hash: number) => boolean, all: boolean): void {
    for (let i = 0; i < batch.outerCount; i += 1) {
      const protocol = batch.outerProtocol[i]!;
      if (protocol !== tcp && protocol !== udp) continue;
      const owned = owns(batch.outerHash[i]!);
      if (!owned && !all) continue;
      (owned ? this.outer : this.foreign).add(
        batch.outerSourceAddress,
        i * 4,
        batch.outerSourcePort[i]!,
        batch.outerDestinationAddress,
        i * 4,
        batch.outerDestinationPort[i]!,
        protocol,
      );
    }
  }

  /** Keys that other partitions own, one array each, for `absorb` there. */
  exportForeign(): Uint32Array[] {
    const keys = this.foreign.keysInUse();
    return Array.from({ length: keys.length / keyWords }, (_, i) => keys.slice(i * keyWords, (i + 1) * keyWords));
  }

  absorb(key: Uint32Array): void {
    this.outer.add(key, 0, key[8]! & 0xffff, key, 4, key[8]! >>> 16, key[9]!);
  }

  /** Distinct conversations of this partition: the flow table's and the enclosing ones. */
  report(flows: FlowTable): ConversationReport {
    let tcpFlows = 0;
    let udpFlows = 0;
    let tagged = false;
    for (let flow = 0; flow < flows.slots; flow += 1) {
      if (!flows.isConversation(flow)) continue;
      if (flows.protocol(flow) === tcp) tcpFlows += 1;
      else udpFlows += 1;
      tagged ||= flows.vlan(flow) !== 0 || flows.innerVlan(flow) !== 0;
    }
    if (tagged || this.outer.tcp + this.outer.udp > 0) {
      for (let flow = 0; flow < flows.slots; flow += 1) {
        if (!flows.isConversation(flow)) continue;
        this.outer.add(
          flows.hot,
          flows.clientAddressOffset(flow) >>> 2,
          flows.clientPort(flow),
          flows.hot,
          flows.serverAddressOffset(flow) >>> 2,
          flows.serverPort(flow),
          flows.protocol(flow),
        );
      }
      tcpFlows = this.outer.tcp;
      udpFlows = this.outer.udp;
    }
    return { tcp: tcpFlows, udp: udpFlows };
  }
}
