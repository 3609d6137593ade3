/**
 * Fields: the words a filter can test. Every dimension is one; besides them there are the either-direction words
 * (`host`, `port`) and numbers of a record (`bytes`, `duration` ...), which group nothing but can be compared.
 */
import { dimensions } from '../registry/dimensions.js';
import type { Dimension, DimensionId, NameTable } from '../registry/dimensions.js';
import { column, derived } from '../registry/source.js';
import type { Source, Sources } from '../registry/source.js';
import { queryTableNames } from '../registry/tables.js';
import type { QueryTable } from '../registry/tables.js';

/** How values of a field are written: plain numbers, counts (1k), sizes (1MB), durations (5s), addresses, text. */
export type FieldKind = 'address' | 'number' | 'count' | 'size' | 'duration' | 'text';

export interface FilterField {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly kind: FieldKind;
  readonly maximum: number;
  readonly names?: NameTable;
  readonly aliases: readonly string[];
  /** where it stands; empty for either-direction words, which stand where both parts do */
  readonly sources: Sources;
  /**
   * For `host` and `port`: sender's and receiver's field. `field = x` holds when one of them is x; negated comparisons are
   * the other way round and hold when neither is.
   */
  readonly either?: readonly [DimensionId, DimensionId];
  /** the dimension this field is, or undefined when it groups nothing */
  readonly dimension?: DimensionId;
}

interface RecordField {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly kind: FieldKind;
  readonly sources: Sources;
  readonly aliases?: readonly string[];
}

const added = (client: string, server: string): Source => derived(`(${client} + ${server})`, [client, server]);

const recordFields = [
  {
    id: 'bytes',
    label: 'Bytes',
    description: 'Bytes of the flow record, both directions.',
    kind: 'size',
    sources: { flows: added('client_bytes', 'server_bytes') },
  },
  {
    id: 'packets',
    label: 'Packets',
    description: 'Packets of the flow record, both directions.',
    kind: 'count',
    sources: { flows: added('client_packets', 'server_packets') },
  },
  {
    id: 'client_bytes',
    label: 'Client bytes',
    description: 'Bytes the client sent in the flow record.',
    kind: 'size',
    sources: { flows: column('client_bytes') },
  },
  {
    id: 'server_bytes',
    label: 'Server bytes',
    description: 'Bytes the server sent in the flow record.',
    kind: 'size',
    sources: { flows: column('server_bytes') },
  },
  {
    id: 'client_packets',
    label: 'Client packets',
    description: 'Packets the client sent in the flow record.',
    kind: 'count',
    sources: { flows: column('client_packets') },
  },
  {
    id: 'server_packets',
    label: 'Server packets',
    description: 'Packets the server sent in the flow record.',
    kind: 'count',
    sources: { flows: column('server_packets') },
  },
  {
    id: 'duration',
    label: 'Duration',
    description: 'Time from the first to the last packet of the flow record.',
    kind: 'duration',
    sources: { flows: derived('(toUnixTimestamp64Nano(last) - toUnixTimestamp64Nano(first))', ['last', 'first']) },
  },
  {
    id: 'rtt',
    label: 'RTT',
    description: 'TCP round trip time measured in the handshake; absent where no handshake was seen.',
    kind: 'duration',
    sources: { flows: derived('rtt_ns', ['rtt_ns'], 'rtt_ns > 0') },
    aliases: ['tcp.rtt'],
  },
  {
    id: 'retransmissions',
    label: 'Retransmissions',
    description: 'TCP retransmissions in the flow record, both directions.',
    kind: 'count',
    sources: { flows: added('client_retransmissions', 'server_retransmissions') },
  },
  {
    id: 'out_of_order',
    label: 'Out of order',
    description: 'TCP segments out of order in the flow record, both directions.',
    kind: 'count',
    sources: { flows: added('client_out_of_order', 'server_out_of_order') },
  },
  {
    id: 'zero_windows',
    label: 'Zero windows',
    description: 'TCP zero window announcements in the flow record, both directions.',
    kind: 'count',
    sources: { flows: added('client_zero_windows', 'server_zero_windows') },
  },
  {
    id: 'dns_latency',
    label: 'DNS latency',
    description: 'Time from DNS query to response; absent unless both were seen.',
    kind: 'duration',
    sources: { dns: derived('latency_ns', ['latency_ns', 'queries', 'responses'], 'queries > 0 AND responses > 0') },
    aliases: ['dns.latency'],
  },
  {
    id: 'dns_answer_count',
    label: 'DNS answers',
    description: 'Records in the answer section; absent unless a response was seen.',
    kind: 'count',
    sources: { dns: derived('answer_count', ['answer_count', 'responses'], 'responses > 0') },
    aliases: ['dns.answers'],
  },
  {
    id: 'http_latency',
    label: 'HTTP latency',
    description: 'Time from HTTP request to response; absent unless both were seen.',
    kind: 'duration',
    sources: { http: derived('latency_ns', ['latency_ns', 'requests', 'responses'], 'requests > 0 AND responses > 0') },
    aliases: ['http.latency'],
  },
  {
    id: 'http_request_bytes',
    label: 'HTTP request bytes',
    description: 'Body bytes of the HTTP request.',
    kind: 'size',
    sources: { http: column('request_bytes') },
  },
  {
    id: 'http_response_bytes',
    label: 'HTTP response bytes',
    description: 'Body bytes of the HTTP response.',
    kind: 'size',
    sources: { http: column('response_bytes') },
  },
] as const satisfies readonly RecordField[];

