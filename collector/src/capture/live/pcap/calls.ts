/** The calls of libpcap and of the C library's streams that live capture needs, and libpcap's numbers (pcap/pcap.h). */
import koffi from 'koffi';
import type { NativeLibrary } from './library.js';

export const errorTextBytes = 256;

export const nanosecondPrecision = 1;
/** stamped by the card: in step with the machine's clock, or by the card's own */
export const adapterTimestamps = [4, 3];

const streams = koffi.load(null);

/** setvbuf: each write goes to the memory at once */
export const unbuffered = 2;

/** A pointer of C's; null is no pointer. */
export type Pointer = bigint | null;

export interface Calls {
  create(name: string, errorText: Uint8Array): Pointer;
  setNumber(name: NumberSetting, handle: Pointer, value: number): number;
  activate(handle: Pointer): number;
  setNonBlocking(handle: Pointer, on: number, errorText: Uint8Array): number;
  dataLink(handle: Pointer): number;
  descriptor(handle: Pointer): number;
  fileNumber(handle: Pointer): number;
  timestampPrecision(handle: Pointer): number;
  setFilter(handle: Pointer, program: BigUint64Array): number;
  /** Write up to so many frames to the dump. @returns how many; below 0: an error */
  dispatch(handle: Pointer, framesMax: number, writer: Pointer, dump: Pointer): number;
  statistics(handle: Pointer, into: Uint32Array): number;
  errorText(handle: Pointer): string;
  statusText(status: number): string;
  close(handle: Pointer): void;
  /** address of pcap_dump */
  readonly dumpFrame: Pointer;
  openDump(handle: Pointer, stream: Pointer): Pointer;
  closeDump(dump: Pointer): void;
  /** a stream whose bytes go into `memory`, which must live as long as it */
  memoryStream(memory: Uint8Array, bytes: number, mode: string): Pointer;
  setBuffer(stream: Pointer, buffer: null, mode: number, bytes: number): number;
  rewind(stream: Pointer): void;
  position(stream: Pointer): number;
}

const numberSettings = {
  snapLength: 'pcap_set_snaplen',
  promiscuous: 'pcap_set_promisc',
  timeout: 'pcap_set_timeout',
  bufferBytes: 'pcap_set_buffer_size',
  timestampPrecision: 'pcap_set_tstamp_precision',
  timestampType: 'pcap_set_tstamp_type',
} as const;
export type NumberSetting = keyof typeof numberSettings;

/** @throws when the library has not all of them, as versions before 1.5 (2013) */
export function callsOf(library: NativeLibrary): Calls {
  const setters = new Map(
    Object.entries(numberSettings).map(([name, symbol]) => [name, library.func(`int ${symbol}(void *, int)`)]),
  );
  const calls: Record<Exclude<keyof Calls, 'setNumber' | 'dumpFrame'>, unknown> = {
    create: library.func('void *pcap_create(const char *, void *)'),
    activate: library.func('int pcap_activate(void *)'),
    setNonBlocking: library.func('int pcap_setnonblock(void *, int, void *)'),
    dataLink: library.func('int pcap_datalink(void *)'),
    descriptor: library.func('int pcap_get_selectable_fd(void *)'),
    fileNumber: library.func('int pcap_fileno(void *)'),
    timestampPrecision: library.func('int pcap_get_tstamp_precision(void *)'),
    setFilter: library.func('int pcap_setfilter(void *, void *)'),
    dispatch: library.func('int pcap_dispatch(void *, int, void *, void *)'),
    statistics: library.func('int pcap_stats(void *, void *)'),
    errorText: library.func('const char *pcap_geterr(void *)'),
    statusText: library.func('const char *pcap_statustostr(int)'),
    close: library.func('void pcap_close(void *)'),
    openDump: library.func('void *pcap_dump_fopen(void *, void *)'),
    closeDump: library.func('void pcap_dump_close(void *)'),
    memoryStream: streams.func('void *fmemopen(void *, size_t, const char *)'),
    setBuffer: streams.func('int setvbuf(void *, void *, int, size_t)'),
    rewind: streams.func('void rewind(void *)'),
    position: streams.func('long ftell(void *)'),
  };
  return {
    ...(calls as Omit<Calls, 'setNumber' | 'dumpFrame'>),
    setNumber: (name, handle, value) => setters.get(name)!(handle, value) as number,
    dumpFrame: library.symbol('pcap_dump', 'void') as bigint,
  };
}
