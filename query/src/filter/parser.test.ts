import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compilePredicate,
  compileSql,
  filterLimits,
  filterTables,
  formatFilter,
  parseFilter,
  validateFilter,
} from '../index.js';
import type { FilterError } from '../index.js';

const canonical = (text: string): string => {
  const result = parseFilter(text);
  if (!result.ok) throw new Error(`${text}: ${result.errors[0]!.message}`);
  return formatFilter(result.filter);
};
const errorsOf = (text: string): readonly FilterError[] => {
  const result = parseFilter(text);
  return result.ok ? [] : result.errors;
};

describe('parseFilter', () => {
  it.each([
    ['', ''],
    [' \n\t', ''],
    ['vlan=1 or vlan=2 and vlan=3', 'vlan = 1 or vlan = 2 and vlan = 3'],
    ['(vlan=1 or vlan=2) and vlan=3', '(vlan = 1 or vlan = 2) and vlan = 3'],
    ['((vlan=1))and((vlan=2)and vlan=3)', 'vlan = 1 and vlan = 2 and vlan = 3'],
    ['NOT vlan=1 AND vlan=2', 'not vlan = 1 and vlan = 2'],
    ['!(vlan=1||vlan=2)', 'not (vlan = 1 or vlan = 2)'],
    ['!!vlan=1', 'not not vlan = 1'],
    ['vlan<>1', 'vlan != 1'],
    ['vlan!=(1,2,)', 'vlan not in (1, 2)'],
    ['vlan in (7)', 'vlan = 7'],
    ['vlan not in 7', 'vlan != 7'],
    ['vlan = 1..5', 'vlan in 1..5'],
    ['SRC_IP in 10.1.2.3/8', 'src_ip in 10.0.0.0/8'],
    ['net = 192.0.2.0/24', 'host in 192.0.2.0/24'],
    ['host in ::ffff:10.0.0.0/104', 'host in 10.0.0.0/8'],
    ['host in ::1..::5', 'host in ::1..::5'],
    ['host=2001:DB8:0:0:1:0:0:1', 'host = 2001:db8::1:0:0:1'],
    ['protocol in (6,"UDP",icmpv6, 200)', 'protocol in (tcp, udp, ipv6-icmp, 200)'],
    ['port = dns or port="ssh"', 'port = 53 or port = 22'],
    ['ether_type = 0x0800', 'ether_type = ipv4'],
    ['bytes>1.5kB and packets >= 2500000', 'bytes > 1500B'.replace('B', '') + ' and packets >= 2500k'],
    ['bytes>1KiB', 'bytes > 1024'],
    ['duration>90s and duration<0', 'duration > 90s and duration < 0'],
    ['duration = 1.5h', 'duration = 90m'],
    ["dns_name = 'it''s'".replace("''", "\\'"), `dns_name = "it's"`],
    ['dns_name = "a\\u{41}\\n"', 'dns_name = "aA\\u{a}"'],
    ['dns_name = "and"', 'dns_name = "and"'],
    ['dns_name~*.org', 'dns_name ~ "*.org"'],
    ['dns_name !~ /a\\/b/i', 'dns_name !~ /a\\/b/i'],
    ['dns_name =~ "a/b"', 'dns_name =~ /a\\/b/'],
    ['http_path = /index.html', 'http_path = "/index.html"'],
    ['probe = edge-1', 'probe = "edge-1"'],
  ])('reads %j as %j', (text, expected) => {
    expect(canonical(text)).toBe(expected);
    expect(canonical(expected)).toBe(expected);
  });

  it.each([
    // text, offset, length, message, suggestion
    ['bytes', 5, 0, 'Expected an operator after bytes'],
    ['vlan =', 6, 0, 'Expected a number'],
    ['vlan = 5000', 7, 4, 'vlan: 5000 is too big; the biggest here is 4095'],
    ['port = 70000', 7, 5, 'port: 70000 is too big'],
    ['vlan = -1', 7, 2, 'vlan: Numbers here are never negative'],
    ['vlan = 1.5', 7, 3, 'vlan: Only whole numbers'],
    ['vlan = 1k', 7, 2, 'vlan: This field has no units; write 1', '1'],
    ['bytes > 1mb', 8, 3, 'bytes: Unknown unit "mb"', '1MB'],
    ['bytes > 1Mb', 8, 3, 'bytes: Unknown unit "Mb" (sizes are in bytes', '1MB'],
    ['bytes > 9007199254740992', 8, 16, 'bytes: 9007199254740992 is too big'],
    ['duration > 5', 11, 1, 'duration: A duration needs a unit', '5s'],
    ['dst_prt = 80', 0, 7, 'Unknown field "dst_prt"; did you mean dst_port?', 'dst_port'],
    ['zzzzzzzzz = 80', 0, 9, 'Unknown field "zzzzzzzzz"'],
    ['192.0.2.1', 0, 9, '"192.0.2.1" is a value, not a field', 'host = 192.0.2.1'],
    ['vlan = 1 vlan = 2', 9, 4, 'Expected "and" or "or" before this', 'and vlan'],
    ['vlan = 1 and', 12, 0, 'Expected a comparison'],
    ['and vlan = 1', 0, 3, 'Expected a field name, found the keyword "and"'],
    ['(vlan = 1', 0, 1, 'This ( is not closed'],
    ['vlan = 1)', 8, 1, 'This ) closes nothing'],
    ['vlan in ()', 9, 1, 'Expected a number'],
    ['vlan in (1 2)', 11, 1, 'Expected , or ) in the list'],
    ['vlan in (1, 2', 8, 1, 'This ( is not closed'],
    ['vlan in 5..1', 8, 4, 'This range goes backwards', '1..5'],
    ['host in 10.0.0.0/8..10.0.0.1', 18, 2, 'A range goes between two addresses'],
    ['dns_name in a..b', 13, 2, 'dns_name is text and has no ranges'],
    ['src_ip > 10.0.0.1', 7, 1, 'src_ip has no order'],
    ['src_ip = 10.0.0.300', 9, 10, 'src_ip: "10.0.0.300" is not an address'],
    ['src_ip = 10.0.0.0/33', 9, 11, 'src_ip: "10.0.0.0/33" is not an address'],
    ['src_ip = 010.0.0.1', 9, 9, 'src_ip: "010.0.0.1" is not an address'],
    ['src_ip ~ "10.*"', 7, 1, 'src_ip is not text'],
    ['dns_name = *.org', 9, 7, 'Patterns with * or ? need the operator ~', '~ *.org'],
    ['dns_name =~ abc', 12, 3, 'Expected a regular expression between slashes', '/abc/'],
    ['dns_name =~ /a(b/', 14, 1, 'Regular expression: This ( is not closed'],
    ['dns_name =~ /(?=a)/', 13, 3, 'Regular expression: Look-ahead is not supported'],
    ['dns_name =~ /a/g', 15, 1, 'Unknown flags "g"'],
    ['dns_name =~ /a', 12, 2, 'The regular expression that begins here has no closing /'],
    ['dns_name = "a', 11, 2, 'The text that begins here has no closing "'],
    ['dns_name = "\\q"', 12, 2, 'Unknown escape "\\q"', '\\\\q'],
    ['dns_name = "\\u{110000}"', 12, 10, 'Unknown escape'],
    ['dns_name = "\\u{0}"', 11, 7, 'Text must be well-formed Unicode without'],
    ['dns_name = and', 11, 3, 'Expected a word or quoted text', '"and"'],
    ['dns_name = “x”', 11, 3, 'Texts stand in plain quotes, not in "“"', '"x"'],
    ['dns_name = “x', 11, 1, 'Unexpected character "“"; did you mean " ?', '"'],
    ['vlan = 1; DROP TABLE flows', 8, 1, 'Unexpected character ";"'],
    ['vlan = 1 & vlan = 2', 9, 1, 'Unexpected character "&"; did you mean && ?', '&&'],
    ['srс_ip = 10.0.0.1', 2, 1, 'Unexpected character "с"'], // a Cyrillic letter
    ['vlan\u202e = 1', 4, 1, 'Unexpected character "<U+202E>"'],
  ])('finds what is wrong with %j', (text, offset, length, message, suggestion?: string) => {
    const [error] = errorsOf(text);
    expect(error).toMatchObject({ offset, length, line: 1, column: offset + 1 });
    expect(error!.message.startsWith(message), error!.message).toBe(true);
    expect(error!.suggestion).toBe(suggestion);
    expect(error!.message).not.toMatch(/\n/);
  });

  it('gives line and column', () => {
    expect(errorsOf('vlan = 1\r\n  and vlna = 2')).toMatchObject([{ offset: 16, length: 4, line: 2, column: 7 }]);
  });

  it('goes on after an error and finds the next', () => {
    const errors = errorsOf('(vlna = 1 or port = https) and port in (80, http-x) and (vlan > ) or dns_name =~ /[/');
    expect(errors.map((error) => error.offset)).toEqual([1, 44, 64, 82]);
  });

  it('applies its own suggestions', () => {
    for (const text of [
      'dst_prt = 80',
      'bytes > 1mb',
      'duration > 5',
      'vlan = 1 vlan = 2',
      '10.0.0.1',
      'vlan in 5..1',
      'host = 10/8',
    ]) {
      const error = errorsOf(text)[0]!;
      const mended = text.slice(0, error.offset) + error.suggestion! + text.slice(error.offset + error.length);
      expect(parseFilter(mended), mended).toMatchObject({ ok: true });
    }
  });

  it('gives tokens for highlighting', () => {
    const text = 'src_ip in 10.0.0.0/8 and not (protocol = tcp)';
    expect(
      validateFilter(text).tokens.map((token) => [token.role, text.slice(token.offset, token.offset + token.length)]),
    ).toEqual([
      ['field', 'src_ip'],
      ['keyword', 'in'],
      ['address', '10.0.0.0/8'],
      ['keyword', 'and'],
      ['keyword', 'not'],
      ['punctuation', '('],
      ['field', 'protocol'],
      ['operator', '='],
      ['name', 'tcp'],
      ['punctuation', ')'],
    ]);
  });

  it('tells fields, tables and direction', () => {
    expect(validateFilter('dst_ip = ::1 and vlan = 1')).toMatchObject({
      ok: true,
      fields: ['dst_ip', 'vlan'],
      tables: expect.arrayContaining(['dns', 'http', 'tls', 'flows']) as string[],
      directed: true,
    });
    expect(validateFilter('host = ::1')).toMatchObject({ ok: true, directed: false });
    expect(validateFilter('dns_name = x and bytes > 1')).toMatchObject({ ok: true, tables: [] });
  });
});

