import { describe, expect, it } from 'vitest';
import { captureFilter } from '../../index.js';
import type { BpfOptions } from '../../index.js';

/** What libpcap itself makes of it is tested in test/integration/capture-filter.test.ts. */
const untagged = (filter: string, options: BpfOptions = {}): string => {
  const result = captureFilter(filter, { link: 'other', encapsulated: 'outer', ...options });
  if (!result.ok) throw new Error(result.reasons[0]!.message);
  return result.text;
};

describe('captureFilter', () => {
  it.each([
    ['', ''],
    ['host 10.0.0.1', 'ip host 10.0.0.1'],
    ['src net 2001:db8::/32', 'ip6 src net 2001:db8::/32'],
    ['dst_ip in 10.0.0.2..10.0.0.8', 'ip dst net 10.0.0.2/31 or ip dst net 10.0.0.4/30 or ip dst host 10.0.0.8'],
    ['host in ::/0', 'ip or ip6'],
    ['src_ip != 10.0.0.1', '(ip or ip6) and not (ip src host 10.0.0.1)'],
    ['tcp port 443', 'tcp and port 443'],
    ['port in 1..1023', 'portrange 1-1023'],
    ['port != 53', '(tcp or udp or sctp) and not (port 53)'],
    ['protocol in (udp, 50)', 'udp or (ip proto 50 or ip6 proto 50)'],
    ['arp', ''], // on Ethernet only
    ['ip_version = 0', 'not (ip or ip6)'],
    ['icmp_type = 8', '(icmp and icmp[0] = 8) or (icmp6 and ip6[40] = 8)'],
    ['vlan = 0 and tcp', 'tcp'],
    ['vlan 10', 'not len >= 0'],
    ['tunnel_type = vxlan or udp', 'udp'],
    ['probe = edge-1 and udp', 'udp'],
  ])('makes of %s', (filter, text) => expect(untagged(filter, { probe: 'edge-1' })).toBe(text));

  it('says the filter again behind one and two VLAN tags', () => {
    expect(captureFilter('host 10.0.0.1', { encapsulated: 'outer' })).toEqual({
      ok: true,
      text: 'ip host 10.0.0.1 or (vlan and (ip host 10.0.0.1 or (vlan and ip host 10.0.0.1)))',
      exact: true,
      notes: [],
    });
    expect(captureFilter('vlan = 10', { encapsulated: 'outer' })).toMatchObject({
      text: expect.stringMatching(/^vlan and .*\(ether\[14:2\] & 0xfff\) = 10/) as string,
    });
  });

  it('takes what it cannot tell for true, and under not for false', () => {
    expect(untagged('tcp and src_port = dst_port')).toBe('tcp');
    expect(untagged('tcp and not src_port = dst_port')).toBe('tcp');
    expect(untagged('not (tcp and src_port = dst_port)')).toBe('');
    expect(untagged('not (tcp or src_port = dst_port)')).toBe('not (tcp)');
    expect(untagged('tcp or probe = x', {})).toBe('');
    expect(captureFilter('tcp and src_port = dst_port', { encapsulated: 'outer' })).toMatchObject({
      exact: false,
      notes: ['two fields of a packet are compared by the probe'],
    });
    expect(captureFilter('vlan 10', { encapsulated: 'outer', vlanTags: 'offloaded' })).toMatchObject({
      text: '',
      exact: false,
    });
  });

  it('keeps for the probe what hides the innermost packet', () => {
    const result = captureFilter('tcp port 80');
    expect(result).toMatchObject({ ok: true, exact: false });
    for (const term of ['udp port 4789', 'ip proto 47', 'ip6[6] = 44', 'ether proto 0x8847', 'ip[6:2] & 0x3fff != 0']) {
      expect(result.ok && result.text).toContain(term);
    }
  });

  it.each([
    [
      'tcp and rtt > 5ms',
      8,
      3,
      'cannot be a capture filter because rtt is counted or measured over a whole flow record',
    ],
    ['not dns.name ~ "*.org"', 4, 8, 'cannot be a capture filter because dns_name is read from the messages'],
    ['port 80 or client net 10.0.0.0/8', 11, 10, 'cannot be a capture filter because one packet does not tell who is'],
    ['application = dns', 0, 11, 'cannot be a capture filter because an application is recognised over several'],
    ['bytes > 1MB', 0, 5, 'cannot be a capture filter because bytes is counted or measured over a whole flow record'],
    ['src_country = DE', 0, 11, 'cannot be a capture filter because src_country is looked up by the engine'],
    ['client_bytes > server_bytes', 0, 12, 'cannot be a capture filter because one packet does not tell who is'],
    ['prot 80', 0, 4, 'Unknown field "prot"'],
  ])('refuses %s', (filter, offset, length, message) => {
    const result = captureFilter(filter);
    expect(result).toMatchObject({
      ok: false,
      reasons: [{ offset, length, line: 1, column: offset + 1 }, ...rest(filter)],
    });
    expect(result.ok ? '' : result.reasons[0]!.message).toContain(message);
  });
  const rest = (filter: string): object[] => (filter.includes('server_bytes') ? [{ offset: 15, length: 12 }] : []);
});
