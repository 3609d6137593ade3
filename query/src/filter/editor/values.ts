/** Values that can be offered without asking the server: names, units, and texts of which there are few. */
import type { FieldId, FilterField } from '../fields.js';
import { quoteText } from '../lexer.js';
import { keywords } from '../token-cursor.js';
import { namesOf, nameOf, numberOf } from '../../registry/names.js';

export interface OfferedValue {
  readonly text: string;
  readonly detail: string;
  /** other ways to say it */
  readonly words?: readonly string[];
}

/** Texts that occur in these fields, the usual ones first. */
const texts: Readonly<Partial<Record<FieldId, readonly string[]>>> = {
  application: ['dns', 'http', 'tls', 'https', 'ssh', 'ntp', 'quic', 'mdns'],
  tunnel_type: ['gre', 'vxlan', 'geneve', 'ipip', 'gtpu', 'teredo'],
  dns_rcode: ['NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED', 'FORMERR', 'NOTIMP'],
  dns_type: ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT', 'HTTPS'],
  dns_transport: ['udp', 'tcp'],
  dns_service: ['dns', 'mdns', 'llmnr'],
  http_method: ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'CONNECT'],
  tls_version: ['TLS 1.3', 'TLS 1.2'],
};

const units: Readonly<Partial<Record<FilterField['kind'], readonly (readonly [string, string])[]>>> = {
  size: [
    ['kB', '1,000 bytes'],
    ['MB', '1,000,000 bytes'],
    ['GB', '1,000,000,000 bytes'],
    ['KiB', '1,024 bytes'],
    ['MiB', '1,048,576 bytes'],
    ['GiB', '1,073,741,824 bytes'],
  ],
  count: [
    ['k', 'thousand'],
    ['M', 'million'],
    ['G', 'thousand million'],
  ],
  duration: [
    ['ms', 'milliseconds'],
    ['s', 'seconds'],
    ['m', 'minutes'],
    ['h', 'hours'],
    ['us', 'microseconds'],
    ['ns', 'nanoseconds'],
    ['d', 'days'],
  ],
};

const networks: readonly OfferedValue[] = [
  { text: '10.0.0.0/8', detail: 'private network (RFC 1918)' },
  { text: '172.16.0.0/12', detail: 'private network (RFC 1918)' },
  { text: '192.168.0.0/16', detail: 'private network (RFC 1918)' },
  { text: 'fc00::/7', detail: 'unique local addresses (RFC 4193)' },
  { text: 'fe80::/10', detail: 'link-local addresses (RFC 4291)' },
  { text: '224.0.0.0/4', detail: 'multicast (RFC 5771)' },
];

/** Values to offer for a field; `prefix` is what was typed, so that 5 becomes 5ms, 5s ... */
export function knownValues(field: FilterField, prefix: string): OfferedValue[] {
  if (field.kind === 'address') return [...networks];
  if (field.names !== undefined) return namedValues(field.names);
  const typed = /^\d+(\.\d+)?/.exec(prefix)?.[0] ?? '1';
  const withUnit = units[field.kind]?.map(([unit, detail]) => ({ text: `${typed}${unit}`, detail }));
  if (withUnit) return withUnit;
  const known = texts[field.id as FieldId] ?? [];
  return known.map((text) => ({ text: writtenText(text), detail: field.label }));
}

/** Names that are asked for most. */
const usual: readonly string[] = [
  ...['tcp', 'udp', 'icmp', 'ipv6-icmp', 'gre', 'esp', 'sctp'],
  ...['https', 'http', 'domain', 'ssh', 'ntp', 'smtp', 'imaps', 'ms-wbt-server', 'microsoft-ds', 'ldap'],
];

function namedValues(table: NonNullable<FilterField['names']>): OfferedValue[] {
  const names = namesOf(table);
  return [...new Set([...usual.filter((name) => names.includes(name)), ...names])].map((name) => {
    const number = numberOf(table, name)!;
    const main = nameOf(table, number);
    const detail = main === undefined || main === name ? String(number) : `${number}, ${main}`;
    return { text: name, detail, words: [String(number)] };
  });
}

/** A text as a filter has it: bare where it can be, in quotes where not. */
export function writtenText(text: string): string {
  const isBare = /^(?:(?!\.\.)[A-Za-z0-9_.:/%+\-µ])+$/.test(text) && !keywords.has(text.toLowerCase());
  // A name with an underscore could be a field's.
  return isBare && !text.includes('_') ? text : quoteText(text);
}
