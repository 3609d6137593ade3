/**
 * XXH64 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) with seed 0, as Zstandard's content checksum uses it: of the
 * 64-bit hash only the low 32 bits. 64-bit numbers are two 32-bit halves, since BigInt would cost twenty times as much.
 */

// The five primes, halves first high, then low.
const prime1High = 0x9e3779b1;
const prime1Low = 0x85ebca87;
const prime2High = 0xc2b2ae3d;
const prime2Low = 0x27d4eb4f;
const prime3High = 0x165667b1;
const prime3Low = 0x9e3779f9;
const prime4High = 0x85ebca77;
const prime4Low = 0xc2b2ae63;
const prime5High = 0x27d4eb2f;
const prime5Low = 0x165667c5;

const stripeBytes = 32;

/** High 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const lowHigh = Math.imul(aLow, bHigh);
  const highLow = Math.imul(aHigh, bLow);
  const middle = ((Math.imul(aLow, bLow) >>> 16) + (lowHigh & 0xffff) + (highLow & 0xffff)) >>> 16;
  return (Math.imul(aHigh, bHigh) + (lowHigh >>> 16) + (highLow >>> 16) + middle) | 0;
}

/** Feed bytes with `update`, then ask for `low32`. */
export class XxHash64 {
  /** Four accumulators (high, low each). */
  private readonly lanes = new Int32Array(8);
  private readonly stripe = new Uint8Array(stripeBytes);
  private held = 0;
  private total = 0;
  /** The 64-bit number being worked on. */
  private high = 0;
  private low = 0;

  constructor() {
    this.add(prime1High, prime1Low);
    this.add(prime2High, prime2Low);
    this.store(0);
    this.set(prime2High, prime2Low);
    this.store(1);
    this.set(0, 0);
    this.store(2);
    this.add(~prime1High, ~prime1Low);
    this.add(0, 1);
    this.store(3);
  }

  /** More of the content. */
  update(bytes: Uint8Array): void {
    this.total += bytes.length;
    let at = 0;
    if (this.held > 0) {
      at = Math.min(stripeBytes - this.held, bytes.length);
      this.stripe.set(bytes.subarray(0, at), this.held);
      this.held += at;
      if (this.held < stripeBytes) return;
      this.stripes(new DataView(this.stripe.buffer), 0, stripeBytes);
      this.held = 0;
    }
    const whole = at + ((bytes.length - at) & ~(stripeBytes - 1));
    this.stripes(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at, whole);
    this.stripe.set(bytes.subarray(whole), 0);
    this.held = bytes.length - whole;
  }

  /** Low 32 bits of the hash of all content so far. */
  low32(): number {
    if (this.total >= stripeBytes) {
      this.set(0, 0);
      const rotations = [1, 7, 12, 18];
      rotations.forEach((bits, lane) => {
        const [high, low] = [this.high, this.low];
        this.load(lane);
        this.rotate(bits);
        this.add(high, low);
      });
      for (let lane = 0; lane < 4; lane += 1) {
        const [high, low] = [this.high, this.low];
        this.set(0, 0);
        this.round(this.lanes[2 * lane]!, this.lanes[2 * lane + 1]!);
        this.xor(high, low);
        this.multiply(prime1High, prime1Low);
        this.add(prime4High, prime4Low);
      }
    } else {
      this.set(prime5High, prime5Low);
    }
    this.add(Math.floor(this.total / 4_294_967_296), this.total | 0);
    this.rest();
    return this.avalanche();
  }

  /** The bytes that fill no stripe: eights, one four, ones. */
  private rest(): void {
    const view = new DataView(this.stripe.buffer);
    let at = 0;
    for (; at + 8 <= this.held; at += 8) {
      const [high, low] = [this.high, this.low];
      this.set(0, 0);
      this.round(view.getInt32(at + 4, true), view.getInt32(at, true));
      this.xor(high, low);
      this.rotate(27);
      this.multiply(prime1High, prime1Low);
      this.add(prime4High, prime4Low);
    }
    if (at + 4 <= this.held) {
      this.mixSmall(view.getInt32(at, true), prime1High, prime1Low, 23);
      this.multiply(prime2High, prime2Low);
      this.add(prime3High, prime3Low);
      at += 4;
    }
    for (; at < this.held; at += 1) {
      this.mixSmall(view.getUint8(at), prime5High, prime5Low, 11);
      this.multiply(prime1High, prime1Low);
    }
  }

