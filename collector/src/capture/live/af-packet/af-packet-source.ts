/**
 * Live capture on Linux: a packet socket with a TPACKET_V3 ring in memory shared with the kernel. Needs CAP_NET_RAW.
 *
 * Order while opening: ring, first filter, bind, group. A socket that is bound gets every packet until it is in its
 * group; so a group begins with a filter that keeps nothing, and gets the right one when all its rings are there.
 */
import type { FrameTable } from '../../framing/frame-table.js';
import { CaptureError } from '../../errors.js';
import type { BpfProgram, InterfaceState, LiveCounters, LiveSource, LiveSourceOptions } from '../live-source.js';
import { liveCaptureError, noInterface } from './errors.js';
import { linkTypeCooked, linkTypeEthernet, linkTypeOf, linkTypeRaw } from './link-type.js';
import { RingWalker, reserveBytes } from './ring-walker.js';
import {
  PacketOption,
  SystemError,
  addressOf,
  afPacket,
  attachFilter,
  bindSocket,
  closeDescriptor,
  control,
  getOption,
  interfaceIndex,
  interfaceIsUp,
  levelPacket,
  mapSocket,
  openPacketSocket,
  setOption,
  socketDatagram,
  socketError,
  socketName,
  socketRaw,
  waitForInput,
} from './system.js';
import type { MappedMemory } from './system.js';

/** The pseudo-interface that stands for all. */
const anyInterface = 'any';

/** Large enough for a 64 KiB frame of segmentation offload with its headers many times. */
const blockBytes = 512 * 1024;
const frameBytes = 2048;
const versionThree = 2;
const allProtocols = 0x0003;
const membershipPromiscuous = 1;
const fanoutHash = 0;
const rawHardwareTimestamps = 1 << 6;
const setHardwareTimestamps = 0x89b0; // SIOCSHWTSTAMP
const filterAllTimestamps = 1; // HWTSTAMP_FILTER_ALL
const noBytes = new Uint8Array(0);
const interfaceNameBytesMax = 15;

export class AfPacketSource implements LiveSource {
  readonly name: string;
  readonly linkType: number;
  readonly filterLinkType: number;
  readonly warnings: string[] = [];
  private interfaceState: InterfaceState = 'up';
  private descriptor: number;
  private readonly index: number;
  private readonly ring: MappedMemory;
  private readonly walker: RingWalker;
  private readonly counts: LiveCounters = { received: 0, delivered: 0, dropped: 0, freezes: 0, badBlocks: 0 };

  /** @throws CaptureError, in words for people */
  constructor(name: string, options: LiveSourceOptions) {
    this.name = name;
    const any = name === anyInterface;
    this.index = any ? 0 : indexOf(name);
    this.descriptor = -1;
    try {
      const linkType = any ? undefined : probeLinkType(this.index);
      const cooked = linkType === undefined;
      this.linkType = linkType ?? linkTypeCooked;
      this.filterLinkType = linkType ?? linkTypeRaw;
      this.descriptor = openPacketSocket(cooked ? socketDatagram : socketRaw);
      const blocks = Math.max(4, Math.ceil(options.ringBytes / blockBytes));
      this.makeRing(blocks, options);
      this.ring = mapSocket(this.descriptor, blocks * blockBytes);
      this.walker = new RingWalker(
        this.ring.memory,
        {
          blockBytes,
          blocks,
          linkType: this.linkType,
          cooked,
          ethernet: this.linkType === linkTypeEthernet,
          snapLength: options.snapLength,
          loopbackIndex: interfaceIndex('lo'),
        },
        this.counts,
      );
      attachFilter(this.descriptor, options.program);
      bindSocket(this.descriptor, linkAddress(this.index));
      if (options.fanout) setOption(this.descriptor, levelPacket, PacketOption.Fanout, fanout(options.fanout.id));
      if (options.promiscuous && !any) this.listenPromiscuously();
    } catch (cause) {
      if (this.descriptor >= 0) closeDescriptor(this.descriptor);
      throw cause instanceof CaptureError ? cause : liveCaptureError(name, cause);
    }
  }

  get bytes(): Uint8Array {
    return this.descriptor < 0 ? noBytes : this.walker.bytes;
  }

  get state(): InterfaceState {
    return this.interfaceState;
  }

  read(table: FrameTable, waitMilliseconds: number): number {
    const { walker } = this;
    if (this.descriptor < 0) {
      table.count = 0;
      return 0;
    }
    if (!walker.ready) {
      // Nothing came for a while: what the block before still holds is not needed any more, and the kernel may have it.
      if (waitForInput(this.descriptor, waitMilliseconds)) this.takeError();
    }
    const count = walker.fill(table);
    if (count > 0) this.interfaceState = 'up';
    return count;
  }

  counters(): Readonly<LiveCounters> {
    const { counts } = this;
    if (this.descriptor >= 0) {
      // Reading empties the kernel's counters. struct tpacket_stats_v3: packets (with those dropped), drops, freezes.
      const statistics = new Uint32Array(3);
      getOption(this.descriptor, levelPacket, PacketOption.Statistics, statistics);
      counts.dropped += statistics[1]!;
      counts.freezes += statistics[2]!;
    }
    if (this.interfaceState === 'down') this.lookAtInterface();
    counts.received = counts.delivered + counts.dropped;
    return counts;
  }

