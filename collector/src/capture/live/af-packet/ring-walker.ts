/**
 * Walks the blocks of a TPACKET_V3 ring (Linux Documentation/networking/packet_mmap.rst, linux/if_packet.h) and fills
 * frame tables from them. Works on memory only, so that tests can give it any bytes.
 *
 * The kernel writes a block, then sets TP_STATUS_USER in its status; from then on it is ours until we write 0 there. The
 * status is read and written atomically, so that nothing of the block is read before or after. Every offset and length
 * that stands in the ring is checked against the block; a block that makes no sense is given back, and what was left in
 * it counted as lost.
 *
 * A VLAN tag that was taken off the frame stands in its header (TP_STATUS_VLAN_VALID): it is written back where it was,
 * by moving the addresses before it four bytes to the front, where PACKET_RESERVE left room. Frames of many interfaces at
 * once (cooked) get the header of LINKTYPE_LINUX_SLL in the same way.
 */
import type { FrameTable } from '../../framing/frame-table.js';
import type { LiveCounters } from '../live-source.js';

export interface RingShape {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly linkType: number;
  /** frames come without link header: write one of LINKTYPE_LINUX_SLL before them */
  readonly cooked: boolean;
  /** an Ethernet header begins the frame, so that tags can be put back */
  readonly ethernet: boolean;
  /** bytes kept of a frame at most */
  readonly snapLength: number;
  /** index of the loopback interface, which shows every packet twice: what it sends is left out; 0 = there is none */
  readonly loopbackIndex: number;
}

/** Room before each frame that PACKET_RESERVE must leave. */
export const reserveBytes = 24;

const statusUser = 1;
const statusVlanValid = 1 << 4;
const statusVlanTpidValid = 1 << 6;
const packetOutgoing = 4;

// struct tpacket_block_desc
const blockHeaderBytes = 48;
const blockStatusWord = 2;
const blockPacketsWord = 3;
const blockFirstWord = 4;
// struct tpacket3_hdr, then struct sockaddr_ll
const frameHeaderBytes = 48;
const addressBytes = 20;
const sllBytes = 16;
const tagBytes = 4;
const ethernetTagAt = 12;
const sllTagAt = 14;

export class RingWalker {
  /** the whole ring */
  readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly halves: Uint16Array;
  private readonly shape: RingShape;
  private readonly counters: LiveCounters;
  /** block at hand */
  private block = 0;
  /** packets of it that are still to be read; -1: it is the kernel's */
  private left = -1;
  /** where the next of them stands, from the ring's begin */
  private at = 0;

  /** @param counters `delivered`, `dropped` and `badBlocks` grow here */
  constructor(memory: ArrayBuffer, shape: RingShape, counters: LiveCounters) {
    if (memory.byteLength < shape.blockBytes * shape.blocks) throw new RangeError('ring memory is too small');
    this.bytes = new Uint8Array(memory);
    this.words = new Int32Array(memory);
    this.halves = new Uint16Array(memory);
    this.shape = shape;
    this.counters = counters;
  }

  /** Whether `fill` would find something: a block at hand, or the next one is handed over. */
  get ready(): boolean {
    return this.left > 0 || (Atomics.load(this.words, this.statusWord(this.nextBlock())) & statusUser) !== 0;
  }

  /**
   * Fill the table with the next frames of one block. The block of the fill before is given back when it has no more, so
   * what that fill's offsets point to may change from now on.
   * @returns table.count
   */
  fill(table: FrameTable): number {
    table.count = 0;
    if (this.left === 0) this.release();
    if (this.left < 0 && !this.take()) return 0;
    const end = this.block * this.shape.blockBytes + this.shape.blockBytes;
    while (this.left > 0 && table.count < table.capacity) {
      const next = this.frame(table, end);
      if (next < 0) {
        this.spoil();
        break;
      }
      this.left -= 1;
      this.at = next;
    }
    return table.count;
  }

  private nextBlock(): number {
    if (this.left !== 0) return this.block;
    return this.block + 1 === this.shape.blocks ? 0 : this.block + 1;
  }

  private statusWord(block: number): number {
    return ((block * this.shape.blockBytes) >>> 2) + blockStatusWord;
  }

  private release(): void {
    Atomics.store(this.words, this.statusWord(this.block), 0);
    this.block = this.nextBlock();
    this.left = -1;
  }