describe('limits', () => {
  it('takes a filter of the longest length and refuses one more character', () => {
    const text = 'vlan = 1'.padEnd(filterLimits.lengthMax);
    expect(parseFilter(text)).toMatchObject({ ok: true });
    expect(errorsOf(`${text} `)).toMatchObject([{ offset: filterLimits.lengthMax, length: 1 }]);
  });

  it.each(['(', '!', 'not '])('nests %j 64 deep and no deeper', (open) => {
    const nested = (depth: number): string => open.repeat(depth) + 'vlan = 1' + (open === '(' ? ')' : '').repeat(depth);
    expect(parseFilter(nested(filterLimits.depthMax))).toMatchObject({ ok: true });
    expect(errorsOf(nested(filterLimits.depthMax + 1))[0]).toMatchObject({ offset: 64 * open.length });
  });

  it('takes 1,000 values in a list and refuses one more, where it stands', () => {
    const list = (count: number): string => `vlan in (${Array<string>(count).fill('1').join(',')})`;
    expect(parseFilter(list(1000))).toMatchObject({ ok: true });
    expect(errorsOf(list(1001))[0]).toMatchObject({ offset: 9 + 2000, message: 'A list has at most 1000 values' });
  });
});

describe('compileSql', () => {
  const sql = (text: string, options: Parameters<typeof compileSql>[1]) => {
    const result = parseFilter(text);
    if (!result.ok) throw new Error(text);
    return compileSql(result.filter, options);
  };

  it('binds every value and splices none', () => {
    expect(sql(`client_ip in (10.0.0.0/8, ::1) and application = "x') OR 1=1 --"`, { table: 'flows' })).toEqual({
      sql:
        '((client_ip IN {p0:Array(IPv6)} OR (client_ip >= {p1:IPv6} AND client_ip <= {p2:IPv6})) AND ' +
        '(lower(application) = {p3:String}))',
      params: { p0: ['::1'], p1: '::ffff:10.0.0.0', p2: '::ffff:10.255.255.255', p3: `x') or 1=1 --` },
    });
  });

  it('looks at each direction that has packets', () => {
    expect(sql('src_ip = ::1', { table: 'flows' }).sql).toBe(
      '((client_packets > 0 AND (client_ip = {p0:IPv6})) OR (server_packets > 0 AND (server_ip = {p0:IPv6})))',
    );
    expect(sql('src_ip = ::1', { table: 'flows', direction: 1 }).sql).toBe('(server_ip = {p0:IPv6})');
    expect(sql('src_ip = ::1', { table: 'flows', direction: { column: 'way' }, parameterPrefix: 'a' }).sql).toBe(
      '(if(way = 0, client_ip, server_ip) = {a0:IPv6})',
    );
    expect(sql('src_ip = ::1', { table: 'dns' }).sql).toBe('(client_ip = {p0:IPv6})');
    expect(sql('', { table: 'dns' })).toEqual({ sql: '1', params: {} });
  });

  it('throws on a table that lacks a field', () => {
    expect(() => sql('dns_name = x', { table: 'flows' })).toThrow('no field dns_name');
  });
});

