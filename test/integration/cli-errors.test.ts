/**
 * What a user can do wrong gives one clear line that says what to do, the right exit code, nothing on stdout, and never a
 * stack trace. Every case is a real process.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../backend/src/storage/index.js';
import { repository, run, sampleCapture, start, temporaryFolder, until } from './process.js';
import type { Ended } from './process.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
const fixture = (name: string): string => join(repository, 'test/fixtures', name);
const sample = new Uint8Array(readFileSync(sampleCapture));
/** Runs with its own working folder, so that no configuration of the checkout has a say. */
const cwd = folder.path;

beforeAll(() => {
  mkdirSync(at('folder'));
  writeFileSync(at('text.pcap'), 'This is no capture, it is a text.\n');
  writeFileSync(at('empty.pcap'), '');
  writeFileSync(at('large.pcap'), Buffer.alloc(25 << 20, 'This is large, and no capture.\n')); // threads are started for it
  writeFileSync(at('version.pcap'), Buffer.from('d4c3b2a1010009000000000000000000000004000100000000', 'hex'));
  writeFileSync(at('archive.pcap.xz'), Buffer.from('fd377a585a000004e6d6b446', 'hex'));
  writeFileSync(at('text.pcap.gz'), gzipSync('This is no capture either.\n'));
  writeFileSync(at('unknown.yaml'), 'engine:\n  wrokers: 2\n');
  writeFileSync(at('type.yaml'), 'engine:\n  workers: many\n');
  writeFileSync(at('several.yaml'), 'engine:\n  wrokers: 2\n  workers: many\nstorrage: {}\n');
  writeFileSync(at('task.yaml'), 'engine:\n  tasks:\n    - type: flaw\n');
  writeFileSync(at('syntax.yaml'), 'engine: [\n');
  writeFileSync(at('unreadable.pcap'), sample);
  chmodSync(at('unreadable.pcap'), 0);
  mkdirSync(at('read-only'));
  chmodSync(at('read-only'), 0o555);
});
afterAll(() => folder.remove());

