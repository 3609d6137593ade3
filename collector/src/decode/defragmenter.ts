/**
 * Defragmenter: puts IPv4 (RFC 791) and IPv6 (RFC 8200 4.5) datagrams together, bounded in count and bytes.
 *
 * Fragments are copied into a buffer per datagram, with one bit per eight bytes for what has come. Time is event time:
 * a datagram not complete `timeoutSeconds` after its first fragment is given up. When a limit is hit the oldest datagram
 * is given up (and counted). Overlaps: in IPv6 the whole datagram is dropped, with what still comes of it (RFC 5722,
 * as Linux does); in IPv4 the bytes that came first stay, and so does the end that was said first. Exact repeats are not
 * overlaps.
 */
import { Layer, PacketBatch } from '@netspectra/proto';
import { flowHash, mappedPrefix } from './flow-hash.js';
import { outerPerFrameMax } from './frame.js';
import { PacketDecoder } from './packet-decoder.js';

/** What became of a row given to `add`. */
export const DefragmentResult = {
  /** kept until the rest comes; the row stands as it is (perhaps with ports now) */
  Held: 0,
  /** the datagram is complete: use row 0 of `completed` instead of this row */
  Completed: 1,
  /** not kept: not captured whole, a repeat, an overlap, or part of a dropped datagram; the row stands as it is */
  NotKept: 2,
} as const;
export type DefragmentResult = (typeof DefragmentResult)[keyof typeof DefragmentResult];

export interface DefragmenterOptions {
  /** most datagrams at a time */
  readonly datagramsMax: number;
  /** most buffer bytes at a time */
  readonly bytesMax: number;
  /** event time after which an incomplete datagram is given up, seconds */
  readonly timeoutSeconds: number;
}

export const defragmenterDefaults: DefragmenterOptions = {
  datagramsMax: 4096,
  bytesMax: 16 << 20,
  timeoutSeconds: 30, // Linux's ipfrag_time; RFC 791 says 15, RFC 8200 says 60
};

/** Counters since the beginning, except `held`. */
export interface DefragmenterCounters {
  /** datagrams waiting now */
  held: number;
  reassembled: number;
  /** given up for time */
  expired: number;
  /** fragments that overlap others of their datagram, or contradict its end */
  overlapped: number;
  /** fragments that came again with the same bytes */
  repeated: number;
  /** fragments that were not captured whole or whose offset and length cannot be */
  unusable: number;
  /** datagrams given up because a limit was reached */
  limitReached: number;
}

const datagramBytesMax = 65_535;
const unit = 8;
/** Datagrams inside datagrams that one call follows. */
const nestedMax = 4;
const fieldsPerKey = 12;

/** One datagram in the making. Objects are reused; the pool is bounded by datagramsMax. */
class Datagram {
  readonly key = new Int32Array(fieldsPerKey);
  bytes = new Uint8Array(0);
  /** one bit per unit of eight bytes */
  received = new Uint8Array(0);
  unitsReceived = 0;
  /** total length, -1 until the last fragment has come */
  length = -1;
  /** end of the farthest fragment */
  reach = 0;
  seconds = 0;
  /** protocol number of the first fragment (RFC 8200: that one counts), -1 until it has come */
  protocol = -1;
  /** source port << 16 | destination port, when hasPorts */
  ports = 0;
  hasPorts = false;
  dropped = false;
  hash = 0;
  nextInChain: Datagram | undefined = undefined;
  older: Datagram | undefined = undefined;
  newer: Datagram | undefined = undefined;
}

export class Defragmenter {
  readonly counters: DefragmenterCounters = {
    held: 0,
    reassembled: 0,
    expired: 0,
    overlapped: 0,
    repeated: 0,
    unusable: 0,
    limitReached: 0,
  };
  /** Row 0 is the last completed datagram's; its payload is valid until the next `add`. */
  readonly completed: PacketBatch = new PacketBatch(1, outerPerFrameMax * (nestedMax + 1));

  private readonly options: DefragmenterOptions;
  private readonly decoder: PacketDecoder;
  private readonly chains: (Datagram | undefined)[];
  private readonly chainMask: number;
  /** what `find` looked for last, and its hash */
  private readonly key = new Int32Array(fieldsPerKey);
  private keyHash = 0;
  private readonly free: Datagram[] = [];
  private oldest: Datagram | undefined;
  private newest: Datagram | undefined;
  private bytesHeld = 0;
  private latestSeconds = 0;

