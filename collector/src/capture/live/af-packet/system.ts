/**
 * The calls of the C library that a packet socket needs, through koffi: it ships its binaries, so nothing is compiled when
 * NetSpectra is installed, and it can show memory that the kernel writes as an ArrayBuffer.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import koffi from 'koffi';

const libc = koffi.load(null);

// asm-generic/socket.h, linux/if_packet.h, linux/if_ether.h, poll.h, sys/mman.h: the same on x86-64 and arm64.
export const afPacket = 17;
export const socketRaw = 3;
export const socketDatagram = 2;
const levelSocket = 1;
export const levelPacket = 263;
const optionError = 4;
const optionAttachFilter = 26;
export const PacketOption = {
  AddMembership: 1,
  RxRing: 5,
  Statistics: 6,
  Version: 10,
  Reserve: 12,
  Timestamp: 17,
  Fanout: 18,
  IgnoreOutgoing: 23,
} as const;
const getInterfaceFlags = 0x8913; // SIOCGIFFLAGS
const interfaceFlagUp = 1;
const closeOnExec = 0o2000000;
const protectionReadWrite = 3;
const mapShared = 1;
const mapPrivate = 2;
const mapFixed = 0x10;
const mapAnonymous = 0x20;
const mapNoReserve = 0x4000;
const pollIn = 1;
const mapFailed = 0xffffffffffffffffn;

const calls = {
  socket: libc.func('int socket(int, int, int)'),
  close: libc.func('int close(int)'),
  bind: libc.func('int bind(int, const void *, uint32_t)'),
  getsockname: libc.func('int getsockname(int, void *, void *)'),
  setsockopt: libc.func('int setsockopt(int, int, int, const void *, uint32_t)'),
  getsockopt: libc.func('int getsockopt(int, int, int, void *, void *)'),
  ioctl: libc.func('int ioctl(int, unsigned long, void *)'),
  poll: libc.func('int poll(void *, unsigned long, int)'),
  mmap: libc.func('void *mmap(void *, size_t, int, int, int, long)'),
  interfaceIndex: libc.func('unsigned int if_nametoindex(const char *)'),
};

const errorNames = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));

/** A system call failed: `code` is the name of errno (EPERM ...). */
export class SystemError extends Error {
  readonly code: string;
  constructor(call: string, number: number = koffi.errno()) {
    const code = errorNames.get(number) ?? `errno ${number}`;
    super(`${call}: ${code}`);
    this.name = 'SystemError';
    this.code = code;
  }
}

const checked = (call: string, result: number): number => {
  if (result < 0) throw new SystemError(call);
  return result;
};

/** @returns a file descriptor that sub-processes do not inherit */
export function openPacketSocket(type: number): number {
  return checked('socket', calls.socket(afPacket, type | closeOnExec, 0) as number);
}

export function closeDescriptor(descriptor: number): void {
  calls.close(descriptor);
}

export function bindSocket(descriptor: number, address: Uint8Array): void {
  checked('bind', calls.bind(descriptor, address, address.length) as number);
}

/** The socket's own address (struct sockaddr_ll). */
export function socketName(descriptor: number): Uint8Array {
  const address = new Uint8Array(32);
  checked('getsockname', calls.getsockname(descriptor, address, Uint32Array.of(address.length)) as number);
  return address;
}

export function setOption(descriptor: number, level: number, option: number, value: ArrayBufferView): void {
  checked(`setsockopt ${option}`, calls.setsockopt(descriptor, level, option, value, value.byteLength) as number);
}

/** Fill `value` with the option. */
export function getOption(descriptor: number, level: number, option: number, value: ArrayBufferView): void {
  const size = Uint32Array.of(value.byteLength);
  checked(`getsockopt ${option}`, calls.getsockopt(descriptor, level, option, value, size) as number);
}

/** Where its first byte is; good only while the array lives. */
export const addressOf = (bytes: ArrayBufferView): bigint => koffi.address(bytes);

/** SO_ATTACH_FILTER; in place of the filter before. */
export function attachFilter(descriptor: number, program: Uint8Array): void {
  // struct sock_fprog: unsigned short len, then a pointer to the instructions.
  const description = new ArrayBuffer(16);
  new Uint16Array(description)[0] = program.length / 8;
  new BigUint64Array(description)[1] = addressOf(program);
  setOption(descriptor, levelSocket, optionAttachFilter, new Uint8Array(description));
}

export function control(descriptor: number, request: number, argument: Uint8Array): void {
  checked(`ioctl 0x${request.toString(16)}`, calls.ioctl(descriptor, request, argument) as number);
}

const pollEntry = new Int32Array(2);
const pollEvents = new Int16Array(pollEntry.buffer);

/**
 * Block this thread until there is something to read, an error, or the time is over.
 * @returns whether the socket has an error to tell (take it with `socketError`)
 */
export function waitForInput(descriptor: number, milliseconds: number): boolean {
  pollEntry[0] = descriptor;
  pollEvents[2] = pollIn;
  pollEvents[3] = 0;
  calls.poll(pollEntry, 1, milliseconds);
  return (pollEvents[3]! & ~pollIn) !== 0;
}

/** Take the pending error of the socket (SO_ERROR); '' when there is none. */
export function socketError(descriptor: number): string {
  const value = new Int32Array(1);
  getOption(descriptor, levelSocket, optionError, value);
  return value[0] === 0 ? '' : (errorNames.get(value[0]!) ?? `errno ${value[0]}`);
}

/** Index of an interface of this network namespace; 0 when there is none of that name. */
export function interfaceIndex(name: string): number {
  return calls.interfaceIndex(name) as number;
}

/** Whether an interface is up, asked through any socket of its network namespace. */
export function interfaceIsUp(descriptor: number, name: string): boolean {
  // struct ifreq: the name, then the flags
  const request = new Uint8Array(40);
  request.set(Buffer.from(name));
  try {
    control(descriptor, getInterfaceFlags, request);
  } catch (cause) {
    if (cause instanceof SystemError) return false;
    throw cause;
  }
  return (new Uint16Array(request.buffer)[8]! & interfaceFlagUp) !== 0;
}

/** Names of the interfaces of this network namespace; where there is no /proc, of those that have addresses. */
export function interfaceNames(): string[] {
  if (process.platform !== 'linux') return Object.keys(networkInterfaces());
  return readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? []);
}

/** Memory shared with the kernel, as an ArrayBuffer. */
export interface MappedMemory {
  readonly memory: ArrayBuffer;
  /** Views over it read zeros afterwards. */
  unmap(): void;
}

export function mapSocket(descriptor: number, bytes: number): MappedMemory {
  const map = (at: bigint | null, flags: number, from: number): bigint | null =>
    calls.mmap(at, bytes, protectionReadWrite, flags, from, 0) as bigint | null;
  const pointer = map(null, mapShared, descriptor);
  if (pointer === null || pointer === mapFailed) throw new SystemError('mmap');
  return {
    memory: koffi.view(pointer, bytes),
    unmap: () => {
      // Memory that is not V8's cannot be detached, and who still reads a view of it would crash the process. So empty
      // pages take the place of the ring: they cost addresses only.
      map(pointer, mapPrivate | mapFixed | mapAnonymous | mapNoReserve, -1);
    },
  };
}
