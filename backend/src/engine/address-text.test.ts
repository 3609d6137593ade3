import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addressText } from './address-text.js';

const of = (...groups: number[]) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));

it('writes IPv4-mapped addresses dotted', () => {
  // Go2NetSpectra showed 192.168.1.1 as c0a8:101::
  expect(addressText(of(0, 0, 0, 0, 0, 0xffff, 0xc0a8, 0x0101))).toBe('192.168.1.1');
  expect(addressText(of(0, 0, 0, 0, 0, 0xffff, 0, 0))).toBe('0.0.0.0');
});

it('writes IPv6 as RFC 5952 says', () => {
  expect(addressText(of(0, 0, 0, 0, 0, 0, 0, 0))).toBe('::');
  expect(addressText(of(0, 0, 0, 0, 0, 0, 0, 1))).toBe('::1');
  expect(addressText(of(0x2001, 0xdb8, 0, 0, 0, 0, 2, 1))).toBe('2001:db8::2:1');
  expect(addressText(of(0x2001, 0xdb8, 0, 1, 1, 1, 1, 1))).toBe('2001:db8:0:1:1:1:1:1'); // 4.2.2
  expect(addressText(of(0x2001, 0, 0, 1, 0, 0, 0, 1))).toBe('2001:0:0:1::1'); // 4.2.3, the longest run
  expect(addressText(of(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1))).toBe('2001:db8::1:0:0:1'); // the first of equals
  expect(addressText(of(1, 0, 0, 0, 0, 0, 0, 0))).toBe('1::');
  expect(addressText(of(0xfe80, 0xabcd, 0, 0, 0, 0, 0, 0xf))).toBe('fe80:abcd::f');
});

it('is what a URL parser makes of it too', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 }), (groups) => {
      const text = addressText(of(...groups));
      if (text.includes('.')) return;
      expect(isIPv6(text)).toBe(true);
      expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`);
    }),
  );
});

it('reads at an offset and never outside', () => {
  expect(addressText(Uint8Array.of(9, ...of(0, 0, 0, 0, 0, 0, 0, 1)), 1)).toBe('::1');
  expect(() => addressText(new Uint8Array(16), 1)).toThrow(RangeError);
});
