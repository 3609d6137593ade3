import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeFilter, highlightFilter, hoverFilter, parseFilter } from '../../index.js';
import type { CompletionOptions } from '../../index.js';

/** Completes at the bar. */
function complete(marked: string, options?: CompletionOptions) {
  const offset = marked.indexOf('|');
  return completeFilter(marked.replace('|', ''), offset, options);
}
const labels = (marked: string, options?: CompletionOptions): string[] =>
  complete(marked, options).items.map((item) => item.label);

/** The text after the first item was taken. */
function taken(marked: string, options?: CompletionOptions): string {
  const text = marked.replace('|', '');
  const [item] = complete(marked, options).items;
  return item ? text.slice(0, item.replaceFrom) + item.insert + text.slice(item.replaceTo) : text;
}

describe('completeFilter', () => {
  it.each([
    ['|', ['host', 'src_ip', 'bytes', 'tcp', 'not'], ['and', '=']],
    ['vlan = 1 and |', ['host', 'not'], ['and']],
    ['not |', ['host'], ['or']],
    ['(|', ['host'], [')']],
    ['src |', ['host', 'port', '=', 'in'], ['>', '~']],
    ['bytes |', ['>', '<=', '=', 'in', 'not in'], ['~', 'and']],
    ['dns_name |', ['=', '~', '=~'], ['>']],
    ['bytes !|', ['!='], ['=']],
    ['bytes > |', ['1MB', 'client_bytes'], ['dst_port', 'and']],
    ['bytes > 25|', ['25kB', '25MB'], ['1MB', 'client_bytes']],
    ['duration > 3|', ['3ms', '3s'], []],
    ['protocol = |', ['tcp', 'udp', 'icmpv6'], ['https', 'src_port']],
    ['port in (|', ['https', 'ssh'], ['and', ')']],
    ['port in (44|', ['https'], ['ssh']],
    ['port in (80 |', [',', ')'], ['and']],
    ['port in (80, 443) |', ['and', 'or'], [',', ')']],
    ['(port 80 |', ['and', ')'], ['=']],
    ['(port 80) |', ['and'], [')']],
    ['tcp |', ['and', 'port', 'src port'], ['=']],
    ['vlan |', ['and', 'port', '=', 'in'], []],
    ['vlan PORT |', ['=', 'in'], ['and']],
    ['vlan = |', [], ['and']],
    ['src_port = |', ['https', 'dst_port'], ['bytes', 'host', 'src_port']],
    ['src_ip = |', ['10.0.0.0/8', 'dst_ip'], ['host', 'dst_port']],
    ['src_country = |', ['dst_country'], ['application', 'dst_asn']],
    ['dns_name ~ |', ['"*.example.org"'], ['=']],
    ['dns_rcode = NX|', ['NXDOMAIN'], ['NOERROR']],
    ['http_path =~ /a|', [], ['and']],
    ['unknown |', ['=', 'in', '~', '<'], ['and']],
    ['port = 80..|', [], ['and']],
    ['tcp or port |', ['=', 'in'], ['and']],
  ])('%s', (marked, wanted, unwanted) => {
    const offered = labels(marked);
    for (const label of wanted) expect(offered).toContain(label);
    for (const label of unwanted) expect(offered).not.toContain(label);
  });

  it('completes the word at the cursor, also in the middle of a text', () => {
    expect(taken('vlan = 1 and dst_po| = 80')).toBe('vlan = 1 and dst_port = 80');
    expect(taken('vlan = 1 and dst|_po = 80 or tcp')).toBe('vlan = 1 and dst_ip = 80 or tcp');
    expect(taken('tcp and sni|')).toBe('tcp and tls_server_name');
    expect(taken('dns_rcode = "NX|" and tcp')).toBe('dns_rcode = "NXDOMAIN" and tcp');
    expect(taken('dns_rcode = "NX|')).toBe('dns_rcode = "NXDOMAIN"');
  });

  it('asks for live values, and offers them as a filter has to have them', () => {
    expect(complete('dns_name = ex|').wantsValues).toEqual({ dimension: 'dns_name', prefix: 'ex' });
    expect(complete('dns_name in ("a b", "ex|').wantsValues).toEqual({ dimension: 'dns_name', prefix: 'ex' });
    expect(complete('host = 10.|').wantsValues).toEqual({ dimension: 'src_ip', prefix: '10.' });
    expect(complete('bytes > |').wantsValues).toBeUndefined();
    expect(complete('dns_name |').wantsValues).toBeUndefined();
    const values = ['example.org', 'ex "a"', 'and', 'ex_a'];
    expect(labels('dns_name = ex|', { values })).toEqual(['example.org', '"ex \\"a\\""', '"ex_a"']);
    expect(labels('dns_name = an|', { values })[0]).toBe('"and"');
    expect(taken('dns_name = "ex \\"|', { values: ['ex "a"'] })).toBe('dns_name = "ex \\"a\\""');
    for (const value of values) {
      const result = parseFilter(taken('dns_name = |', { values: [value] }));
      expect(result).toMatchObject({ ok: true, filter: { kind: 'compare', value: { text: value } } });
    }
  });

  const filters = [
    'src_ip in 10.0.0.0/8 and dst_port in (80, 443) and not protocol = udp',
    'dns_name ~ "*.example.org" or (bytes > 1MB and duration >= 5s)',
    'client_bytes > server_bytes or src_port = dst_port and src_country != dst_country',
    'tcp port 443 and not src host 10.0.0.1 or vlan not in (1, 2)',
  ];
  it.each(filters)('offers every field, operator and keyword of %s where it stands', (filter) => {
    for (const { role, offset, length } of highlightFilter(filter)) {
      const word = filter.slice(offset, offset + length);
      if (role !== 'field' && role !== 'operator' && role !== 'keyword') continue;
      const offered = completeFilter(filter.slice(0, offset), offset).items.map((item) => item.label);
      const label =
        word === 'src' ? 'src_ip' : word === 'not' && filter.slice(offset).startsWith('not in') ? 'not in' : word;
      // The `in` of `not in` is offered together with it.
      if (word === 'in' && filter.slice(0, offset).endsWith('not ')) continue;
      expect(offered, `${filter.slice(0, offset)}| ${word}`).toContain(label);
    }
  });
});