  /**
   * @param decoder decodes the datagrams; one of its own without it
   * @throws RangeError for limits below one datagram
   */
  constructor(options: Partial<DefragmenterOptions> = {}, decoder: PacketDecoder = new PacketDecoder()) {
    this.options = { ...defragmenterDefaults, ...options };
    if (!(this.options.datagramsMax >= 1) || !(this.options.bytesMax >= datagramBytesMax + 1)) {
      throw new RangeError('a defragmenter holds at least one datagram of 65,536 bytes');
    }
    this.decoder = decoder;
    let chains = 16;
    while (chains < this.options.datagramsMax) chains *= 2;
    this.chains = new Array<Datagram | undefined>(chains).fill(undefined);
    this.chainMask = chains - 1;
  }

  /**
   * Take a row with Layer.Fragment. Where the datagram's first fragment is known, the row is given its ports (HasPorts
   * is set and flowHash is computed anew); its layers stay what the frame by itself shows.
   *
   * Also takes a row with Layer.MoreFragments alone (a first fragment that was not captured whole and so was decoded by
   * itself): its ports are remembered for the fragments after it.
   */
  add(batch: PacketBatch, row: number): DefragmentResult {
    let result = this.addOne(batch, row);
    if (result !== DefragmentResult.Completed) return result;
    // A fragment inside the datagram: a tunnel whose inner packets are fragments too.
    for (let depth = 0; depth < nestedMax; depth += 1) {
      const layers = this.completed.layers[0]!;
      if ((layers & Layer.Fragment) === 0 || result !== DefragmentResult.Completed) break;
      result = this.addOne(this.completed, 0);
    }
    return DefragmentResult.Completed;
  }

  /** Give up all that is held, counting it as expired: the end of the stream. */
  finish(): void {
    while (this.oldest) this.expire(this.oldest);
  }

  private addOne(batch: PacketBatch, row: number): DefragmentResult {
    const seconds = batch.timestampSeconds[row]!;
    if (seconds > this.latestSeconds) this.latestSeconds = seconds;
    this.expireOld();
    const start = batch.fragmentOffset[row]!;
    let length = batch.transportPayloadLength[row]!;
    const more = (batch.layers[row]! & Layer.MoreFragments) !== 0;
    const isFragment = (batch.layers[row]! & Layer.Fragment) !== 0;
    // All but the last hold whole units (RFC 791, RFC 8200), so what is over cannot count.
    if (more) length -= length % unit;
    // The end must fit a datagram (the ping of death's does not).
    if (isFragment && (length === 0 || start + length > datagramBytesMax)) {
      this.counters.unusable += 1;
      return DefragmentResult.NotKept;
    }
    const datagram = this.find(batch, row) ?? this.open(seconds);
    if (start === 0) this.rememberFirst(datagram, batch, row);
    if (isFragment) this.givePorts(datagram, batch, row);
    if (datagram.dropped) return DefragmentResult.NotKept;
    if (!isFragment || batch.payloadLength[row]! < length) {
      this.counters.unusable += 1;
      return DefragmentResult.NotKept;
    }
    if (!this.store(datagram, batch, row, start, length, more)) return DefragmentResult.NotKept;
    if (datagram.length < 0 || datagram.unitsReceived * unit < datagram.length || datagram.protocol < 0) {
      return DefragmentResult.Held;
    }
    this.complete(datagram, batch, row);
    return DefragmentResult.Completed;
  }

