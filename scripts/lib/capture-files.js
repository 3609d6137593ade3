/**
 * Capture files: classic pcap in its four magics and pcapng (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng).
 *
 * @typedef {{ seconds: number, nanoseconds: number, bytes: Uint8Array, wireLength?: number, interfaceId?: number }}
 *   CapturedFrame
 *   wireLength: when more was on the wire than `bytes`
 */

/**
 * @param {readonly CapturedFrame[]} frames
 * @param {{ linkType?: number, nanosecond?: boolean, bigEndian?: boolean, snapLength?: number }} options
 * @returns {{ bytes: Uint8Array, offsets: number[] }} offsets: where each record begins
 */
export function pcapFile(frames, options = {}) {
  const snapLength = options.snapLength ?? 262144;
  const little = !options.bigEndian;
  let size = 24;
  for (const frame of frames) size += 16 + Math.min(frame.bytes.length, snapLength);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, options.nanosecond ? 0xa1b23c4d : 0xa1b2c3d4, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, snapLength, little);
  view.setUint32(20, options.linkType ?? 1, little);
  const offsets = [];
  let at = 24;
  for (const frame of frames) {
    const captured = Math.min(frame.bytes.length, snapLength);
    offsets.push(at);
    view.setUint32(at, frame.seconds, little);
    view.setUint32(at + 4, options.nanosecond ? frame.nanoseconds : Math.floor(frame.nanoseconds / 1000), little);
    view.setUint32(at + 8, captured, little);
    view.setUint32(at + 12, frame.wireLength ?? frame.bytes.length, little);
    bytes.set(frame.bytes.subarray(0, captured), at + 16);
    at += 16 + captured;
  }
  return { bytes, offsets };
}

/** Blocks of a pcapng file, put one after the other. */
export class PcapngFile {
  /** @param {{ bigEndian?: boolean }} options */
  constructor(options = {}) {
    this.little = !options.bigEndian;
    /** @type {Uint8Array[]} */
    this.blocks = [];
    /** byte offset of each block */
    this.offsets = /** @type {number[]} */ ([]);
    this.size = 0;
    /** @type {{ resolution: number, offsetSeconds: number }[]} */
    this.interfaces = [];
  }

