/** What people type from habit or by mistake: the message, and what the suggestion makes of it. */
import { describe, expect, it } from 'vitest';
import { formatFilter, parseFilter } from '../index.js';

/** The canonical form after each suggestion was taken; undefined when one leads nowhere. */
function mended(text: string): string | undefined {
  let now = text;
  for (let tries = 0; tries < 5; tries += 1) {
    const result = parseFilter(now);
    if (result.ok) return formatFilter(result.filter);
    const { offset, length, suggestion } = result.errors[0]!;
    if (suggestion === undefined) return undefined;
    now = now.slice(0, offset) + suggestion + now.slice(offset + length);
  }
  return undefined;
}

describe('mistakes', () => {
  it.each([
    ['scr_ip = 10.0.0.1', 'src_ip = 10.0.0.1'],
    ['src.ip = 10.0.0.1', 'src_ip = 10.0.0.1'],
    ['saddr = 10.0.0.1', 'src_ip = 10.0.0.1'],
    ['sport = 80 or dport = 80', 'src_port = 80 or dst_port = 80'],
    ['tcp.port == 443', 'protocol = tcp and port = 443'],
    ['udp.dstport eq 53', 'protocol = udp and dst_port = 53'],
    ['not tcp.srcport == 22', 'not (protocol = tcp and src_port = 22)'],
    ['ipv6.addr == ::1', 'host = ::1'],
    ['frame.len > 1000', 'bytes > 1k'.replace('1k', '1kB')],
    ['dns.qry.name == example.org', 'dns_name = "example.org"'],
    ['dns.flags.rcode == NXDOMAIN', 'dns_rcode = "NXDOMAIN"'],
    ['http.request.method == GET', 'http_method = "GET"'],
    ['src_ip = 10.0.0.1 & dst_port = 80', 'src_ip = 10.0.0.1 and dst_port = 80'],
    ['port 80 or 443', 'port = 80 or port = 443'],
    ['port http or https', 'port = 80 or port = 443'],
    ['host 10.0.0.1 or 10.0.0.2', 'host = 10.0.0.1 or host = 10.0.0.2'],
    ['src net 10.0.0.0/8 or 192.168.0.0/16', 'src_ip in 10.0.0.0/8 or src_ip in 192.168.0.0/16'],
    ['10.0.0.1', 'host = 10.0.0.1'],
    ['443', 'port = 443'],
    ['dns', 'application = "dns"'],
    ['tls or http', 'application = "tls" or application = "http"'],
    ['www.example.org', 'dns_name = "www.example.org"'],
    ['dns_name = *.example.org', 'dns_name ~ "*.example.org"'],
    ['dns_name != *.example.org', 'dns_name !~ "*.example.org"'],
    ['dns_name contains "*example*"', 'dns_name ~ "*example*"'],
    ['dns_name like *example*', 'dns_name ~ "*example*"'],
    ['dns_name matches "^a"', 'dns_name =~ /^a/'],
    ['dns_name =~ a.*', 'dns_name =~ /a.*/'],
    ['dns_name = “x”', 'dns_name = "x"'],
    ['src_ip＝1.1.1.1', 'src_ip = 1.1.1.1'],
    ['src_ip is 10.0.0.1', 'src_ip = 10.0.0.1'],
    ['src_ip not = 10.0.0.1', 'src_ip != 10.0.0.1'],
    ['src_ip not 10.0.0.1', 'src_ip != 10.0.0.1'],
    ['src_ip !in (10.0.0.1, ::1)', 'src_ip not in (10.0.0.1, ::1)'],
    ['dst_port in [80, 443]', 'dst_port in (80, 443)'],
    ['dst_port = 1-1024', 'dst_port in 1..1024'],
    ['src_ip = 10.0.0.1-10.0.0.9', 'src_ip in 10.0.0.1..10.0.0.9'],
    ['src_ip = 10.0.0.*', 'src_ip in 10.0.0.0/24'],
    ['src_ip = 10.1/16', 'src_ip in 10.1.0.0/16'],
    ['src_ip = 10.0.0.0/255.0.0.0', 'src_ip in 10.0.0.0/8'],
    ['net 192.168', 'host in 192.168.0.0/16'],
    ['port = htps', 'port = 443'],
    ['proto = TPC', 'protocol = tcp'],
    ['bytes > 1mb', 'bytes > 1MB'],
    ['bytes > 1 MB', 'bytes > 1MB'],
    ['duration > 5', 'duration > 5s'],
    ['duration > 1h 30m', 'duration > 90m'],
    ['tcp port 80 host 10.0.0.1', 'protocol = tcp and port = 80 and host = 10.0.0.1'],
    ['port (80, 443)', 'port in (80, 443)'],
    ['bytes 5MB', 'bytes = 5MB'],
  ])('%s becomes %s', (text, expected) => {
    expect(parseFilter(text).ok).toBe(false);
    expect(mended(text)).toBe(expected);
  });

  it.each([
    ['dst_port = 80, 443', 13, 1, 'Several values stand in brackets'],
    ['src or dst port 80', 4, 2, 'For either end write host or port alone'],
    ['host example.org', 5, 11, 'host: "example.org" is not an address or network; names are not looked up'],
    ['duration > 30m1h', 11, 5, 'duration: The units of a duration go from big to small'],
    ['bytes > 10Mbit', 8, 6, 'bytes: Unknown unit "Mbit" (sizes are in bytes'],
    ['SELECT * FROM flows', 0, 6, 'Unknown field "SELECT"; a filter is the condition alone'],
    ['time > 5', 0, 4, 'Unknown field "time"; the time range is given beside the filter'],
    ['bytes > dst_port', 8, 8, 'bytes is a size, dst_port a port: they cannot be compared'],
    ['bytes > dst port', 8, 8, 'bytes is a size, dst_port a port: they cannot be compared'],
    ['bytes > packets', 8, 7, 'bytes is a size, packets a count: they cannot be compared'],
    ['src_ip = dst_port', 9, 8, 'src_ip is an address, dst_port a port: they cannot be compared'],
    ['src_port = protocol', 11, 8, 'src_port is a port, protocol a protocol: they cannot be compared'],
    ['src_ip < dst_ip', 9, 6, 'src_ip has no order; compare with = or !='],
    ['src_country > dst_country', 14, 11, 'src_country has no order; compare with = or !='],
    ['host = src_ip', 7, 6, 'host is two values'],
    ['src_port = port', 11, 4, 'port is two values'],
    ['src_ip in dst_ip', 10, 6, 'dst_ip is a field; a field is compared with'],
    ['src_ip in (::1, dst_ip)', 16, 6, 'dst_ip is a field; a field is compared with'],
    ['bytes in 1..client_bytes', 12, 12, 'client_bytes is a field; a field is compared with'],
  ])('%s is explained', (text, offset, length, message) => {
    const result = parseFilter(text);
    expect(result).toMatchObject({ ok: false, errors: [{ offset, length }] });
    expect(result.ok ? '' : result.errors[0]!.message).toContain(message);
  });
});