const eitherFields = [
  {
    id: 'host',
    label: 'Host',
    description: 'Source or destination address.',
    kind: 'address',
    either: ['src_ip', 'dst_ip'],
    maximum: 0,
    aliases: ['net', 'ip', 'addr', 'address', 'ip.addr'],
  },
  {
    id: 'port',
    label: 'Port',
    description: 'Source or destination port.',
    kind: 'number',
    either: ['src_port', 'dst_port'],
    maximum: 65535,
    names: 'service',
    aliases: [],
  },
  {
    id: 'country',
    label: 'Country',
    description: 'Country of the source or destination address.',
    kind: 'text',
    either: ['src_country', 'dst_country'],
    maximum: 0,
    aliases: [],
  },
  {
    id: 'asn',
    label: 'AS number',
    description: 'Autonomous system number of the source or destination address.',
    kind: 'number',
    either: ['src_asn', 'dst_asn'],
    maximum: 4294967295,
    names: 'asn',
    aliases: ['as'],
  },
  {
    id: 'as_name',
    label: 'AS name',
    description: 'Autonomous system name of the source or destination address.',
    kind: 'text',
    either: ['src_as_name', 'dst_as_name'],
    maximum: 0,
    aliases: [],
  },
  {
    id: 'network',
    label: 'Network',
    description: 'Configured network of the source or destination address.',
    kind: 'text',
    either: ['src_network', 'dst_network'],
    maximum: 0,
    aliases: [],
  },
] as const;

export type FieldId = DimensionId | (typeof recordFields)[number]['id'] | (typeof eitherFields)[number]['id'];

/** Numbers stay below 2^53, so that JavaScript and SQL compare the same value. */
const numberMax = Number.MAX_SAFE_INTEGER;

function dimensionField(dimension: Dimension & { readonly id: DimensionId }): FilterField {
  return {
    id: dimension.id,
    label: dimension.label,
    description: dimension.description,
    kind: dimension.type === 'ip' ? 'address' : dimension.type === 'text' ? 'text' : 'number',
    maximum: dimension.maximum ?? numberMax,
    ...(dimension.names === undefined ? {} : { names: dimension.names }),
    aliases: dimension.aliases ?? [],
    sources: dimension.sources,
    dimension: dimension.id,
  };
}

/** All fields, in the order in which an editor should offer them. */
export const filterFields: readonly FilterField[] = [
  ...eitherFields.map((field) => ({ ...field, sources: {} })),
  ...dimensions.map(dimensionField),
  ...recordFields.map((field: RecordField) => ({ ...field, aliases: field.aliases ?? [], maximum: numberMax })),
];

const byWord = new Map<string, FilterField>();
for (const field of filterFields) {
  for (const word of [field.id, ...field.aliases]) {
    if (byWord.has(word)) throw new Error(`two filter fields are called ${word}`);
    byWord.set(word, field);
  }
}

/** The field of this id or alias, any case; undefined when there is none. */
export function findField(word: string): (FilterField & { readonly id: FieldId }) | undefined {
  return byWord.get(word.toLowerCase()) as (FilterField & { readonly id: FieldId }) | undefined;
}

/** The field of an id out of an AST; throws when there is none, which is a mistake of ours. */
export function fieldOf(id: FieldId): FilterField {
  const field = byWord.get(id);
  if (field === undefined || field.id !== id) throw new Error(`no filter field ${id}`);
  return field;
}

/** Ids and aliases of all fields. */
export function fieldWords(): string[] {
  return [...byWord.keys()];
}

/**
 * A small number for each field, for readers that answer by table instead of by name: `fieldCode(id)` is the argument of
 * the FieldReader's getters. Codes hold for one run of the program only.
 */
const codes: ReadonlyMap<string, number> = new Map(filterFields.map((field, code) => [field.id, code]));

/** The field's code, 0 .. fieldCount - 1. */
export function fieldCode(id: FieldId): number {
  const code = codes.get(id);
  if (code === undefined) throw new Error(`no filter field ${id}`);
  return code;
}

/** How many fields there are. */
export const fieldCount = filterFields.length;

/** The field's value in a table, or undefined when the table does not have it. Not for either-direction words. */
export function fieldSource(field: FilterField, table: QueryTable): Source | undefined {
  return field.sources[table];
}

/** The tables that can test a field, cheapest first. */
export function fieldTables(field: FilterField): QueryTable[] {
  const parts = field.either ? field.either.map(fieldOf) : [field];
  return queryTableNames.filter((table) => parts.every((part) => part.sources[table] !== undefined));
}