  filter(program: BpfProgram): void {
    if (this.descriptor < 0) return;
    try {
      attachFilter(this.descriptor, program);
    } catch (cause) {
      throw new CaptureError(
        'NS_CAPTURE_FILTER',
        `${this.name}: the kernel refuses the capture filter (${cause instanceof SystemError ? cause.code : 'unknown'}); make it shorter`,
        cause,
      );
    }
  }

  close(): void {
    if (this.descriptor < 0) return;
    this.counters();
    this.ring.unmap();
    closeDescriptor(this.descriptor);
    this.descriptor = -1;
  }

  private makeRing(blocks: number, options: LiveSourceOptions): void {
    const { descriptor } = this;
    setOption(descriptor, levelPacket, PacketOption.Version, Int32Array.of(versionThree));
    setOption(descriptor, levelPacket, PacketOption.Reserve, Uint32Array.of(reserveBytes));
    if (options.hardwareTimestamps) this.askForHardwareTimestamps();
    if (this.index !== 0 && this.index === interfaceIndex('lo')) ignoreOutgoing(descriptor);
    // struct tpacket_req3: block size, blocks, frame size, frames, block timeout in ms, private bytes, features
    const frames = (blocks * blockBytes) / frameBytes;
    const request = Uint32Array.of(blockBytes, blocks, frameBytes, frames, options.blockTimeoutMilliseconds, 0, 0);
    setOption(descriptor, levelPacket, PacketOption.RxRing, request);
  }

  private listenPromiscuously(): void {
    // struct packet_mreq: index, type, length of an address, address
    const request = new Uint8Array(16);
    new Int32Array(request.buffer)[0] = this.index;
    new Uint16Array(request.buffer)[2] = membershipPromiscuous;
    setOption(this.descriptor, levelPacket, PacketOption.AddMembership, request);
  }

  private askForHardwareTimestamps(): void {
    try {
      configureHardwareTimestamps(this.descriptor, this.name);
      setOption(this.descriptor, levelPacket, PacketOption.Timestamp, Int32Array.of(rawHardwareTimestamps));
    } catch (cause) {
      const code = cause instanceof SystemError ? cause.code : 'unknown';
      this.warnings.push(`${this.name}: its packets are stamped by the kernel, the card does not (${code})`);
    }
  }

  /** The socket has an error to tell: its interface went down, or away. */
  private takeError(): void {
    if (socketError(this.descriptor) === '') return;
    this.interfaceState = 'down';
    this.lookAtInterface();
  }

  private lookAtInterface(): void {
    if (this.index === 0)
      this.interfaceState = 'up'; // of all interfaces one went down
    else if (interfaceIndex(this.name) !== this.index) this.interfaceState = 'gone';
    else this.interfaceState = interfaceIsUp(this.descriptor, this.name) ? 'up' : 'down';
  }
}

function indexOf(name: string): number {
  const index = Buffer.byteLength(name) > interfaceNameBytesMax ? 0 : interfaceIndex(name);
  if (index === 0) throw noInterface(name);
  return index;
}

/** struct sockaddr_ll of everything that passes an interface; index 0 = all of them. */
function linkAddress(index: number): Uint8Array {
  const address = new Uint8Array(20);
  const halves = new Uint16Array(address.buffer);
  halves[0] = afPacket;
  halves[1] = networkOrder16(allProtocols);
  new Int32Array(address.buffer)[1] = index;
  return address;
}

function networkOrder16(value: number): number {
  return new Uint16Array(Uint8Array.of(value >>> 8, value & 0xff).buffer)[0]!;
}

/** The link type of an interface, as a socket that is bound to it (and hears nothing yet) says. */
function probeLinkType(index: number): number | undefined {
  const descriptor = openPacketSocket(socketRaw);
  try {
    const address = linkAddress(index);
    new Uint16Array(address.buffer)[1] = 0; // no protocol: no packets
    bindSocket(descriptor, address);
    return linkTypeOf(new Uint16Array(socketName(descriptor).buffer)[4]!);
  } finally {
    closeDescriptor(descriptor);
  }
}

/** struct fanout_args: id and kind, each 16 bits, in this order on little-endian machines; members as the kernel likes. */
const fanout = (id: number): Int32Array =>
  Int32Array.of(littleEndian ? id | (fanoutHash << 16) : fanoutHash | (id << 16));

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** lo shows each packet as it leaves and as it arrives. Kernels before 4.20 cannot; then the walker leaves them out. */
function ignoreOutgoing(descriptor: number): void {
  try {
    setOption(descriptor, levelPacket, PacketOption.IgnoreOutgoing, Int32Array.of(1));
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
  }
}

/** Ask the card to stamp every packet (needs CAP_NET_ADMIN). @throws SystemError when it cannot or may not */
function configureHardwareTimestamps(descriptor: number, name: string): void {
  // struct hwtstamp_config: flags, transmit off, receive all. struct ifreq: 16 bytes of name, then a pointer to it.
  const configuration = Int32Array.of(0, 0, filterAllTimestamps);
  const request = new Uint8Array(40);
  request.set(Buffer.from(name));
  new BigUint64Array(request.buffer)[2] = addressOf(configuration);
  control(descriptor, setHardwareTimestamps, request);
}