  /** current ^= value * prime, rotated. */
  private mixSmall(value: number, primeHigh: number, primeLow: number, bits: number): void {
    const [high, low] = [this.high, this.low];
    this.set(0, value);
    this.multiply(primeHigh, primeLow);
    this.xor(high, low);
    this.rotate(bits);
  }

  private avalanche(): number {
    this.xor(0, this.high >>> 1); // ^= >>> 33
    this.multiply(prime2High, prime2Low);
    this.xor(this.high >>> 29, (this.high << 3) | (this.low >>> 29)); // ^= >>> 29
    this.multiply(prime3High, prime3Low);
    this.xor(0, this.high); // ^= >>> 32
    return this.low >>> 0;
  }

  private stripes(view: DataView, start: number, end: number): void {
    // A lane at a time, its halves in local variables: more than twice as fast as calling `round`.
    for (let lane = 0; lane < 4; lane += 1) {
      let high = this.lanes[2 * lane]!;
      let low = this.lanes[2 * lane + 1]!;
      for (let at = start + 8 * lane; at < end; at += stripeBytes) {
        const input = view.getInt32(at, true);
        const productLow = Math.imul(input, prime2Low);
        const productHigh =
          multiplyHigh(input, prime2Low) +
          Math.imul(view.getInt32(at + 4, true), prime2Low) +
          Math.imul(input, prime2High);
        low = (low + productLow) | 0;
        high = (high + productHigh + (low >>> 0 < productLow >>> 0 ? 1 : 0)) | 0;
        const turnedHigh = (high << 31) | (low >>> 1);
        const turnedLow = (low << 31) | (high >>> 1);
        low = Math.imul(turnedLow, prime1Low);
        high =
          (multiplyHigh(turnedLow, prime1Low) + Math.imul(turnedHigh, prime1Low) + Math.imul(turnedLow, prime1High)) |
          0;
      }
      this.lanes[2 * lane] = high;
      this.lanes[2 * lane + 1] = low;
    }
  }

  /** current = rotl(current + input * prime2, 31) * prime1 */
  private round(inputHigh: number, inputLow: number): void {
    const low = Math.imul(inputLow, prime2Low);
    const high =
      (multiplyHigh(inputLow, prime2Low) + Math.imul(inputHigh, prime2Low) + Math.imul(inputLow, prime2High)) | 0;
    this.add(high, low);
    this.rotate(31);
    this.multiply(prime1High, prime1Low);
  }

  private set(high: number, low: number): void {
    this.high = high | 0;
    this.low = low | 0;
  }
  private load(lane: number): void {
    this.high = this.lanes[2 * lane]!;
    this.low = this.lanes[2 * lane + 1]!;
  }
  private store(lane: number): void {
    this.lanes[2 * lane] = this.high;
    this.lanes[2 * lane + 1] = this.low;
  }
  private xor(high: number, low: number): void {
    this.high ^= high;
    this.low ^= low;
  }
  private add(high: number, low: number): void {
    const sum = (this.low + low) | 0;
    this.high = (this.high + high + (sum >>> 0 < low >>> 0 ? 1 : 0)) | 0;
    this.low = sum;
  }
  private multiply(high: number, low: number): void {
    const product = Math.imul(this.low, low);
    this.high = (multiplyHigh(this.low, low) + Math.imul(this.high, low) + Math.imul(this.low, high)) | 0;
    this.low = product;
  }
  /** Rotate left by 1..31 bits. */
  private rotate(bits: number): void {
    const { high, low } = this;
    this.high = (high << bits) | (low >>> (32 - bits));
    this.low = (low << bits) | (high >>> (32 - bits));
  }
}
