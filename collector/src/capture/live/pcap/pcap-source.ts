/**
 * Live capture through libpcap: for macOS and the BSDs, and where a packet socket with a ring cannot be had.
 *
 * There is no call for each packet: `pcap_dispatch` hands frames to libpcap's own `pcap_dump`, which writes them to a stream
 * over our memory, as many at once as there are. The handle does not block; we wait for its descriptor instead, because
 * libpcap's own timeout may last for ever while no packet comes.
 *
 * On Linux filters are attached to the socket directly. `pcap_setfilter` refuses every packet for a moment, and judges by
 * the new filter what is still in the ring, so that nobody could read it to its end.
 */
import { CaptureError } from '../../errors.js';
import type { FrameTable } from '../../framing/frame-table.js';
import { noInterface } from '../af-packet/errors.js';
import {
  SystemError,
  addressOf,
  attachFilter,
  interfaceIndex,
  interfaceIsUp,
  waitForInput,
} from '../af-packet/system.js';
import { instructionBytes, keepNothing } from '../bpf-program.js';
import type { BpfProgram, InterfaceState, LiveCounters, LiveSource, LiveSourceOptions } from '../live-source.js';
import { adapterTimestamps, callsOf, errorTextBytes, nanosecondPrecision, unbuffered } from './calls.js';
import type { Calls, Pointer } from './calls.js';
import { DumpReader, recordHeaderBytes } from './dump-reader.js';
import { openError } from './errors.js';
import type { NativeLibrary } from './library.js';

const linkTypeCooked = 113;
const linkTypeRaw = 101;
/** libpcap's own numbers of it in memory (DLT_RAW); the numbers of the others are the same as in files */
const dataLinksRaw = [12, 14];
/** what the frames of one call may take */
const memoryBytes = 4 << 20;
/** for what libpcap may add to the snap length: a tag, a cooked header */
const recordSlackBytes = 64;
const noBytes = new Uint8Array(0);
const isLinux = process.platform === 'linux';
const interfaceNameBytesMax = 15;

export class PcapSource implements LiveSource {
  readonly name: string;
  readonly linkType: number;
  readonly filterLinkType: number;
  readonly warnings: string[] = [];
  private interfaceState: InterfaceState = 'up';
  private readonly calls: Calls;
  /** null: closed */
  private handle: Pointer;
  private readonly descriptor: number;
  private readonly index: number;
  private readonly memory: Uint8Array<ArrayBuffer>;
  private readonly stream: Pointer;
  private readonly dump: Pointer;
  private readonly frames: DumpReader;
  private readonly framesMax: number;
  private readonly counts: LiveCounters = { received: 0, delivered: 0, dropped: 0, freezes: 0, badBlocks: 0 };
  /** struct pcap_stat: received, dropped, dropped by the card; some systems have more behind it */
  private readonly statistics = new Uint32Array(8);
  private droppedBefore = 0;
  /** the last read brought something */
  private busy = false;

  /** @throws CaptureError, in words for people */
  constructor(library: NativeLibrary, name: string, options: LiveSourceOptions) {
    this.name = name;
    this.calls = callsOf(library);
    this.index = indexOf(name);
    this.handle = this.openHandle(options);
    try {
      const { calls, handle } = this;
      const dataLink = calls.dataLink(handle);
      this.linkType = dataLinksRaw.includes(dataLink) ? linkTypeRaw : dataLink;
      // Linux: the socket's filter sees what is behind the cooked header.
      this.filterLinkType = isLinux && this.linkType === linkTypeCooked ? linkTypeRaw : this.linkType;
      this.descriptor = calls.descriptor(handle);
      if (this.descriptor < 0) throw openError(name, this.descriptor, 'its capture cannot be waited for');
      const recordBytes = recordHeaderBytes + options.snapLength + recordSlackBytes;
      this.framesMax = Math.max(1, Math.floor(memoryBytes / recordBytes));
      this.memory = new Uint8Array(new ArrayBuffer(Math.max(memoryBytes, recordBytes)));
      this.stream = calls.memoryStream(this.memory, this.memory.length, 'w');
      if (this.stream === null) throw openError(name, -1, 'no memory');
      calls.setBuffer(this.stream, null, unbuffered, 0);
      this.dump = calls.openDump(handle, this.stream);
      if (this.dump === null) throw openError(name, -1, calls.errorText(handle));
      const unit = calls.timestampPrecision(handle) === nanosecondPrecision ? 1 : 1000;
      this.frames = new DumpReader(this.memory.buffer, this.linkType, options.snapLength, unit);
      this.beginEmpty(options);
    } catch (cause) {
      this.calls.close(this.handle);
      this.handle = null;
      throw cause;
    }
  }

  get bytes(): Uint8Array {
    return this.handle === null ? noBytes : this.memory;
  }

  get state(): InterfaceState {
    return this.interfaceState;
  }

  read(table: FrameTable, waitMilliseconds: number): number {
    table.count = 0;
    if (this.handle === null) return 0;
    if (!this.frames.waiting && this.collect(table.capacity) === 0) {
      waitForInput(this.descriptor, waitMilliseconds);
      this.collect(table.capacity);
    }
    const count = this.frames.fill(table);
    this.counts.delivered += count;
    this.busy = count > 0;
    if (this.busy) this.interfaceState = 'up';
    return count;
  }