describe('field or value', () => {
  it.each([
    ['application = client_port', 'application = "client_port"'],
    ['application = host', 'application = "host"'],
    ['probe = application', 'probe = "application"'],
    ['dns_name = src_ip', 'dns_name = "src_ip"'],
    ['src_country = "dst_country"', 'src_country = "dst_country"'],
    ['src_country = DST_country', 'src_country = dst_country'],
    ['http_host = sni', 'http_host = "sni"'],
    ['tls_server_name = tls_alpn', 'tls_server_name = tls_alpn'],
    ['src_port = echo', 'src_port = 7'],
    ['src_port = dport_', undefined],
    ['src = dst', 'src_ip = dst_ip'],
    ['source_port = destination_port', 'src_port = dst_port'],
    ['client bytes >= server bytes', 'client_bytes >= server_bytes'],
    ['inner_vlan <> vlan_id', 'inner_vlan != vlan'],
    ['traffic_direction = in', 'traffic_direction = in'],
  ])('%s is %s', (text, expected) => {
    const result = parseFilter(text);
    expect(result.ok ? formatFilter(result.filter) : undefined).toBe(expected);
    if (expected !== undefined) expect(mended(expected)).toBe(expected);
  });
});

describe('durations', () => {
  it.each([
    ['1h30m', '90m'],
    ['1d2h3m4s5ms6us7ns', '93784005006007ns'],
    ['2m500ms', '120500ms'],
    ['1min1s', '61s'],
    ['90s', '90s'],
    ['1.5h', '90m'],
    ['0s1ms', '1ms'],
  ])('%s is %s', (text, expected) => expect(mended(`duration > ${text}`)).toBe(`duration > ${expected}`));

  it.each([
    '1h1h',
    '1m1h',
    '1h30',
    '1.5h30m',
    '1h-30m',
    'h',
    '1h 30',
    '99999999d1h',
    '1h30M',
    '1hm',
    '-1s',
    '1e3s',
    '0x5s',
  ])('%s is none', (text) => expect(parseFilter(`duration > ${text}`).ok).toBe(false));
});
