/**
 * A packet of a batch as filters see it: one reader, moved from row to row, so that nothing is made per packet.
 *
 * Values are those of the row: innermost addresses, ports and protocol of a tunnelled frame, outermost VLAN tag. Ports
 * exist in TCP, UDP and SCTP, as in flows; ICMP type and code in ICMP and ICMPv6; neither in a fragment that was not put
 * together. Without IP `ip_version` is 0, and protocol and addresses are absent, as in the table `traffic`.
 */
import { Layer, tunnelTypeNames } from '@netspectra/proto';
import type { PacketBatch } from '@netspectra/proto';
import { fieldCode, fieldCount, filterFields, isPacketField } from '@netspectra/query';
import type { FieldId, FieldReader, PacketFieldId } from '@netspectra/query';

/** What to read for a field; 0: packets do not have it. */
const readSource = 1;
const readDestination = 2;
const readSourcePort = 3;
const readDestinationPort = 4;
const readProtocol = 5;
const readVersion = 6;
const readEtherType = 7;
const readVlan = 8;
const readInnerVlan = 9;
const readTunnelType = 10;
const readTunnelId = 11;
const readProbe = 12;
const readIcmpType = 13;
const readIcmpCode = 14;

const readOf: Readonly<Record<PacketFieldId, number>> = {
  src_ip: readSource,
  dst_ip: readDestination,
  src_port: readSourcePort,
  dst_port: readDestinationPort,
  protocol: readProtocol,
  ip_version: readVersion,
  ether_type: readEtherType,
  vlan: readVlan,
  inner_vlan: readInnerVlan,
  tunnel_type: readTunnelType,
  tunnel_id: readTunnelId,
  probe: readProbe,
  icmp_type: readIcmpType,
  icmp_code: readIcmpCode,
};

/** field code -> what to read */
const reads = new Uint8Array(fieldCount);
for (const { id } of filterFields) {
  const field = id as FieldId;
  if (isPacketField(field)) reads[fieldCode(field)] = readOf[field];
}

/** ::ffff: as it lies in the third word of an address column (network order, little-endian host) */
const mappedWord = 0xffff0000;
const icmp = 1;
const icmpv6 = 58;
/** A fragment that was not put together has no ICMP header to read. */
const noIcmp = Layer.HasAddresses | Layer.Fragment;
const hasIcmp = (protocol: number): boolean => protocol === icmp || protocol === icmpv6;
const tcp = 6;
const udp = 17;
const sctp = 132;
const hasPorts = (protocol: number): boolean => protocol === tcp || protocol === udp || protocol === sctp;

/** A packet's fields, those of row `row`. */
export class PacketReader implements FieldReader {
  /** the row that is read */
  row = 0;

  /**
   * @param batch whose rows are read; may be changed between rows
   * @param probe what the field `probe` is
   */
  constructor(
    public batch: PacketBatch,
    private readonly probe: string,
  ) {}

  number(field: number): number {
    const { batch, row } = this;
    const layers = batch.layers[row]!;
    switch (reads[field]) {
      case readSourcePort:
        return this.has(Layer.HasPorts) && hasPorts(batch.protocol[row]!) ? batch.sourcePort[row]! : NaN;
      case readDestinationPort:
        return this.has(Layer.HasPorts) && hasPorts(batch.protocol[row]!) ? batch.destinationPort[row]! : NaN;
      case readProtocol:
        return this.has(Layer.HasAddresses) ? batch.protocol[row]! : NaN;
      case readVersion:
        return this.version();
      case readEtherType:
        return batch.etherType[row]!;
      case readVlan:
        return batch.vlan[row]!;
      case readInnerVlan:
        return batch.innerVlan[row]!;
      case readTunnelId:
        return batch.tunnelId[row]!;
      case readIcmpType:
        return (layers & noIcmp) === Layer.HasAddresses && hasIcmp(batch.protocol[row]!) ? batch.icmpType[row]! : NaN;
      case readIcmpCode:
        return (layers & noIcmp) === Layer.HasAddresses && hasIcmp(batch.protocol[row]!) ? batch.icmpCode[row]! : NaN;
      default:
        return NaN;
    }
  }

  text(field: number): string | null {
    if (reads[field] === readProbe) return this.probe;
    if (reads[field] === readTunnelType) return tunnelTypeNames[this.batch.tunnelType[this.row]!] ?? '';
    return null;
  }

  hasAddress(field: number): boolean {
    const read = reads[field]!;
    return (read === readSource || read === readDestination) && this.has(Layer.HasAddresses);
  }

  addressWord(field: number, word: number): number {
    const { batch } = this;
    const column = reads[field] === readSource ? batch.sourceAddress : batch.destinationAddress;
    const value = column[(this.row << 2) + word]!;
    // The column holds network order bytes.
    return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
  }

  private has(bit: number): boolean {
    return (this.batch.layers[this.row]! & bit) !== 0;
  }

  private version(): number {
    if (!this.has(Layer.HasAddresses)) return 0;
    const { sourceAddress } = this.batch;
    const at = this.row << 2;
    return sourceAddress[at] === 0 && sourceAddress[at + 1] === 0 && sourceAddress[at + 2] === mappedWord ? 4 : 6;
  }
}
