import { describe, expect, it } from 'vitest';
import { compilePredicate, eitherDirection, fieldCode, isDirectedFilter, parseAddress, parseFilter } from '../index.js';
import type { DirectedReader, FieldId } from '../index.js';

/** One flow: 10.0.0.1:50000 asks 192.0.2.7:443, both ways have packets unless told. */
function flow(values: Readonly<Record<string, number | string>> = {}, serverPackets = 1): DirectedReader {
  const ends = [
    { ip: parseAddress('10.0.0.1')!, port: 50_000 },
    { ip: parseAddress('192.0.2.7')!, port: 443 },
  ] as const;
  let way: 0 | 1 = 0;
  const other = (): 0 | 1 => (way === 0 ? 1 : 0);
  const code = (id: FieldId): number => fieldCode(id);
  const byCode = new Map(Object.entries(values).map(([id, value]) => [fieldCode(id as FieldId), value]));
  const end = (field: number, what: 'ip' | 'port') =>
    field === code(`src_${what}`)
      ? way
      : field === code(`dst_${what}`)
        ? other()
        : field === code(`client_${what}`)
          ? 0
          : field === code(`server_${what}`)
            ? 1
            : undefined;
  return {
    setDirection: (direction) => void (way = direction),
    hasDirection: (direction) => direction === 0 || serverPackets > 0,
    number: (field) => {
      const at = end(field, 'port');
      if (at !== undefined) return values['protocol'] === 1 ? NaN : ends[at].port;
      const value = byCode.get(field);
      return typeof value === 'number' ? value : NaN;
    },
    text: (field) => {
      const value = byCode.get(field);
      return typeof value === 'string' ? value : null;
    },
    hasAddress: (field) => end(field, 'ip') !== undefined,
    addressWord: (field, word) => ends[end(field, 'ip')!].ip[word]!,
  };
}

function matches(text: string, record: DirectedReader): boolean {
  const result = parseFilter(text);
  if (!result.ok) throw new Error(text);
  return eitherDirection(compilePredicate(result.filter), isDirectedFilter(result.filter, 'flows'))(record);
}

describe('predicates', () => {
  it.each([
    ['', true],
    ['src_ip = 10.0.0.1', true],
    ['src_ip = 192.0.2.7', true],
    ['src_ip = 10.0.0.1 and src_port = 443', false],
    ['client_ip = ::ffff:10.0.0.1', true],
    ['client_ip = 192.0.2.7', false],
    ['host in 192.0.2.0/24', true],
    ['host != 10.0.0.1', false],
    ['host not in (10.0.0.9, 192.0.3.0/24)', true],
    ['port = https and port = 50000', true],
    ['port != 80', true],
    ['port != 443', false],
    ['port < 1024', true],
    ['not port < 1024', false],
    ['server_port in (1..10, 400..500, 5..20)', true],
  ])('%s on a flow is %s', (text, expected) => expect(matches(text, flow())).toBe(expected));

  it('lists a flow by the direction that fits, if packets went that way', () => {
    expect(matches('src_ip = 192.0.2.7', flow({}, 0))).toBe(false);
    expect(matches('not src_ip = 10.0.0.1', flow())).toBe(true);
    expect(matches('not src_ip = 10.0.0.1', flow({}, 0))).toBe(false);
    expect(matches('not host = 10.0.0.1', flow())).toBe(false);
  });

  it('fails every comparison with an absent field, and turns that round with not', () => {
    const icmp = flow({ protocol: 1 });
    for (const text of [
      'server_port = 80',
      'server_port != 80',
      'server_port < 80',
      'server_port in (1, 2)',
      'server_port not in (1, 2)',
      'port != 1',
    ]) {
      expect(matches(text, icmp), text).toBe(false);
      expect(matches(`not ${text}`, icmp), text).toBe(true);
    }
    for (const text of ['dns_name = ""', 'dns_name != x', 'dns_name ~ "*"', 'dns_name !~ x', 'dns_name =~ /x/']) {
      expect(matches(text, icmp), text).toBe(false);
    }
  });

  it('compares text without ASCII case', () => {
    const record = flow({ application: 'HTTP' });
    for (const text of [
      'application = http',
      'application in (x, Http)',
      'application ~ h*p',
      'application =~ /^HTTP$/',
    ]) {
      expect(matches(text, record), text).toBe(true);
    }
    expect(matches('application =~ /http/', record)).toBe(false);
    expect(matches('application =~ /http/i', record)).toBe(true);
  });
});
