/**
 * Reads what `pcap_dump` wrote: records of a header (seconds, fraction, captured length, wire length: 32 bits each, in the
 * machine's byte order) and the frame's bytes. Works on memory only, so that tests can give it any bytes.
 */
import type { FrameTable } from '../../framing/frame-table.js';

/** bytes before each frame */
export const recordHeaderBytes = 16;
const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export class DumpReader {
  private readonly view: DataView;
  /** where the next record stands, and where the last one ends */
  private at = 0;
  private end = 0;
  /** frames of records that made no sense, and of those that stood behind them */
  spoiled = 0;
  private left = 0;

  /**
   * @param nanosecondsPerUnit of a record's fraction of a second: 1 or 1,000
   * @param snapLength bytes kept of a frame at most
   */
  constructor(
    memory: ArrayBuffer,
    private readonly linkType: number,
    private readonly snapLength: number,
    private readonly nanosecondsPerUnit: number,
  ) {
    this.view = new DataView(memory);
  }

  /** whether frames wait to be read */
  get waiting(): boolean {
    return this.left > 0;
  }

  /** So many frames stand in so many bytes from the begin; those of before are gone. */
  refill(frames: number, bytes: number): void {
    this.at = 0;
    this.end = Math.min(bytes, this.view.byteLength);
    this.left = frames;
  }

  /** Fill the table anew with the next frames. @returns table.count */
  fill(table: FrameTable): number {
    const { view, end, linkType, snapLength, nanosecondsPerUnit } = this;
    let row = 0;
    let { at } = this;
    for (; row < table.capacity && this.left > 0; row += 1) {
      const frameAt = at + recordHeaderBytes;
      const captured = frameAt <= end ? view.getUint32(at + 8, littleEndian) : Infinity;
      const nanoseconds = frameAt <= end ? view.getUint32(at + 4, littleEndian) * nanosecondsPerUnit : 0;
      if (captured > end - frameAt || nanoseconds >= 1e9) {
        this.spoiled += this.left;
        this.left = 0;
        break;
      }
      table.offset[row] = frameAt;
      table.capturedLength[row] = captured > snapLength ? snapLength : captured;
      table.wireLength[row] = view.getUint32(at + 12, littleEndian);
      table.seconds[row] = view.getUint32(at, littleEndian);
      table.nanoseconds[row] = nanoseconds;
      table.linkType[row] = linkType;
      table.flags[row] = 0;
      table.interfaceId[row] = 0;
      this.left -= 1;
      at = frameAt + captured;
    }
    this.at = at;
    table.count = row;
    return row;
  }
}
