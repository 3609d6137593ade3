import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimestampConverter } from './timestamp.js';

const clock = new TimestampConverter();

/** The same by arbitrary-precision integers. */
function reference(time: bigint, resolution: number, offset: bigint) {
  const units = (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
  const seconds = time / units + offset;
  if (seconds < 0n) return { fits: false, seconds: 0, nanoseconds: 0 };
  if (seconds > 0xffffffffn) return { fits: false, seconds: 0xffffffff, nanoseconds: 999_999_999 };
  return {
    fits: true,
    seconds: Number(seconds),
    nanoseconds: Number(((time % units) * 1_000_000_000n) / units),
  };
}

function convert(time: bigint, resolution: number, offset: bigint) {
  const fits = clock.convert(Number(time >> 32n), Number(time & 0xffffffffn), resolution, Number(offset));
  return { fits, seconds: clock.seconds, nanoseconds: clock.nanoseconds };
}

describe('TimestampConverter', () => {
  it('is exact for every resolution, any count and any offset', () => {
    const count = fc.oneof(
      fc.bigInt(0n, (1n << 64n) - 1n),
      // counts that give a date of today in the usual resolutions
      fc
        .bigInt(1_500_000_000n, 2_000_000_000n)
        .chain((seconds) =>
          fc.constantFrom(6n, 9n, 3n, 0n).map((digits) => seconds * 10n ** digits + 10n ** digits - 1n),
        ),
    );
    const offset = fc.oneof(fc.constant(0n), fc.bigInt(-(1n << 33n), 1n << 33n));
    fc.assert(
      fc.property(count, fc.integer({ min: 0, max: 255 }), offset, (time, resolution, seconds) => {
        expect(convert(time, resolution, seconds)).toEqual(reference(time, resolution, seconds));
      }),
      { numRuns: 20_000 },
    );
  });

  it('is exact for counts close to each other, where the second of the one before is kept', () => {
    const word = 1n << 32n;
    const step = fc.oneof(fc.bigInt(-2_000_000_000n, 2_000_000_000n), fc.constantFrom(word, -word, word / 2n));
    const steps = fc.array(fc.tuple(step, fc.constantFrom(9, 9, 9, 6, 3, 0)));
    fc.assert(
      fc.property(fc.bigInt(1n << 32n, 1n << 63n), steps, fc.bigInt(-5n, 5n), (first, list, offset) => {
        let time = first;
        for (const [more, resolution] of list) {
          time += more;
          if (time < 0n) time = 0n;
          expect(convert(time, resolution, offset)).toEqual(reference(time, resolution, offset));
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    [6, 1_700_000_000_123_456n, 1_700_000_000, 123_456_000],
    [9, 1_700_000_000_123_456_789n, 1_700_000_000, 123_456_789],
    [9, 1_700_000_000_999_999_999n, 1_700_000_000, 999_999_999],
    [6, 9_007_199_254_999_999n, 9_007_199_254, 999_999_000],
    [0, 1_700_000_000n, 1_700_000_000, 0],
    [0x80 | 32, (1_700_000_000n << 32n) | 0x80000000n, 1_700_000_000, 500_000_000],
    [0x80 | 20, (1_700_000_000n << 20n) | 1n, 1_700_000_000, 953],
  ])('resolution %i, count %i', (resolution, time, seconds, nanoseconds) => {
    const got = convert(time, resolution, 0n);
    if (seconds <= 0xffffffff) expect(got).toEqual({ fits: true, seconds, nanoseconds });
    else expect(got.fits).toBe(false);
  });
});
