/** IP in IP: 4in4 (RFC 2003), 6in4 (RFC 4213), 4in6 and 6in6 (RFC 2473). */
import { Layer, TunnelType } from '@netspectra/proto';
import { EtherType } from '../frame.js';
import type { Frame, Protocol } from '../frame.js';

/** 94 is the old IPIP of KA9Q. */
export const ipv4InIp: Protocol = {
  name: 'ipv4_in_ip',
  ipProtocols: [4, 94],
  parse: (frame) => enter(frame, EtherType.Ipv4),
};
export const ipv6InIp: Protocol = {
  name: 'ipv6_in_ip',
  ipProtocols: [41],
  parse: (frame) => enter(frame, EtherType.Ipv6),
};

function enter(frame: Frame, etherType: number): number {
  if (frame.end > frame.offset) frame.layers |= Layer.IpInIp;
  frame.pendingTunnelType = TunnelType.IpInIp;
  frame.pendingTunnelId = 0;
  return frame.etherTypes[etherType]!;
}
