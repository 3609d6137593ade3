/**
 * HyperLogLog: how many distinct keys, in 2^p bytes.
 *
 * Registers hold the greatest rank seen, so adding is idempotent and merging is the maximum of each register: order,
 * repetition and the way the stream was cut make no difference. What registers stand for is in sketch-math, where the API
 * finds it too. Standard error 1.04 / sqrt(2^p): 1.6 % at p = 12.
 */
import { estimateRegisters, standardError } from '../../sketch-math/index.js';

/** An estimate and the bounds the truth lies in, keys. */
export interface Estimate {
  estimate: number;
  lower: number;
  upper: number;
}

/** Bounds lie this many standard errors from the estimate: the truth is outside about once in 370 estimates. */
export const hyperLogLogSigmas = 3;

/** p that a HyperLogLog may have. */
export const log2RegistersMin = 4;
export const log2RegistersMax = 16;

/**
 * Raise the register of a hash.
 * @returns 1 when the register rose (the key had not been seen), else 0
 */
export function addToRegisters(
  registers: Uint8Array,
  offset: number,
  log2Registers: number,
  high: number,
  low: number,
): number {
  const at = offset + (high >>> (32 - log2Registers));
  const rest = high << log2Registers;
  const rank = rest !== 0 ? Math.clz32(rest) + 1 : 33 - log2Registers + Math.clz32(low);
  if (registers[at]! >= rank) return 0;
  registers[at] = rank;
  return 1;
}

/**
 * Bounds around an estimate that came from 2^log2Registers registers, whole keys.
 * @param occupied registers that are not 0: there were at least so many keys
 */
export function boundsOf(estimate: number, log2Registers: number, occupied: number): Estimate {
  const error = hyperLogLogSigmas * standardError(log2Registers);
  const rounded = Math.round(estimate);
  // Two keys in one register are what makes small counts uncertain: never less than one key of room above a pair.
  const slack = rounded > 1 ? Math.max(1, estimate * error) : 0;
  return {
    estimate: Math.max(rounded, occupied),
    lower: Math.max(occupied, Math.floor(estimate - slack), 0),
    upper: Math.max(occupied, Math.ceil(estimate + slack)),
  };
}

export class HyperLogLog {
  readonly log2Registers: number;
  readonly registers: Uint8Array;

  /**
   * @param log2Registers p, 4..16
   * @param registers 2^p registers of another sketch to go on from; empty ones without it
   */
  constructor(log2Registers = 12, registers: Uint8Array = new Uint8Array(1 << log2Registers)) {
    if (!Number.isInteger(log2Registers) || log2Registers < log2RegistersMin || log2Registers > log2RegistersMax) {
      throw new RangeError(`HyperLogLog precision ${log2Registers} is not ${log2RegistersMin}..${log2RegistersMax}`);
    }
    if (registers.length !== 1 << log2Registers) throw new RangeError('HyperLogLog registers of another precision');
    this.log2Registers = log2Registers;
    this.registers = registers;
  }

  /** Count a key by its 64-bit hash (`hashResult`). */
  add(high: number, low: number): void {
    const p = this.log2Registers;
    const at = high >>> (32 - p);
    const rest = high << p;
    const rank = rest !== 0 ? Math.clz32(rest) + 1 : 33 - p + Math.clz32(low);
    if (this.registers[at]! < rank) this.registers[at] = rank;
  }

  /**
   * Count rows of a column of hashes (high and low half by turns), those with packets.
   * @param packets undefined: all of them
   */
  addRows(hashes: Int32Array, packets: Float64Array | undefined, from: number, to: number): void {
    for (let row = from; row < to; row += 1) {
      if (packets !== undefined && packets[row] === 0) continue;
      this.add(hashes[row << 1]!, hashes[(row << 1) + 1]!);
    }
  }

  /** Count what `other` counted too; throws when it has another precision. */
  merge(other: HyperLogLog): void {
    if (other.log2Registers !== this.log2Registers) throw new Error('HyperLogLog of another precision');
    const mine = this.registers;
    const theirs = other.registers;
    for (let i = 0; i < mine.length; i += 1) if (theirs[i]! > mine[i]!) mine[i] = theirs[i]!;
  }

  /** Distinct keys, not rounded. */
  estimate(): number {
    return estimateRegisters(this.registers, 0, this.log2Registers);
  }

  /** Distinct keys with bounds of `hyperLogLogSigmas` standard errors, whole keys. */
  bounds(): Estimate {
    let occupied = 0;
    for (const register of this.registers) if (register !== 0) occupied += 1;
    return boundsOf(this.estimate(), this.log2Registers, occupied);
  }

  reset(): void {
    this.registers.fill(0);
  }
}
