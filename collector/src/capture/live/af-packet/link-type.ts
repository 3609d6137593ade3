/** ARPHRD_ numbers of interfaces (linux/if_arp.h) to the LINKTYPE_ numbers of their frames (tcpdump.org). */

export const linkTypeEthernet = 1;
export const linkTypeCooked = 113;
export const linkTypeRaw = 101;
const linkTypeIeee80211 = 105;
const linkTypeRadiotap = 127;

const linkTypes: Readonly<Record<number, number>> = {
  1: linkTypeEthernet,
  772: linkTypeEthernet, // loopback: an Ethernet header with zeros for addresses
  519: linkTypeRaw, // raw IP
  65534: linkTypeRaw, // none: tun, WireGuard
  768: linkTypeRaw, // IP in IP
  769: linkTypeRaw, // IPv6 tunnel
  776: linkTypeRaw, // sit
  801: linkTypeIeee80211,
  803: linkTypeRadiotap,
};

/** The link type, or undefined when frames are better taken without their link header (cooked). */
export function linkTypeOf(hardwareType: number): number | undefined {
  return linkTypes[hardwareType];
}
