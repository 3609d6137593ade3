/**
 * pcapng times: an unsigned 64-bit count of units since the epoch, where a unit is a negative power of ten or two
 * seconds (if_tsresol), plus whole seconds (if_tsoffset). draft-ietf-opsawg-pcapng sections 4.2 and 4.3.
 *
 * All arithmetic is exact to the nanosecond (rounded down): doubles only ever hold integers below 2^53. No allocation.
 */

const two16 = 65_536;
const two32 = 4_294_967_296;
const secondsMax = 0xffff_ffff;

/** 10^0 .. 10^9 */
const powersOfTen = new Float64Array(10);
for (let i = 0, power = 1; i < powersOfTen.length; i += 1, power *= 10) powersOfTen[i] = power;

/** Turns pcapng times into seconds and nanoseconds; the result stands in the fields until the next call. */
export class TimestampConverter {
  /** seconds since the epoch, 0..2^32-1 */
  seconds = 0;
  /** nanoseconds of the second, 0..999,999,999 */
  nanoseconds = 0;

  /** Scratch: the running 64-bit quotient (as two words) and remainder of a division. */
  private high = 0;
  private low = 0;
  private rest = 0;
  /**
   * The second that was converted last (resolutions of 10^-9 and coarser): the count at its start, units in it,
   * nanoseconds a unit, and its number.
   */
  private startResolution = -1;
  private startHigh = 0;
  private startLow = 0;
  private startUnits = 0;
  private startScale = 0;
  private startSeconds = 0;
  /** Scratch: a product in 16-bit limbs, least first. */
  private readonly limbs = new Uint16Array(16);

  /**
   * @param high, low halves of the 64-bit count
   * @param resolution if_tsresol octet: 10^-n, or 2^-n when the high bit is set
   * @param offsetSeconds if_tsoffset
   * @returns false when the time was outside 0..2^32-1 seconds and was clamped
   */
  convert(high: number, low: number, resolution: number, offsetSeconds: number): boolean {
    let seconds: number;
    // Most packets fall in the second of the one before: no division then.
    const since = (high - this.startHigh) * two32 + (low - this.startLow);
    if (resolution === this.startResolution && since >= 0 && since < this.startUnits) {
      seconds = this.startSeconds;
      this.nanoseconds = since * this.startScale;
    } else if (resolution < 0x80) {
      seconds = this.decimal(high, low, resolution);
    } else {
      seconds = this.binary(high, low, resolution & 0x7f);
    }
    seconds += offsetSeconds;
    if (seconds >= 0 && seconds <= secondsMax) {
      this.seconds = seconds;
      return true;
    }
    this.seconds = seconds < 0 ? 0 : secondsMax;
    this.nanoseconds = seconds < 0 ? 0 : 999_999_999;
    return false;
  }

  /** Units of 10^-exponent; returns seconds, leaves nanoseconds in the field. */
  private decimal(high: number, low: number, exponent: number): number {
    this.high = high;
    this.low = low;
    let left = exponent;
    // Finer than a nanosecond: drop digits first. Floor of a floor is the floor of the whole.
    while (left > 9) {
      const step = Math.min(left - 9, 9);
      this.divide(powersOfTen[step]!);
      left -= step;
    }
    this.divide(powersOfTen[left]!);
    this.nanoseconds = this.rest * powersOfTen[9 - left]!;
    const seconds = this.high * two32 + this.low;
    if (exponent <= 9) {
      this.startResolution = exponent;
      this.startUnits = powersOfTen[exponent]!;
      this.startScale = powersOfTen[9 - exponent]!;
      this.startSeconds = seconds;
      this.startHigh = low < this.rest ? high - 1 : high;
      this.startLow = low < this.rest ? low - this.rest + two32 : low - this.rest;
    }
    return seconds;
  }

  /**
   * (high, low) divided by a divisor up to 10^9, in place; remainder in `rest`. Long division, 16 bits at a time: the
   * dividends stay below 2^46, where a rounded quotient cannot reach the next integer.
   */
  private divide(divisor: number): void {
    const quotientHigh = Math.floor(this.high / divisor);
    let rest = this.high - quotientHigh * divisor;
    let part = rest * two16 + (this.low >>> 16);
    const quotient = Math.floor(part / divisor);
    rest = part - quotient * divisor;
    part = rest * two16 + (this.low & 0xffff);
    const quotientLow = Math.floor(part / divisor);
    rest = part - quotientLow * divisor;
    this.high = quotientHigh;
    this.low = quotient * two16 + quotientLow;
    this.rest = rest;
  }

  /** Units of 2^-exponent; returns seconds, leaves nanoseconds in the field. */
  private binary(high: number, low: number, exponent: number): number {
    let seconds: number;
    let fractionHigh = high;
    let fractionLow = low;
    if (exponent >= 64) {
      seconds = 0;
    } else if (exponent >= 32) {
      const shift = exponent - 32;
      seconds = shift === 0 ? high : high >>> shift;
      fractionHigh = shift === 0 ? 0 : (high & ((1 << shift) - 1)) >>> 0;
    } else if (exponent > 0) {
      seconds = high * 2 ** (32 - exponent) + (low >>> exponent);
      fractionHigh = 0;
      fractionLow = (low & ((1 << exponent) - 1)) >>> 0;
    } else {
      seconds = high * two32 + low;
      fractionHigh = 0;
      fractionLow = 0;
    }
    // nanoseconds = fraction * 10^9 / 2^exponent: multiply limb by limb (each below 2^46), then pick bits.
    const limbs = this.limbs;
    let carry = (fractionLow & 0xffff) * 1e9;
    limbs[0] = carry % two16;
    carry = Math.floor(carry / two16) + (fractionLow >>> 16) * 1e9;
    limbs[1] = carry % two16;
    carry = Math.floor(carry / two16) + (fractionHigh & 0xffff) * 1e9;
    limbs[2] = carry % two16;
    carry = Math.floor(carry / two16) + (fractionHigh >>> 16) * 1e9;
    limbs[3] = carry % two16;
    carry = Math.floor(carry / two16);
    limbs[4] = carry % two16;
    limbs[5] = Math.floor(carry / two16);
    const limb = exponent >>> 4;
    const bit = exponent & 15;
    // Limbs 6.. are always 0: a shift by 127 bits still reads inside the array.
    const words = limbs[limb]! + limbs[limb + 1]! * two16 + limbs[limb + 2]! * two32;
    this.nanoseconds = Math.floor(words / 2 ** bit);
    return seconds;
  }
}