  counters(): Readonly<LiveCounters> {
    const { counts } = this;
    if (this.handle !== null) {
      this.countDrops();
      if (!this.busy) this.lookAtInterface();
    }
    if (this.frames.spoiled > 0) {
      counts.badBlocks += 1;
      counts.dropped += this.frames.spoiled;
      this.frames.spoiled = 0;
    }
    counts.received = counts.delivered + counts.dropped;
    return counts;
  }

  filter(program: BpfProgram): void {
    if (this.handle === null) return;
    if (isLinux) this.attach(program);
    else this.setFilter(program);
  }

  close(): void {
    if (this.handle === null) return;
    this.counters();
    this.calls.closeDump(this.dump); // and the stream with it
    this.calls.close(this.handle);
    this.handle = null;
  }

  private openHandle(options: LiveSourceOptions): Pointer {
    const { calls, name } = this;
    const errorText = new Uint8Array(errorTextBytes);
    const handle = calls.create(name, errorText);
    if (handle === null) throw openError(name, -1, textOf(errorText));
    calls.setNumber('snapLength', handle, options.snapLength);
    calls.setNumber('promiscuous', handle, options.promiscuous && name !== 'any' ? 1 : 0);
    calls.setNumber('timeout', handle, options.blockTimeoutMilliseconds);
    calls.setNumber('bufferBytes', handle, options.ringBytes);
    calls.setNumber('timestampPrecision', handle, nanosecondPrecision); // where it cannot, it says so later
    if (options.hardwareTimestamps && adapterTimestamps.every((type) => calls.setNumber('timestampType', handle, type)))
      this.warnings.push(`${name}: its packets are stamped by the kernel, libpcap knows of no clock in the card`);
    const status = calls.activate(handle);
    if (status >= 0 && calls.setNonBlocking(handle, 1, errorText) === 0) {
      if (status > 0) this.warnings.push(`${name}: ${calls.statusText(status)} (libpcap)`);
      return handle;
    }
    const text = status < 0 ? calls.errorText(handle) || calls.statusText(status) : textOf(errorText);
    calls.close(handle);
    throw openError(name, status, text);
  }

  /** libpcap captures before it can be told what: that is thrown away. */
  private beginEmpty(options: LiveSourceOptions): void {
    this.filter(keepNothing);
    // The last block comes out when its time is over.
    for (let silent = 0; silent < 2;) {
      waitForInput(this.descriptor, options.blockTimeoutMilliseconds);
      silent = this.collect(this.framesMax) === 0 ? silent + 1 : 0;
    }
    this.frames.refill(0, 0);
    this.countDrops();
    this.counts.dropped = 0;
    if (options.program !== keepNothing) this.filter(options.program);
  }

  /** Have libpcap write what there is over what was read. @returns frames */
  private collect(framesMax: number): number {
    const { calls, handle, stream } = this;
    calls.rewind(stream);
    const frames = calls.dispatch(handle, Math.min(framesMax, this.framesMax), calls.dumpFrame, this.dump);
    if (frames < 0) {
      this.interfaceState = 'down';
      this.lookAtInterface();
    }
    if (frames <= 0) return 0;
    this.frames.refill(frames, calls.position(stream));
    return frames;
  }

  private countDrops(): void {
    if (this.calls.statistics(this.handle, this.statistics) !== 0) return;
    const dropped = this.statistics[1]!;
    this.counts.dropped += (dropped - this.droppedBefore) >>> 0;
    this.droppedBefore = dropped;
  }

  private lookAtInterface(): void {
    if (this.index === 0) return; // all of them
    if (interfaceIndex(this.name) !== this.index) this.interfaceState = 'gone';
    else if (isLinux)
      this.interfaceState = interfaceIsUp(this.calls.fileNumber(this.handle), this.name) ? 'up' : 'down';
  }

  private attach(program: BpfProgram): void {
    try {
      attachFilter(this.calls.fileNumber(this.handle), program);
    } catch (cause) {
      throw this.refused(cause instanceof SystemError ? cause.code : 'unknown');
    }
  }

  /** What is captured and not read yet goes with the filter before, so it is read first. Some systems begin to count anew. */
  private setFilter(program: BpfProgram): void {
    if (!this.frames.waiting) this.collect(this.framesMax);
    this.countDrops();
    const { calls, handle } = this;
    // struct bpf_program: the number of instructions, then a pointer to them.
    const description = new BigUint64Array(2);
    new Uint32Array(description.buffer)[0] = program.length / instructionBytes;
    description[1] = addressOf(program);
    if (calls.setFilter(handle, description) !== 0) throw this.refused(calls.errorText(handle));
    if (calls.statistics(handle, this.statistics) === 0) this.droppedBefore = this.statistics[1]!;
  }

  private refused(why: string): CaptureError {
    return new CaptureError(
      'NS_CAPTURE_FILTER',
      `${this.name}: the kernel refuses the capture filter (${why}); make it shorter`,
    );
  }
}

/** 0 for all interfaces. @throws CaptureError NS_CAPTURE_NO_INTERFACE */
function indexOf(name: string): number {
  if (name === 'any') return 0;
  const index = Buffer.byteLength(name) > interfaceNameBytesMax ? 0 : interfaceIndex(name);
  if (index === 0) throw noInterface(name);
  return index;
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8').split('\0')[0]!;
