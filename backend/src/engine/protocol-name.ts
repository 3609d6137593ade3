import { nameOf } from '@netspectra/query';

/** IANA keyword in lower case ('tcp', 'udp', 'ipv6-icmp' ...), or the number as text when it has none. */
export function protocolName(protocol: number): string {
  return nameOf('protocol', protocol) ?? String(protocol);
}