  /** Take the block at hand if the kernel has handed it over. */
  private take(): boolean {
    if ((Atomics.load(this.words, this.statusWord(this.block)) & statusUser) === 0) return false;
    const start = this.block * this.shape.blockBytes;
    const word = start >>> 2;
    const packets = this.words[word + blockPacketsWord]! >>> 0;
    const first = this.words[word + blockFirstWord]! >>> 0;
    this.left = packets;
    this.at = start + first;
    // More packets than headers fit in: not a number to count as lost.
    if (packets > this.shape.blockBytes / frameHeaderBytes) {
      this.left = 0;
      this.counters.badBlocks += 1;
    } else if (first < blockHeaderBytes) this.spoil();
    return true;
  }

  /** The rest of the block makes no sense. */
  private spoil(): void {
    this.counters.badBlocks += 1;
    this.counters.dropped += this.left;
    this.left = 0;
  }

  /**
   * The frame at `at`, which ends before `end` with everything that belongs to it.
   * @returns where the next one stands, or -1 when this one makes no sense
   */
  private frame(table: FrameTable, end: number): number {
    const at = this.at;
    if ((at & 3) !== 0 || at + frameHeaderBytes + addressBytes > end) return -1;
    const word = at >>> 2;
    const words = this.words;
    const next = words[word]! >>> 0;
    const captured = words[word + 3]! >>> 0;
    const status = words[word + 5]!;
    const nanoseconds = words[word + 2]! >>> 0;
    const frameAt = at + this.halves[(at + 24) >>> 1]!;
    if (frameAt < at + frameHeaderBytes + addressBytes || captured > end - frameAt || nanoseconds >= 1e9) return -1;
    if (this.left > 1 && (next < frameHeaderBytes || next > end - at)) return -1;
    const packetType = this.bytes[at + 58]!;
    if (packetType === packetOutgoing && words[word + 13] === this.shape.loopbackIndex) return at + next;

    const row = table.count;
    table.offset[row] = frameAt;
    table.capturedLength[row] = captured;
    table.wireLength[row] = words[word + 4]! >>> 0;
    table.seconds[row] = words[word + 1]! >>> 0;
    table.nanoseconds[row] = nanoseconds;
    table.linkType[row] = this.shape.linkType;
    table.flags[row] = 0;
    table.interfaceId[row] = 0;
    if (this.shape.cooked) this.cook(table, row, at, packetType);
    if ((status & statusVlanValid) !== 0) this.putTagBack(table, row, word, status);
    if (table.capturedLength[row]! > this.shape.snapLength) table.capturedLength[row] = this.shape.snapLength;
    table.count = row + 1;
    this.counters.delivered += 1;
    return at + next;
  }

  /** Write the header of LINKTYPE_LINUX_SLL before the frame, out of the address that the kernel gave. */
  private cook(table: FrameTable, row: number, at: number, packetType: number): void {
    const { bytes } = this;
    const from = table.offset[row]! - sllBytes;
    const address = at + frameHeaderBytes;
    if (from < address + addressBytes) return; // cannot be: the reserve is larger
    const hardware = this.halves[(address + 8) >>> 1]!;
    const length = bytes[address + 11]!;
    bytes[from] = 0;
    bytes[from + 1] = packetType;
    bytes[from + 2] = hardware >>> 8;
    bytes[from + 3] = hardware & 0xff;
    bytes[from + 4] = 0;
    bytes[from + 5] = length;
    for (let i = 0; i < 8; i += 1) bytes[from + 6 + i] = i < length ? bytes[address + 12 + i]! : 0;
    bytes[from + 14] = bytes[address + 2]!;
    bytes[from + 15] = bytes[address + 3]!;
    table.offset[row] = from;
    table.capturedLength[row] = table.capturedLength[row]! + sllBytes;
    table.wireLength[row] = table.wireLength[row]! + sllBytes;
  }

  private putTagBack(table: FrameTable, row: number, word: number, status: number): void {
    const { bytes, words, shape } = this;
    const tagAt = shape.cooked ? sllTagAt : ethernetTagAt;
    const offset = table.offset[row]!;
    const from = offset - tagBytes;
    table.wireLength[row] = table.wireLength[row]! + tagBytes;
    if (!(shape.cooked || shape.ethernet) || table.capturedLength[row]! < tagAt) return;
    if (from < word * 4 + frameHeaderBytes) return; // cannot be: the reserve is larger
    const tci = words[word + 8]!;
    const tpid = (status & statusVlanTpidValid) === 0 ? 0x8100 : this.halves[word * 2 + 18]!;
    for (let i = 0; i < tagAt; i += 1) bytes[from + i] = bytes[offset + i]!;
    bytes[from + tagAt] = tpid >>> 8;
    bytes[from + tagAt + 1] = tpid & 0xff;
    bytes[from + tagAt + 2] = (tci >>> 8) & 0xff;
    bytes[from + tagAt + 3] = tci & 0xff;
    table.offset[row] = from;
    table.capturedLength[row] = table.capturedLength[row]! + tagBytes;
  }
}