/** Lines for people: the log's lines are JSON objects. */
const spoken = (stderr: string): string[] => stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{"'));

function expectUserError({ code, stdout, stderr }: Ended, wanted: { code: number; says: RegExp }): void {
  expect(stderr).not.toMatch(/^\s+at |internal error|Error:|\.js:\d+/m);
  const lines = spoken(stderr);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(wanted.says);
  expect(lines[0]!.length).toBeLessThan(600);
  expect({ code, stdout }).toEqual({ code: wanted.code, stdout: '' });
}

interface Case {
  args: string;
  code: number;
  /** what the line must say */
  says: RegExp;
  env?: Record<string, string>;
  stdin?: string;
}

/** `$` in the arguments is the folder with the files above, `SAMPLE` the sample capture. */
const argumentsOf = (text: string): string[] =>
  text.split(' ').map((each) => each.replace('$', `${folder.path}/`).replace('SAMPLE', sampleCapture));

const inputs: Case[] = [
  { args: 'analyze $missing.pcap', code: 2, says: /missing\.pcap: no such file; check the path/ },
  { args: 'analyze $folder', code: 2, says: /folder is a directory; name a capture file in it/ },
  {
    args: 'analyze $text.pcap',
    code: 2,
    says: /text\.pcap: not a capture file: unknown magic 0x54686973 at byte 0; pcap/,
  },
  { args: 'analyze $large.pcap', code: 2, says: /large\.pcap: not a capture file: unknown magic/ },
  { args: 'analyze $text.pcap --workers 4', code: 2, says: /text\.pcap: not a capture file: unknown magic/ },
  { args: 'analyze $text.pcap.gz', code: 2, says: /text\.pcap\.gz: not a capture file: unknown magic/ },
  { args: 'analyze $archive.pcap.xz', code: 2, says: /xz-compressed: decompress it first \(xz -dc/ },
  { args: 'analyze $version.pcap', code: 2, says: /version 1\.9 at byte 4 is not supported .*: convert/ },
  { args: 'analyze $empty.pcap', code: 2, says: /empty\.pcap: the capture file is empty \(0 bytes\): check/ },
  { args: 'analyze SAMPLE $missing.pcap', code: 2, says: /missing\.pcap: no such file/ },
  { args: 'analyze SAMPLE $text.pcap --format json', code: 2, says: /not a capture file/ },
  { args: 'analyze - -', stdin: '', code: 2, says: /standard input \(-\) can be read only once: name it once/ },
  { args: 'analyze -', stdin: '', code: 2, says: /standard input: the capture file is empty/ },
  { args: 'analyze -', stdin: 'no capture', code: 2, says: /standard input: not a capture file/ },
  { args: 'up --once --read $missing.pcap --data $none', code: 2, says: /missing\.pcap: no such file; check the path/ },
  { args: 'up --once --read $folder --data $none', code: 2, says: /is a directory; name a capture file in it/ },
  { args: 'up --once --read SAMPLE $text.pcap --data $none', code: 2, says: /text\.pcap: not a capture file/ },
];

const usage: Case[] = [
  { args: 'analyse SAMPLE', code: 2, says: /unknown command 'analyse' .*analyze.*; see netspectra --help/ },
  { args: 'analyze', code: 2, says: /missing required argument 'file'; see netspectra analyze --help/ },
  { args: 'analyze SAMPLE --bogus', code: 2, says: /unknown option '--bogus'; see netspectra analyze --help/ },
  { args: 'analyze SAMPLE --fromat json', code: 2, says: /unknown option '--fromat' \(Did you mean --format\?\); see/ },
  { args: 'analyze SAMPLE --format xml', code: 2, says: /--format <format>' argument 'xml' is invalid.*text, json/ },
  { args: 'analyze SAMPLE --top 0', code: 2, says: /--top <count>' argument '0' is invalid.*from 1 to 10000/ },
  { args: 'analyze SAMPLE --top=-5', code: 2, says: /--top <count>' argument '-5' is invalid/ },
  {
    args: 'analyze SAMPLE --workers 1000',
    code: 2,
    says: /--workers <count>' argument '1000' is invalid.*from 1 to 64/,
  },
  { args: 'analyze SAMPLE --max-flows 7', code: 2, says: /--max-flows <count>' argument '7' is invalid.*from 1024/ },
  { args: 'up --replay fast', code: 2, says: /--replay <speed>' argument 'fast' is invalid.*above 0/ },
  { args: 'up --replay 0', code: 2, says: /--replay <speed>' argument '0' is invalid/ },
  { args: 'up --read', code: 2, says: /--read <file...>' argument missing; see netspectra up --help/ },
  { args: 'up SAMPLE', code: 2, says: /too many arguments for 'up'/ },
  { args: 'config chek', code: 2, says: /unknown command 'chek' .*check.*; see netspectra config --help/ },
  { args: 'config print --shcema', code: 2, says: /unknown option '--shcema' .*--schema.*config print --help/ },
];

const configuration: Case[] = [
  { args: 'config check --config $missing.yaml', code: 2, says: /missing\.yaml: no such file/ },
  { args: 'up --config $missing.yaml', code: 2, says: /missing\.yaml: no such file/ },
  {
    args: 'config check --config $unknown.yaml',
    code: 2,
    says: /unknown\.yaml:2: engine\.wrokers: .*did you mean "workers"\?/,
  },
  {
    args: 'up --once --config $unknown.yaml',
    code: 2,
    says: /unknown\.yaml:2: engine\.wrokers: .*did you mean "workers"\?/,
  },
  {
    args: 'config check --config $type.yaml',
    code: 2,
    says: /type\.yaml:2: engine\.workers: expected a whole number from 0 to 256, got "many"/,
  },
  {
    args: 'config check --config $task.yaml',
    code: 2,
    says: /task\.yaml:3: engine\.tasks\[0\]\.type: .*did you mean "flow"\?/,
  },
  { args: 'config check --config $syntax.yaml', code: 2, says: /syntax\.yaml:2: not valid YAML/ },
  { args: 'up --once --config $several.yaml', code: 2, says: /3 mistakes .*wrokers.*workers.*storrage/ },
  {
    args: 'config check',
    env: { NETSPECTRA_ENGINE_WORKERS: 'abc' },
    code: 2,
    says: /engine\.workers: expected .*got "abc" \(from the environment variable NETSPECTRA_ENGINE_WORKERS\)/,
  },
  {
    args: 'config check',
    env: { NETSPECTRA_ENGINE_WROKERS: '2' },
    code: 2,
    says: /unknown environment variable .*did you mean NETSPECTRA_ENGINE_WORKERS\?/,
  },
  {
    args: 'up --once',
    env: { NETSPECTRA_API_LISTEN: 'nonsense' },
    code: 2,
    says: /api\.listen: expected host:port like/,
  },
  {
    args: 'up --once --data $none --listen nonsense',
    code: 2,
    says: /api\.listen: "nonsense" is not host:port, for example/,
  },
  {
    args: 'up --once --data $none --listen 0.0.0.0:8080',
    code: 2,
    says: /"0\.0\.0\.0" is reachable from other machines.*api\.auth: token/,
  },
  { args: 'up --once --data $none --listen 127.0.0.1:99999', code: 2, says: /is not host:port/ },
  {
    args: 'up --once --data $text.pcap --listen 127.0.0.1:0',
    code: 1,
    says: /cannot use the data folder .*text\.pcap.*choose a writable folder/,
  },
];

describe.concurrent('one line, the right exit code, no stack', () => {
  it.each([...inputs, ...usage, ...configuration])('$args $env', async ({ args, env, stdin, ...wanted }) => {
    const ended = await run(argumentsOf(args), {
      cwd,
      ...(env && { env }),
      ...(stdin !== undefined && { stdin: new TextEncoder().encode(stdin) }),
    });
    expectUserError(ended, wanted);
  });

  it('config check: every mistake on a line of its own', async () => {
    const { code, stdout, stderr } = await run(['config', 'check', '--config', at('several.yaml')], { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(spoken(stderr).map((line) => /several\.yaml:(\d)/.exec(line)?.[1])).toEqual(['2', '3', '4']);
  });

  it('no command at all: the help, as wrong usage', async () => {
    const { code, stdout, stderr } = await run([], { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: netspectra/);
  });
});

/** As somebody who is not root, when this is root: modes do not bind root. Null when that user cannot run the program. */
async function asAnyone(args: readonly string[]): Promise<Ended | null> {
  if (process.getuid?.() !== 0) return run(args, { cwd });
  const nobody = 65_534;
  const once = (given: readonly string[]): Promise<Ended> =>
    new Promise((resolve, reject) => {
      const program = join(repository, 'backend/bin/netspectra.js');
      const child = spawn(process.execPath, [program, ...given], { cwd: '/', uid: nobody, gid: nobody });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
    });
  chmodSync(folder.path, 0o755);
  const version = await once(['--version']).catch(() => null);
  return version?.code === 0 ? once(args) : null;
}

describe('permissions', () => {
  it('a file that may not be read', async () => {
    const ended = await asAnyone(['analyze', at('unreadable.pcap')]);
    if (ended) expectUserError(ended, { code: 2, says: /unreadable\.pcap: no permission to read it; change its mode/ });
  });

  it('a data folder that may not be written', async () => {
    const ended = await asAnyone(['up', '--once', '--data', at('read-only'), '--listen', '127.0.0.1:0']);
    if (ended)
      expectUserError(ended, { code: 1, says: /cannot use the data folder .*read-only.*writable folder with --data/ });
  });
});

describe('what others hold', () => {
  it('a port that is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const ended = await run(['up', '--once', '--data', at('port'), '--listen', `127.0.0.1:${port}`], { cwd });
      expectUserError(ended, {
        code: 1,
        says: new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use; stop .*or choose`),
      });
    } finally {
      server.close();
    }
  });

  it('a data folder in use by another process', async () => {
    const args = ['up', '--data', at('shared'), '--listen', '127.0.0.1:0'];
    const first = start(args, { cwd });
    try {
      await until('the first listens', () => first.stderr().includes('API listens'));
      const says = new RegExp(`in use by another netspectra \\(pid ${first.child.pid}\\): stop that one, or choose`);
      expectUserError(await run([...args, '--once'], { cwd }), { code: 1, says });
    } finally {
      first.child.kill('SIGTERM');
    }
    expect(await first.ended).toMatchObject({ code: 0 });
  });

  it('a data folder of a newer schema, which is left as it was', async () => {
    const args = ['up', '--once', '--data', at('newer'), '--listen', '127.0.0.1:0'];
    expect(await run(args, { cwd })).toMatchObject({ code: 0 });
    const history = 'SELECT max(version) AS version, count() AS rows FROM schema_migrations';
    const store = await openStore({ dataDir: at('newer') }, { migrate: false });
    const bytes = new TextEncoder().encode('4711\tfrom-the-future\tabc\n');
    await store.insert({ table: 'schema_migrations', columns: ['version', 'name', 'checksum'], bytes });
    const before = await store.query(history);
    await store.close();
    const says = /newer was written by a newer netspectra \(schema 4711, .*\): update netspectra, or choose another/;
    expectUserError(await run(args, { cwd }), { code: 1, says });
    const after = await openStore({ dataDir: at('newer') }, { migrate: false });
    expect((await after.query(history)).columns).toEqual(before.columns);
    await after.close();
  });
});

interface Damaged {
  packets: number;
  bytes_wire: number;
  damage: { reason: string; offset: number };
}
const damaged = JSON.parse(readFileSync(fixture('damaged.expected.json'), 'utf8')) as Record<string, Damaged>;

/** Where the reader is more exact than the expectations' reasons. */
const reasonOf: Readonly<Record<string, string>> = {
  'damaged-block-length-odd.pcapng': 'block_length_mismatch',
  'damaged-block-trailer.pcapng': 'block_length_mismatch',
  'damaged-byte-order.pcapng': 'bad_byte_order',
  'damaged-captured-length.pcapng': 'bad_packet_block',
};
/** Block lengths still agree there, so only this one packet is lost; tshark gives up. */
const readsOn: Readonly<Record<string, { packets: number; bytes: number }>> = {
  'damaged-captured-length.pcapng': { packets: 11, bytes: 1336 },
};

describe.concurrent('a damaged capture: what could be read, where and why it ends, exit code 3', () => {
  const files = Object.entries(damaged).filter(([, { damage }]) => damage.reason !== 'unknown_format');

  it.each(files)('%s', async (name, expected) => {
    const { code, stdout, stderr } = await run(['analyze', fixture(name), '--format', 'json'], { cwd });
    const { packets, bytes, damage } = JSON.parse(stdout) as Record<string, unknown>;
    expect({ packets, bytes }).toEqual(readsOn[name] ?? { packets: expected.packets, bytes: expected.bytes_wire });
    const reason = reasonOf[name] ?? expected.damage.reason;
    expect(damage).toEqual({ truncated_file: reason === 'truncated_file', bad_packets: 0, reasons: { [reason]: 1 } });
    const { offset } = expected.damage;
    const place = offset === 0 && reason === 'truncated_file' ? 'inside its file header' : `at byte ${offset}`;
    expect(spoken(stderr)).toEqual([expect.stringContaining(place)]);
    expect(stderr).toMatch(/^netspectra: .*damaged-/);
    expect(code).toBe(3);
  });

  it('covers what a file can have', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(new Set(files.map(([name, { damage }]) => reasonOf[name] ?? damage.reason)).size).toBeGreaterThan(5);
  });

  it.each([
    ['gzip', (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)), 3000],
    ['gzip cut in its header', (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)), 9],
    ['zstd', () => new Uint8Array(readFileSync(fixture('pcap-us-le.pcap.zst'))), 500],
  ])('cut %s', async (_, pack, length) => {
    const stdin = pack(sample).subarray(0, length);
    const { code, stdout, stderr } = await run(['analyze', '-', '--format', 'json'], { cwd, stdin });
    const { damage } = JSON.parse(stdout) as { damage: { reasons: Record<string, number> } };
    expect(damage.reasons).toMatchObject({ compressed_stream: 1 });
    expect(spoken(stderr).at(-1)).toMatch(/^netspectra: standard input: .*(unexpected end).*near byte \d+/);
    expect(code).toBe(3);
  });

  it('up stores what could be read and ends with 3', async () => {
    const data = at('damaged');
    const name = 'damaged-cut-in-record.pcap';
    const ended = await run(['up', '--once', '--read', fixture(name), '--data', data, '--listen', '127.0.0.1:0'], {
      cwd,
    });
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 3, stdout: '' });
    expect(spoken(ended.stderr)).toEqual([expect.stringContaining('at byte 518')]);
    expect(ended.stderr).toMatch(/"packets":5,"bytes":414/);
  });
});

/** The JSON objects of an output, one after the other. */
const objectsOf = (stdout: string): string[] => stdout.split(/^(?=\{)/m);

describe('stdout holds data and nothing else', () => {
  it('the same analysis from a file, standard input, gzip and zstd', async () => {
    const analysis = async (file: string, stdin?: Uint8Array): Promise<object> => {
      const ended = await run(['analyze', file, '--format', 'json'], { cwd, ...(stdin && { stdin }) });
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      return { ...(JSON.parse(ended.stdout) as object), file: '' };
    };
    const plain = fixture('pcap-us-le.pcap');
    const expected = await analysis(plain);
    expect(await analysis('-', new Uint8Array(readFileSync(plain)))).toEqual(expected);
    for (const packed of ['pcap-us-le.pcap.gz', 'pcap-us-le-members.pcap.gz', 'pcap-us-le.pcap.zst']) {
      expect(await analysis(fixture(packed))).toEqual(expected);
      expect(await analysis('-', new Uint8Array(readFileSync(fixture(packed))))).toEqual(expected);
    }
  });

  it('a reader that goes away early (| head -1) is no error', async () => {
    const many = Array.from({ length: 12 }, () => sampleCapture);
    const writing = start(['analyze', ...many, '--format', 'json', '--top', '10000'], { cwd });
    writing.child.stdout!.once('data', () => writing.child.stdout!.destroy());
    const { code, stdout, stderr } = await writing.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\{\n/);
  });

  it('one JSON object for each file, in order', async () => {
    const { stdout } = await run(['analyze', sampleCapture, fixture('loopback.pcap'), '--format', 'json'], { cwd });
    const [first, second] = objectsOf(stdout).map((text) => JSON.parse(text) as { file: string });
    expect([first, second].map((each) => basename(each!.file))).toEqual(['sample.pcap', 'loopback.pcap']);
  });

  it('the keys of the design, and numbers that are numbers', async () => {
    // Together the two have every key that is always there, and a reason of damage.
    const captures = [sampleCapture, fixture('damaged-cut-in-record.pcap')];
    const { stdout } = await run(['analyze', ...captures, '--format', 'json', '--top', '1000'], { cwd });
    const seen = new Map<string, Set<string>>();
    for (const text of objectsOf(stdout)) shapeOf(JSON.parse(text), '', seen);
    const shape = Object.fromEntries([...seen].map(([path, kinds]) => [path, [...kinds].sort().join('|')]));
    expect(shape).toEqual(analysisShape);
  });
});

describe('limits', () => {
  it('says when flows were put together, and still counts every packet', async () => {
    // A scan of 3,000 ports: UDP packets of 60 bytes, one a flow.
    const scan = Buffer.alloc(24 + 3000 * 76);
    scan.write('d4c3b2a10200040000000000000000000000040001000000', 0, 'hex');
    for (let i = 0; i < 3000; i += 1) {
      const at = 24 + i * 76;
      scan.writeUInt32LE(1_700_000_000, at);
      scan.writeUInt32LE(60, at + 8);
      scan.writeUInt32LE(60, at + 12);
      scan.write('0200000000020200000000010800' + '4500002e00000000401100000a0000010a000002', at + 16, 'hex');
      scan.write(`9c40${(1024 + i).toString(16).padStart(4, '0')}001a0000`, at + 50, 'hex');
    }
    writeFileSync(at('scan.pcap'), scan);
    const { code, stdout, stderr } = await run(
      ['analyze', at('scan.pcap'), '--format', 'json', '--max-flows', '1024', '--top', '10000', '--workers', '1'],
      { cwd },
    );
    const { packets, protocols, flows, conversations } = JSON.parse(stdout) as {
      packets: number;
      protocols: { udp: { packets: number } };
      flows: unknown[];
      conversations: { udp: number };
    };
    expect({ code, packets, udp: protocols.udp.packets }).toEqual({ code: 0, packets: 3000, udp: 3000 });
    const folded = Number(/([\d,]+) flows beyond --max-flows/.exec(stderr)?.[1]?.replace(',', ''));
    // Room is made some packets ahead, so the bound is met to within a piece of work.
    expect(flows.length).toBeLessThan(2048);
    expect(flows.length + folded).toBe(3000);
    expect(conversations.udp).toBeLessThan(3000);
  });
});

/** These objects have keys that come from the traffic. */
const openObjects = ['damage.reasons', 'protocols', 'dns.rcodes', 'http.methods', 'http.statuses'];

/** Kinds of every leaf by its path; list positions and traffic's own keys are `*`. */
function shapeOf(value: unknown, path: string, seen: Map<string, Set<string>>): void {
  if (typeof value !== 'object' || value === null) {
    const kind = value === null ? 'null' : typeof value;
    seen.set(path, (seen.get(path) ?? new Set()).add(kind));
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    const step = Array.isArray(value) || openObjects.includes(path) ? '*' : key;
    shapeOf(child, path === '' ? step : `${path}.${step}`, seen);
  }
}

const paths = (kind: string, prefix: string, keys: string): Record<string, string> =>
  Object.fromEntries(keys.split(' ').map((key) => [`${prefix}${key}`, kind]));

const analysisShape: Readonly<Record<string, string>> = {
  ...paths('string', '', 'file first_timestamp last_timestamp'),
  ...paths('number', '', 'packets bytes captured_bytes duration_seconds damage.bad_packets'),
  'damage.truncated_file': 'boolean',
  'damage.reasons.*': 'number',
  ...paths('number', 'protocols.*.', 'packets bytes'),
  ...paths('number', 'conversations.', 'tcp udp'),
  ...paths('string', 'flows.*.', 'client server protocol first last tcp.flags application'),
  ...paths('number', 'flows.*.', 'client_port server_port client_packets client_bytes server_packets server_bytes'),
  ...paths('number', 'flows.*.', 'duration_seconds tcp.retransmissions'),
  ...paths('null|number', 'flows.*.', 'vlan tcp.rtt_ms'),
  ...['client_ip', 'server_ip', 'src_ip', 'dst_ip', 'src_port', 'dst_port'].reduce(
    (all, subject) => ({ ...all, ...paths('number', `cardinality.${subject}.`, 'estimate lower upper') }),
    {},
  ),
  ...['src_ip', 'dst_ip', 'src_port', 'dst_port', 'protocol'].reduce(
    (all, subject) => ({
      ...all,
      [`top.${subject}.*.key`]: 'string',
      ...paths('number', `top.${subject}.*.`, 'bytes packets lower upper'),
    }),
    {},
  ),
  ...paths('number', 'dns.', 'queries responses names.*.count rcodes.*'),
  'dns.names.*.name': 'string',
  ...paths('number', 'http.', 'requests responses methods.* hosts.*.count statuses.*'),
  'http.hosts.*.host': 'string',
  ...paths('number', 'tls.', 'client_hellos server_names.*.count'),
  'tls.server_names.*.name': 'string',
};

describe('config schema-sql', () => {
  it('prints the statements of the configured server or cluster, with retention and history', async () => {
    const alone = await run(['config', 'schema-sql'], { cwd });
    expect(alone).toMatchObject({ code: 0, stderr: '' });
    expect(alone.stdout).toMatch(
      /^-- NetSpectra \S+: tables for one server\..*\n\nCREATE DATABASE IF NOT EXISTS netspectra;\n/,
    );
    expect(alone.stdout).toContain('ALTER TABLE dns MODIFY TTL stored_at + toIntervalSecond(2592000);');
    expect(alone.stdout).not.toContain('ON CLUSTER');
    writeFileSync(
      at('cluster.yaml'),
      'storage: {clickhouse: {url: "http://ch:8123", cluster: main, sharded: true, database: net}}',
    );
    const { code, stdout } = await run(['config', 'schema-sql', '--config', at('cluster.yaml')], { cwd });
    expect(code).toBe(0);
    expect(stdout).toContain("ENGINE = Distributed('main', 'net', 'flows_local', partition);");
    const statements = stdout.split(/;\n+/).filter((statement) => /^(CREATE|ALTER)/.test(statement));
    expect(statements.filter((statement) => !statement.includes("ON CLUSTER 'main'"))).toEqual([]);
    expect(stdout).toMatch(
      /INSERT INTO schema_migrations \(version, name, checksum\) VALUES\n {2}\(1, 'tables', '[0-9a-f]{64}'\)/,
    );
  });
});

describe('config print', () => {
  it('can be loaded again, and is the same then', async () => {
    const env = { NETSPECTRA_ENGINE_FLUSH_INTERVAL: '250ms', NETSPECTRA_STORAGE_TTL_DNS: '3d' };
    const printed = await run(['config', 'print'], { cwd, env });
    expect(printed).toMatchObject({ code: 0, stderr: '' });
    expect(printed.stdout).toMatch(/interval: 250ms/);
    writeFileSync(at('printed.yaml'), printed.stdout);
    expect(await run(['config', 'print', '--config', at('printed.yaml')], { cwd })).toEqual(printed);
    const checked = await run(['config', 'check', '--config', at('printed.yaml')], { cwd });
    expect(checked).toMatchObject({ code: 0, stderr: '' });
  });

  it('shows no secret', async () => {
    const { stdout } = await run(['config', 'print'], { cwd, env: { NETSPECTRA_ADMIN_TOKEN: 'hunter2hunter2' } });
    expect(stdout).toContain('admin_token');
    expect(stdout).not.toContain('hunter2');
  });

  it('--schema is a JSON Schema that knows the keys', async () => {
    const { code, stdout, stderr } = await run(['config', 'print', '--schema'], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const schema = JSON.parse(stdout) as { $schema: string; properties: Record<string, unknown> };
    expect(schema.$schema).toContain('json-schema.org');
    expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(['engine', 'storage', 'api']));
  });
});

describe('help and version are data', () => {
  it.each([['--help'], ['help analyze'], ['analyze --help'], ['up --help'], ['--version']])('%s', async (args) => {
    const { code, stdout, stderr } = await run(args.split(' '), { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toBe('');
  });
});
