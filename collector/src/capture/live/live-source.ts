/**
 * Live capture: what every source of packets from a running interface offers.
 *
 * Contract: a source belongs to one thread, which calls `read` again and again. `read` waits (it blocks its thread, so that
 * thread should have nothing else to do), fills a table, and the table's offsets point into `bytes` until the next `read`
 * or `close`: nothing is copied. A frame in the table is what was on the wire, cut to the snap length: VLAN tags that the
 * kernel or the card had taken off stand in it again, and count in its wire length.
 */
import type { FrameTable } from '../framing/frame-table.js';

/** Counts since the source was opened; they only grow. `received` = `delivered` + `dropped`. */
export interface LiveCounters {
  /** packets that matched the kernel filter, those that found no room included */
  received: number;
  /** packets handed over by `read` */
  delivered: number;
  /** packets for which the ring had no room, and those of blocks that made no sense */
  dropped: number;
  /** how often the ring was full and the kernel stopped writing */
  freezes: number;
  /** blocks whose headers made no sense; what was left in them is counted in `dropped` */
  badBlocks: number;
}

/** `down`: the interface is down and may come up again; `gone`: it was deleted, and only opening anew helps. */
export type InterfaceState = 'up' | 'down' | 'gone';

export interface LiveSource {
  /** interface name as given */
  readonly name: string;
  /** LINKTYPE_ number of its frames */
  readonly linkType: number;
  /** LINKTYPE_ number to compile filters for: cooked frames are filtered before they get their header */
  readonly filterLinkType: number;
  /** where the table's offsets point; every byte may change with the next `read` */
  readonly bytes: Uint8Array;
  /** as of the last `read` */
  readonly state: InterfaceState;
  /** what was asked for and could not be had, one line each */
  readonly warnings: readonly string[];
  /**
   * Fill the table anew with the next frames, in the order they came.
   * @param waitMilliseconds how long to wait when there are none
   * @returns table.count; 0 when none came
   */
  read(table: FrameTable, waitMilliseconds: number): number;
  /** Ask the kernel for its counts. The object is reused. */
  counters(): Readonly<LiveCounters>;
  /**
   * From now on only frames that this program keeps come into the ring; those already there still come out.
   * @throws CaptureError NS_CAPTURE_FILTER when the kernel refuses it
   */
  filter(program: BpfProgram): void;
  /** Give everything back; `bytes` is empty afterwards. More than once is no mistake. */
  close(): void;
}

/** Classic BPF instructions, as the kernel takes them: code (16 bits), jt, jf (8 each), k (32), in the machine's byte order. */
export type BpfProgram = Uint8Array;

/** How several rings share the packets of one interface: each flow to one of them. */
export interface FanoutGroup {
  /** 0 .. 65,535; the same for all rings of the group, and no other group's on this interface */
  readonly id: number;
}

export interface LiveSourceOptions {
  /** see also frames that are not for this machine */
  readonly promiscuous: boolean;
  /** bytes kept of a frame at most */
  readonly snapLength: number;
  /** memory of the ring, rounded up to whole blocks */
  readonly ringBytes: number;
  /** a block with packets in it is handed over after so long, even when there is room left */
  readonly blockTimeoutMilliseconds: number;
  /** stamped by the card where it can (else a warning says that the kernel does it) */
  readonly hardwareTimestamps: boolean;
  /** first filter; a program that keeps nothing lets a group begin together */
  readonly program: BpfProgram;
  readonly fanout?: FanoutGroup;
}
