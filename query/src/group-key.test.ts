import { describe, expect, it } from 'vitest';
import { isGroupKey, parseGroupKey } from './group-key.js';

describe('parseGroupKey', () => {
  it.each([
    ['src_ip', { dimension: 'src_ip' }],
    ['src_ip/24', { dimension: 'src_ip', prefix: { ipv4: 24, ipv6: 64 } }],
    ['src_ip/0', { dimension: 'src_ip', prefix: { ipv4: 0, ipv6: 64 } }],
    ['src_ip/32', { dimension: 'src_ip', prefix: { ipv4: 32, ipv6: 64 } }],
    ['src_ip/48', { dimension: 'src_ip', prefix: { ipv4: 32, ipv6: 48 } }],
    ['src_ip/16/32', { dimension: 'src_ip', prefix: { ipv4: 16, ipv6: 32 } }],
    ['src_ip/0/0', { dimension: 'src_ip', prefix: { ipv4: 0, ipv6: 0 } }],
    ['src_ip/33/64', 'an IPv4 prefix has 0 to 32 bits, not 33'],
    ['src_ip/129', 'an IPv6 prefix has 0 to 128 bits, not 129'],
    ['src_ip/24/129', 'an IPv6 prefix has 0 to 128 bits, not 129'],
  ])('%s', (text, expected) => expect(parseGroupKey(text)).toEqual(expected));

  it.each(['src_ip/', 'src_ip/x', 'src_ip/-1', 'src_ip/24/', 'src_ip/24/48/1', 'src_ip/1e1', 'src_ip/ 24'])(
    'refuses %j',
    (text) => expect(parseGroupKey(text)).toMatch(/^a network is written src_ip\/24/),
  );
});

describe('isGroupKey', () => {
  it.each([
    ['src_ip', true],
    ['client_ip/16', true],
    ['server_port', true],
    ['server_port/8', false],
    ['src_ip/33/1', false],
    ['nothing', false],
    ['__proto__/8', false],
    ['', false],
  ])('%s: %s', (text, expected) => expect(isGroupKey(text)).toBe(expected));
});