  private loadKey(batch: PacketBatch, row: number): number {
    const key = this.key;
    const at = row << 2;
    for (let i = 0; i < 4; i += 1) {
      key[i] = batch.sourceAddress[at + i]!;
      key[4 + i] = batch.destinationAddress[at + i]!;
    }
    const version4 =
      key[0] === 0 &&
      key[1] === 0 &&
      key[2] === mappedPrefix &&
      key[4] === 0 &&
      key[5] === 0 &&
      key[6] === mappedPrefix;
    key[8] = batch.fragmentId[row]!;
    // RFC 791 tells datagrams apart by protocol too, RFC 8200 does not.
    key[9] = version4 ? 0x100 | batch.protocol[row]! : 0;
    // Private networks reuse addresses: keep VLANs and tunnels apart.
    key[10] = (batch.vlan[row]! << 16) | (batch.innerVlan[row]! << 4) | batch.tunnelType[row]!;
    key[11] = batch.tunnelId[row]!;
    let hash = 0;
    for (let i = 0; i < fieldsPerKey; i += 1) {
      hash = Math.imul(hash ^ key[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  private find(batch: PacketBatch, row: number): Datagram | undefined {
    const hash = this.loadKey(batch, row);
    let datagram = this.chains[hash & this.chainMask];
    while (datagram && !(datagram.hash === hash && sameKey(datagram.key, this.key))) datagram = datagram.nextInChain;
    this.keyHash = hash;
    return datagram;
  }

  /** A new datagram under the key that `find` has just looked for. */
  private open(seconds: number): Datagram {
    if (this.counters.held >= this.options.datagramsMax && this.oldest) this.giveUpForRoom(this.oldest);
    const datagram = this.free.pop() ?? new Datagram();
    datagram.key.set(this.key);
    datagram.hash = this.keyHash;
    datagram.unitsReceived = 0;
    datagram.length = -1;
    datagram.reach = 0;
    datagram.seconds = Math.max(seconds, this.newest ? this.newest.seconds : 0);
    datagram.protocol = -1;
    datagram.ports = 0;
    datagram.hasPorts = false;
    datagram.dropped = false;
    const slot = datagram.hash & this.chainMask;
    datagram.nextInChain = this.chains[slot];
    this.chains[slot] = datagram;
    datagram.older = this.newest;
    datagram.newer = undefined;
    if (this.newest) this.newest.newer = datagram;
    else this.oldest = datagram;
    this.newest = datagram;
    this.counters.held += 1;
    return datagram;
  }

  private close(datagram: Datagram): void {
    const slot = datagram.hash & this.chainMask;
    if (this.chains[slot] === datagram) {
      this.chains[slot] = datagram.nextInChain;
    } else {
      let before = this.chains[slot];
      while (before && before.nextInChain !== datagram) before = before.nextInChain;
      if (!before) throw new Error('a datagram is not in its chain');
      before.nextInChain = datagram.nextInChain;
    }
    datagram.nextInChain = undefined;
    if (datagram.older) datagram.older.newer = datagram.newer;
    else this.oldest = datagram.newer;
    if (datagram.newer) datagram.newer.older = datagram.older;
    else this.newest = datagram.older;
    datagram.older = datagram.newer = undefined;
    this.release(datagram);
    this.counters.held -= 1;
    this.free.push(datagram);
  }

  private release(datagram: Datagram): void {
    this.bytesHeld -= datagram.bytes.length;
    datagram.bytes = datagram.received = new Uint8Array(0);
  }

  private expire(datagram: Datagram): void {
    if (!datagram.dropped) this.counters.expired += 1;
    this.close(datagram);
  }

  private expireOld(): void {
    while (this.oldest && this.latestSeconds - this.oldest.seconds > this.options.timeoutSeconds)
      this.expire(this.oldest);
  }

  private giveUpForRoom(datagram: Datagram): void {
    this.counters.limitReached += 1;
    this.close(datagram);
  }

  private rememberFirst(datagram: Datagram, batch: PacketBatch, row: number): void {
    if (datagram.protocol >= 0) return;
    const protocol = batch.protocol[row]!;
    datagram.protocol = protocol;
    if ((batch.layers[row]! & Layer.HasPorts) !== 0) {
      datagram.ports = (batch.sourcePort[row]! << 16) | batch.destinationPort[row]!;
      datagram.hasPorts = true;
    } else if (hasPortsFirst(protocol) && batch.payloadLength[row]! >= 4) {
      const bytes = batch.payload;
      const at = batch.payloadOffset[row]!;
      datagram.ports = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
      datagram.hasPorts = true;
    }
  }

  private givePorts(datagram: Datagram, batch: PacketBatch, row: number): void {
    if (!datagram.hasPorts) return;
    const source = datagram.ports >>> 16;
    const destination = datagram.ports & 0xffff;
    const a = batch.sourceAddress;
    const b = batch.destinationAddress;
    const at = row << 2;
    batch.sourcePort[row] = source;
    batch.destinationPort[row] = destination;
    batch.protocol[row] = datagram.protocol;
    batch.layers[row] = batch.layers[row]! | Layer.HasPorts;
    batch.flowHash[row] = flowHash(
      a[at]!,
      a[at + 1]!,
      a[at + 2]!,
      a[at + 3]!,
      b[at]!,
      b[at + 1]!,
      b[at + 2]!,
      b[at + 3]!,
      source,
      destination,
      datagram.protocol,
    );
  }

  /** @returns false when the fragment was not kept */
  private store(
    datagram: Datagram,
    batch: PacketBatch,
    row: number,
    start: number,
    length: number,
    more: boolean,
  ): boolean {
    const version4 = datagram.key[9] !== 0;
    let end = start + length;
    const known = datagram.length;
    if (known >= 0 ? end > known || (!more && end !== known) : !more && end < datagram.reach) {
      // Not where the datagram ends, or ends before what has come.
      this.overlap(datagram);
      if (!version4 || !more || start >= known) return false;
      end = known;
    }
    if (!this.reserve(datagram, end)) return false;
    const received = datagram.received;
    const firstUnit = start / unit;
    const endUnit = Math.ceil(end / unit);
    let seen = 0;
    for (let i = firstUnit; i < endUnit; i += 1) if ((received[i >>> 3]! & (1 << (i & 7))) !== 0) seen += 1;
    const source = batch.payload.subarray(batch.payloadOffset[row]!, batch.payloadOffset[row]! + end - start);
    if (seen > 0) {
      if (seen === endUnit - firstUnit && sameBytes(datagram.bytes, start, source)) {
        this.counters.repeated += 1;
        return false;
      }
      this.overlap(datagram);
      if (!version4) return false;
    }
    if (!more) datagram.length = end;
    if (end > datagram.reach) datagram.reach = end;
    if (seen === 0) {
      datagram.bytes.set(source, start);
    } else {
      for (let i = firstUnit; i < endUnit; i += 1) {
        if ((received[i >>> 3]! & (1 << (i & 7))) !== 0) continue;
        const at = i * unit;
        datagram.bytes.set(source.subarray(at - start, Math.min(at + unit, end) - start), at);
      }
    }
    for (let i = firstUnit; i < endUnit; i += 1) received[i >>> 3] = received[i >>> 3]! | (1 << (i & 7));
    datagram.unitsReceived += endUnit - firstUnit - seen;
    return true;
  }

  private overlap(datagram: Datagram): void {
    this.counters.overlapped += 1;
    if (datagram.key[9] !== 0) return;
    datagram.dropped = true; // stays known, without bytes, so that what still comes of it is dropped too
    this.release(datagram);
  }

  /** Room for `end` bytes, giving up the oldest others when bytesMax is reached. */
  private reserve(datagram: Datagram, end: number): boolean {
    if (end <= datagram.bytes.length) return true;
    let size = Math.max(datagram.bytes.length, 2048);
    while (size < end) size *= 2;
    const needed = size - datagram.bytes.length;
    while (this.bytesHeld + needed > this.options.bytesMax) {
      let victim = this.oldest;
      while (victim && (victim === datagram || victim.bytes.length === 0)) victim = victim.newer;
      if (!victim) return false;
      this.giveUpForRoom(victim);
    }
    const bytes = new Uint8Array(size);
    bytes.set(datagram.bytes);
    const received = new Uint8Array(size / unit / 8);
    received.set(datagram.received);
    this.bytesHeld += needed;
    datagram.bytes = bytes;
    datagram.received = received;
    return true;
  }

  private complete(datagram: Datagram, batch: PacketBatch, row: number): void {
    const bytes = datagram.bytes;
    const length = datagram.length;
    const completed = this.completed;
    if (batch !== completed) completed.clear();
    // RFC 8200 4.5: the first fragment's next header is the datagram's.
    batch.protocol[row] = datagram.protocol;
    this.close(datagram);
    this.decoder.decodeDatagram(bytes, length, batch, row, completed, 0);
    completed.payload = bytes;
    completed.count = 1;
    this.counters.reassembled += 1;
  }
}

/** TCP, UDP, SCTP, DCCP and UDP-Lite begin with their ports. */
function hasPortsFirst(protocol: number): boolean {
  return protocol === 6 || protocol === 17 || protocol === 132 || protocol === 33 || protocol === 136;
}

function sameKey(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < fieldsPerKey; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function sameBytes(bytes: Uint8Array, at: number, other: Uint8Array): boolean {
  for (let i = 0; i < other.length; i += 1) if (bytes[at + i] !== other[i]) return false;
  return true;
}