describe('hostile text', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const pieces = fc.constantFrom(
    ...[
      'src_ip',
      'dns_name',
      'bytes',
      'and',
      'or',
      'not',
      'in',
      '(',
      ')',
      ',',
      '=',
      '!=',
      '<',
      '~',
      '=~',
      '!',
      '..',
      '"',
      "'",
      '/',
      '\\',
    ],
    ...[
      '10.0.0.0/8',
      '::',
      '1',
      '1MB',
      '1e9',
      '-1',
      '*',
      '(a+)+',
      '[',
      '{9}',
      '\\u{',
      '\u202e',
      '\ud800',
      '\0',
      '\uff1d',
      '__proto__',
      'constructor',
    ],
  );
  const hostile = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(' ')),
    fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
  );

  it(`never throws, and errors stay inside the text (seed ${seed})`, () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const result = parseFilter(text);
        if (result.ok) {
          compilePredicate(result.filter);
          for (const table of filterTables(result.filter)) compileSql(result.filter, { table });
          expect(parseFilter(formatFilter(result.filter))).toMatchObject({ ok: true, filter: result.filter });
          return;
        }
        expect(result.errors.length).toBeGreaterThan(0);
        expect(result.errors.length).toBeLessThanOrEqual(filterLimits.errorsMax);
        for (const { offset, length, line, column, message } of result.errors) {
          expect(offset).toBeGreaterThanOrEqual(0);
          expect(offset + length).toBeLessThanOrEqual(text.length);
          expect(Math.min(line, column)).toBeGreaterThanOrEqual(1);
          expect(message.length).toBeLessThan(400);
          expect(message).not.toMatch(/[\n\r\0]/);
        }
      }),
      { seed, numRuns: 5000, interruptAfterTimeLimit: 8000 },
    );
  });

  const long = filterLimits.lengthMax;
  it.each([
    ['brackets', '('.repeat(long)],
    ['negations', '!'.repeat(long)],
    ['words', 'a '.repeat(long / 2)],
    ['unknown fields', 'x or '.repeat(long / 5)],
    ['one word', 'a'.repeat(long)],
    ['dots', '.'.repeat(long)],
    ['operators', '= '.repeat(long / 2)],
    ['backslashes', `dns_name = "${'\\'.repeat(long - 20)}"`],
    ['quotes', '"'.repeat(long)],
    ['commas', `vlan in (${','.repeat(long - 20)}`],
    ['line breaks', '\n'.repeat(long - 1) + ';'],
    ['a long number', `bytes > ${'9'.repeat(long - 20)}`],
    ['a long address', `host = ${'1:'.repeat(long / 2 - 10)}`],
    ['a long network', `host = 1/${'9'.repeat(long - 20)}`],
    ['many terms', 'vlan=1 or '.repeat(long / 10 - 1) + 'vlan=1'],
    ['nested repeats', 'dns_name =~ /((((a{30}){30}){30}){30})/'],
    ['repeats of nothing', 'dns_name =~ /((((){1000}){1000}){1000}){1000}/'],
    ['open groups', `dns_name =~ /${'('.repeat(long - 20)}/`],
    ['stars', `dns_name ~ "${'*a'.repeat(long / 2 - 20)}"`],
  ])('is answered quickly: %s', (_, text) => {
    // Processor time, the best of three: what else runs on the machine, and the first compilation, do not count.
    const times = [1, 2, 3].map(() => {
      const started = process.cpuUsage();
      expect(validateFilter(text.slice(0, long)).tokens.length).toBeLessThanOrEqual(long);
      return process.cpuUsage(started).user / 1000;
    });
    expect(Math.min(...times)).toBeLessThan(50);
  });
});
