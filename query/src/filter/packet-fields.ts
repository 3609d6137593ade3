/**
 * What one packet can be asked, as opposed to a flow, an answer or a whole record: the fields that capture filters and
 * predicates over packets know.
 */
import type { FilterNode } from './ast.js';
import { filterFieldsOf, membership } from './ast.js';
import type { FieldId } from './fields.js';
import { fieldOf } from './fields.js';

/** Fields that the headers of one packet answer; `probe` is known to whoever captures. */
const packetFieldIds = [
  'src_ip',
  'dst_ip',
  'src_port',
  'dst_port',
  'protocol',
  'ip_version',
  'ether_type',
  'vlan',
  'inner_vlan',
  'tunnel_type',
  'tunnel_id',
  'probe',
  'icmp_type',
  'icmp_code',
] as const satisfies readonly FieldId[];

export type PacketFieldId = (typeof packetFieldIds)[number];

const packetFields: ReadonlySet<FieldId> = new Set(packetFieldIds);

/** True for fields that a packet has; `host` and `port` are asked through their parts. */
export function isPacketField(id: FieldId): id is PacketFieldId {
  return packetFields.has(id);
}

/** IPv6 extension headers (RFC 8200 4, IANA): what follows them in a datagram is not seen in its later fragments. */
const extensionHeaders = [0, 43, 51, 60, 135, 139, 140];

const protocolIn = (...protocols: number[]): FilterNode =>
  membership(
    'protocol',
    false,
    [...protocols, ...extensionHeaders].map((value) => ({ kind: 'number', value })),
  );

const withPorts = protocolIn(6, 17, 132);
const withIcmp = protocolIn(1, 58);

/**
 * Fields that stand behind the IP header: an IP fragment that was not put together does not tell them. With each, the
 * filter that holds where the whole datagram can have the field.
 */
export const transportFields: ReadonlyMap<FieldId, FilterNode> = new Map<FieldId, FilterNode>([
  ['src_port', withPorts],
  ['dst_port', withPorts],
  ['icmp_type', withIcmp],
  ['icmp_code', withIcmp],
]);

/** The field itself, or for an either-direction word its parts. */
export const fieldParts = (id: FieldId): readonly FieldId[] => fieldOf(id).either ?? [id];

/** Why a single packet cannot answer a field, as the end of a sentence with "because"; undefined when it can. */
export function packetProblem(id: FieldId): string | undefined {
  if (fieldParts(id).every(isPacketField)) return undefined;
  const part = fieldParts(id)[0]!;
  if (/^(dns|http|tls)_/.test(part)) {
    return `${id} is read from the messages of an application, not from a packet's headers`;
  }
  if (/(country|asn|as_name|network|traffic_direction)$/.test(part)) {
    return `${id} is looked up by the engine after capture`;
  }
  if (part === 'application') return 'an application is recognised over several packets of a flow';
  if (/^(client|server)_/.test(part)) return `one packet does not tell who is client and who is server (${id})`;
  if (part === 'flow_id' || part === 'end_reason') return `${id} belongs to a whole flow`;
  return `${id} is counted or measured over a whole flow record`;
}

export interface FieldProblem {
  readonly field: FieldId;
  /** one line for people */
  readonly message: string;
}

/** The fields of a filter that a packet cannot answer, with the reason; none when it can be asked of packets. */
export function packetProblems(filter: FilterNode): FieldProblem[] {
  return filterFieldsOf(filter).flatMap((field) => {
    const reason = packetProblem(field);
    return reason === undefined ? [] : [{ field, message: `cannot be asked of a single packet because ${reason}` }];
  });
}