  /**
   * @param {number} type
   * @param {Uint8Array} body padded to four bytes here
   */
  block(type, body) {
    const total = 12 + ((body.length + 3) & ~3);
    const bytes = new Uint8Array(total);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, type, this.little);
    view.setUint32(4, total, this.little);
    bytes.set(body, 8);
    view.setUint32(total - 4, total, this.little);
    this.offsets.push(this.size);
    this.size += total;
    this.blocks.push(bytes);
    return this;
  }

  /**
   * @param {readonly { code: number, value: Uint8Array }[]} options
   * @returns {Uint8Array} with the end-of-options mark; empty without options
   */
  options(options) {
    if (options.length === 0) return new Uint8Array(0);
    let size = 4;
    for (const option of options) size += 4 + ((option.value.length + 3) & ~3);
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const option of options) {
      view.setUint16(at, option.code, this.little);
      view.setUint16(at + 2, option.value.length, this.little);
      bytes.set(option.value, at + 4);
      at += 4 + ((option.value.length + 3) & ~3);
    }
    return bytes;
  }

  /**
   * A new section.
   * @param {{ bigEndian?: boolean, application?: string }} options
   */
  section(options = {}) {
    if (options.bigEndian !== undefined) this.little = !options.bigEndian;
    this.interfaces = [];
    const tail = this.options(
      options.application ? [{ code: 4, value: new TextEncoder().encode(options.application) }] : [],
    );
    const body = new Uint8Array(16 + tail.length);
    const view = new DataView(body.buffer);
    view.setUint32(0, 0x1a2b3c4d, this.little);
    view.setUint16(4, 1, this.little);
    view.setBigInt64(8, -1n, this.little);
    body.set(tail, 16);
    return this.block(0x0a0d0d0a, body);
  }

  /**
   * @param {{ linkType: number, snapLength?: number, name?: string, resolution?: number, offsetSeconds?: number }} options
   *   resolution: if_tsresol octet (6 = microseconds, the default; high bit: power of two)
   */
  interface(options) {
    /** @type {{ code: number, value: Uint8Array }[]} */
    const list = [];
    if (options.name) list.push({ code: 2, value: new TextEncoder().encode(options.name) });
    if (options.resolution !== undefined) list.push({ code: 9, value: Uint8Array.from([options.resolution]) });
    if (options.offsetSeconds !== undefined) {
      const value = new Uint8Array(8);
      new DataView(value.buffer).setBigInt64(0, BigInt(options.offsetSeconds), this.little);
      list.push({ code: 14, value });
    }
    const tail = this.options(list);
    const body = new Uint8Array(8 + tail.length);
    const view = new DataView(body.buffer);
    view.setUint16(0, options.linkType, this.little);
    view.setUint32(4, options.snapLength ?? 0, this.little);
    body.set(tail, 8);
    this.interfaces.push({ resolution: options.resolution ?? 6, offsetSeconds: options.offsetSeconds ?? 0 });
    return this.block(1, body);
  }

  /**
   * The packet's time in the interface's own units.
   * @param {CapturedFrame} frame
   */
  ticks(frame) {
    const { resolution, offsetSeconds } = this.interfaces[frame.interfaceId ?? 0];
    const seconds = BigInt(frame.seconds - offsetSeconds);
    const nanoseconds = BigInt(frame.nanoseconds);
    const perSecond = resolution & 0x80 ? 1n << BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
    return seconds * perSecond + (nanoseconds * perSecond) / 1_000_000_000n;
  }

  /**
   * Enhanced Packet Block.
   * @param {CapturedFrame} frame
   * @param {{ code: number, value: Uint8Array }[]} options
   */
  packet(frame, options = []) {
    const tail = this.options(options);
    const padded = (frame.bytes.length + 3) & ~3;
    const body = new Uint8Array(20 + padded + tail.length);
    const view = new DataView(body.buffer);
    const ticks = this.ticks(frame);
    view.setUint32(0, frame.interfaceId ?? 0, this.little);
    view.setUint32(4, Number(ticks >> 32n), this.little);
    view.setUint32(8, Number(ticks & 0xffffffffn), this.little);
    view.setUint32(12, frame.bytes.length, this.little);
    view.setUint32(16, frame.wireLength ?? frame.bytes.length, this.little);
    body.set(frame.bytes, 20);
    body.set(tail, 20 + padded);
    return this.block(6, body);
  }

  /**
   * Simple Packet Block: no time, interface 0.
   * @param {CapturedFrame} frame
   */
  simplePacket(frame) {
    const body = new Uint8Array(4 + frame.bytes.length);
    new DataView(body.buffer).setUint32(0, frame.wireLength ?? frame.bytes.length, this.little);
    body.set(frame.bytes, 4);
    return this.block(3, body);
  }

  /**
   * The obsolete Packet Block (type 2).
   * @param {CapturedFrame} frame
   */
  oldPacket(frame) {
    const body = new Uint8Array(20 + frame.bytes.length);
    const view = new DataView(body.buffer);
    const ticks = this.ticks(frame);
    view.setUint16(0, frame.interfaceId ?? 0, this.little);
    view.setUint16(2, 0xffff, this.little); // drops unknown
    view.setUint32(4, Number(ticks >> 32n), this.little);
    view.setUint32(8, Number(ticks & 0xffffffffn), this.little);
    view.setUint32(12, frame.bytes.length, this.little);
    view.setUint32(16, frame.wireLength ?? frame.bytes.length, this.little);
    body.set(frame.bytes, 20);
    return this.block(2, body);
  }

  /** @returns {Uint8Array} */
  bytes() {
    const out = new Uint8Array(this.size);
    let at = 0;
    for (const block of this.blocks) {
      out.set(block, at);
      at += block.length;
    }
    return out;
  }
}