describe('hoverFilter', () => {
  const text = 'tcp dst port 443 and bytes > 1.5MB or not dns_rcode = NXDOMAIN';
  it.each([
    ['tcp', { title: 'tcp', documentation: 'protocol = 6' }],
    ['dst', { offset: 4, length: 8, title: 'dst_port (number)' }],
    ['port', { offset: 4, length: 8, title: 'dst_port (number)' }],
    ['443', { documentation: 'https' }],
    ['and', { title: 'and: both' }],
    ['>', { title: '>: more than' }],
    ['1.5MB', { documentation: '1,500,000 bytes (1500kB)' }],
    ['dns_rcode', { title: 'dns_rcode (text)' }],
  ])('says what %s is', (word, expected) => {
    expect(hoverFilter(text, text.indexOf(word))).toMatchObject(expected);
  });
  it.each([
    ['port = 80 and gre', 'gre', 'protocol = 47'],
    ['src port 53 OR not ip6', 'ip6', 'ip_version = 6'],
    ['port in (80, 443) && vlan', 'vlan', 'vlan != 0'],
    ['port in (80, https)', 'https', 'service 443'],
    ['udp and tcp port domain', 'domain', 'service 53'],
  ])('says in %s what %s is', (filter, word, documentation) => {
    expect(hoverFilter(filter, filter.indexOf(word))).toMatchObject({ title: word, documentation });
  });
  it('has nothing to say about spaces and texts', () => {
    expect(hoverFilter(text, 3)).toBeUndefined();
    expect(hoverFilter(text, text.length - 1)).toBeUndefined();
    expect(hoverFilter(text, 1e9)).toBeUndefined();
  });
});

describe('any text', () => {
  const piece = fc.constantFrom(
    ...['src_ip', 'src', 'port', 'host', 'dns_name', 'bytes', 'and', 'or', 'not', 'in', 'tcp', 'vlan', 'portrange'],
    ...['(', ')', ',', '=', '!=', '<', '~', '=~', '!', '&&', '..', '"', "'", '/', '\\', ' ', '\n', '10.0.0.0/8', '1MB'],
    ...['"x y"', '/a+/i', '\u202e', '\ud800', '\0', '“', 'ü', '😀', ';', '[', '*.org'],
  );
  const anyText = fc.oneof(
    fc.array(piece, { maxLength: 20 }).map((parts) => parts.join('')),
    fc.array(piece, { maxLength: 20 }).map((parts) => parts.join(' ')),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );

  it('has all its characters in tokens, in order, each once', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let at = 0;
        for (const { offset, length } of highlightFilter(text)) {
          expect(text.slice(at, offset)).toMatch(/^[ \t\r\n]*$/);
          expect(length).toBeGreaterThan(0);
          at = offset + length;
        }
        expect(text.slice(at)).toMatch(/^[ \t\r\n]*$/);
      }),
      { numRuns: 3000 },
    );
    const long = `vlan = 1${' or vlan = 1'.repeat(2000)}`;
    expect(highlightFilter(long).at(-1)).toMatchObject({ role: 'invalid', offset: 16_384 });
  });

  it('can be completed and asked at every place', () => {
    fc.assert(
      fc.property(anyText, fc.nat(80), (text, offset) => {
        const { items } = completeFilter(text, offset, { values: ['a"b', 'c'] });
        for (const { replaceFrom, replaceTo } of items) {
          expect(replaceFrom).toBeGreaterThanOrEqual(0);
          expect(replaceFrom).toBeLessThanOrEqual(replaceTo);
          expect(replaceTo).toBeLessThanOrEqual(text.length);
        }
        hoverFilter(text, offset);
      }),
      { numRuns: 2000 },
    );
  });
});
