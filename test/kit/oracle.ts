/**
 * What must be in the store after a test of crashes: everything the bus confirmed, once; of what was published and never
 * confirmed, each message whole and once, or not at all. `oracle-probe.js` writes down what it published; SQL says what
 * is stored.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { owned, until } from '../integration/process.js';

export interface OracleOptions {
  readonly url: string;
  readonly partitions: number;
  readonly probe: string;
  /** folder of the spool; kept between starts */
  readonly spool: string;
  /** file that is appended to */
  readonly log: string;
  readonly seed: number;
  /** packets every `tickMs` milliseconds */
  readonly packets: number;
  readonly tickMs: number;
}

export interface OracleProbe {
  readonly child: ChildProcess;
  /** End the epoch; resolves when everything is confirmed. */
  pause(): Promise<void>;
  /** Begin another epoch. */
  resume(): void;
  /** End generating, wait until all is confirmed; how many messages were not. */
  finish(): Promise<number>;
  kill(): Promise<void>;
}

const program = fileURLToPath(new URL('oracle-probe.js', import.meta.url));

/** Start one; resolves when it publishes. */
export async function startOracle(options: OracleOptions): Promise<OracleProbe> {
  const child = owned(spawn(process.execPath, [program, JSON.stringify(options)], { stdio: 'pipe' }));
  const said: string[] = [];
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  child.stdin.on('error', () => {}); // killed
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  await until('the oracle publishes', () => {
    if (gone()) throw new Error(`the oracle ended: ${errors}`);
    return said.includes('running');
  });
  return {
    child,
    async pause() {
      const before = said.length;
      child.stdin.write('pause\n');
      await until('everything is confirmed', () => gone() || said.slice(before).includes('paused'));
      if (gone()) throw new Error(`the oracle ended: ${errors}`);
    },
    resume: () => void child.stdin.write('resume\n'),
    async finish() {
      child.stdin.write('end\n');
      await ended;
      const closed = said.find((line) => line.startsWith('closed '));
      if (closed === undefined) throw new Error(`the oracle ended: ${errors}`);
      return Number(closed.slice('closed '.length));
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

type Counts = readonly [packets: number, bytes: number];

interface Message {
  readonly packets: number;
  readonly bytes: number;
  readonly transactions: number;
  readonly flows: Readonly<Record<string, Counts>>;
  confirmed: boolean;
}

/** Messages by `probe epoch partition`, then by sequence. */
export type Obligations = ReadonlyMap<string, ReadonlyMap<number, Message>>;

type Line =
  | readonly ['p', string, number, number, number, number, number, Record<string, Counts>]
  | readonly ['c', string, number, number];

/** Read what oracles wrote, by probe; a last line that a kill tore is passed over. */
export function readObligations(logs: Readonly<Record<string, string>>): Obligations {
  const streams = new Map<string, Map<number, Message>>();
  for (const [probe, log] of Object.entries(logs)) {
    for (const text of readFileSync(log, 'utf8').split('\n')) {
      const line = parseLine(text);
      if (!line) continue;
      const key = `${probe} ${line[1]} ${line[2]}`;
      const stream = streams.get(key) ?? new Map<number, Message>();
      streams.set(key, stream);
      if (line[0] === 'p') {
        const [, , , sequence, packets, bytes, transactions, flows] = line;
        stream.set(sequence, { packets, bytes, transactions, flows, confirmed: false });
      } else {
        const message = stream.get(line[3]);
        if (!message) throw new Error(`confirmed and never published: ${text}`);
        message.confirmed = true;
      }
    }
  }
  return streams;
}

function parseLine(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}

export type Ask = (sql: string) => Promise<Record<string, string>[]>;

/** Asks a ClickHouse server's database over HTTP; numbers come as text. */
export function asking(url: string, database = 'netspectra'): Ask {
  const settings = 'output_format_json_quote_64bit_integers=1&default_format=JSONEachRow';
  return async (sql) => {
    const answer = await fetch(`${url}/?database=${database}&${settings}`, { method: 'POST', body: sql });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const row = JSON.parse(line) as Record<string, unknown>;
        return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)]));
      });
  };
}

const ofStream = `concat(probe, ' ', toString(epoch), ' ', toString(partition))`;
/** The lesser end, the greater end, the protocol: both directions of a flow, whoever was taken for the client. */
const client = `concat(hex(client_ip), ':', toString(client_port))`;
const server = `concat(hex(server_ip), ':', toString(server_port))`;
const flow = `concat(least(${client}, ${server}), ' ', greatest(${client}, ${server}), ' ', toString(protocol))`;

const countsOf = (packets: string, bytes: string): string =>
  `concat(toString(sum(${packets})), ' packets, ', toString(sum(${bytes})), ' bytes')`;

export interface Verdict {
  /** what is wrong, a line each; none = everything is in the store, once */
  readonly problems: readonly string[];
  /** what was published, confirmed and stored, so that a test sees that there was something */
  readonly published: number;
  readonly confirmed: number;
  readonly stored: number;
  readonly packets: number;
}

/**
 * Compare the store with the obligations, stream for stream, to the packet and byte.
 * @param sinceEpoch older epochs are not looked at
 */
export async function judge(ask: Ask, all: Obligations, sinceEpoch = 0n): Promise<Verdict> {
  const obligations = new Map([...all].filter(([key]) => BigInt(key.split(' ')[1]!) >= sinceEpoch));
  const where = `epoch >= ${sinceEpoch}`;
  const problems: string[] = [];
  const covered = await coveredOf(ask, obligations, where, problems);
  const expected = {
    probe_stats: new Map<string, string>(),
    flows: new Map<string, string>(),
    traffic: new Map<string, string>(),
    dns: new Map<string, string>(),
  };
  const byFlow = new Map<string, string>();
  let packetsStored = 0;
  for (const [key, sequences] of covered) {
    const sums = { packets: 0, bytes: 0, transactions: 0 };
    const flows = new Map<string, [number, number]>();
    for (const sequence of sequences) {
      const message = obligations.get(key)?.get(sequence);
      if (!message) continue; // told already
      sums.packets += message.packets;
      sums.bytes += message.bytes;
      sums.transactions += message.transactions;
      for (const [name, [packets, bytes]] of Object.entries(message.flows)) {
        const [p, b] = flows.get(name) ?? [0, 0];
        flows.set(name, [p + packets, b + bytes]);
      }
    }
    packetsStored += sums.packets;
    const both = `${sums.packets} packets, ${sums.bytes} bytes`;
    expected.probe_stats.set(key, both);
    if (sums.packets > 0) for (const table of ['flows', 'traffic'] as const) expected[table].set(key, both);
    if (sums.transactions > 0) expected.dns.set(key, `${sums.transactions} queries, ${sums.transactions} responses`);
    for (const [name, [packets, bytes]] of flows) byFlow.set(`${key} ${name}`, `${packets} packets, ${bytes} bytes`);
  }
  const counts = countsOf('packets', 'bytes');
  const flowCounts = countsOf('client_packets + server_packets', 'client_bytes + server_bytes');
  const transactions = `concat(toString(sum(queries)), ' queries, ', toString(sum(responses)), ' responses')`;
  const compare = async (what: string, table: string, key: string, value: string, wanted: Map<string, string>) => {
    const rows = await ask(`SELECT ${key} AS key, ${value} AS value FROM ${table} WHERE ${where} GROUP BY key`);
    const found = new Map(rows.map((row) => [row['key']!, row['value']!]));
    for (const name of new Set([...wanted.keys(), ...found.keys()])) {
      const [is, should] = [found.get(name) ?? 'nothing', wanted.get(name) ?? 'nothing'];
      if (is !== should) problems.push(`${what} of ${name}: ${is} stored, ${should} published`);
    }
  };
  await compare('accounts', 'probe_stats', ofStream, counts, expected.probe_stats);
  await compare('flows', 'flows', ofStream, flowCounts, expected.flows);
  await compare('traffic', 'traffic', ofStream, counts, expected.traffic);
  await compare('DNS', 'dns', ofStream, transactions, expected.dns);
  await compare('a flow', 'flows', `concat(${ofStream}, ' ', ${flow})`, flowCounts, byFlow);
  // Rollups know no epochs: they say what the flows say.
  const sums = async (table: string): Promise<string> => {
    const [row] = await ask(`SELECT ${flowCounts} AS value FROM ${table}`);
    return row!['value']!;
  };
  const ofFlows = await sums('flows');
  for (const rollup of ['flows_1m', 'flows_1h']) {
    const found = await sums(rollup);
    if (found !== ofFlows) problems.push(`${rollup}: ${found}, and in flows ${ofFlows}`);
  }
  const messages = [...obligations.values()].flatMap((stream) => [...stream.values()]);
  return {
    problems,
    published: messages.length,
    confirmed: messages.filter(({ confirmed }) => confirmed).length,
    stored: [...covered.values()].reduce((sum, sequences) => sum + sequences.size, 0),
    packets: packetsStored,
  };
}

/** Which sequences the accounting rows cover; tells of those that are there twice, not at all, or from nowhere. */
async function coveredOf(
  ask: Ask,
  obligations: Obligations,
  where: string,
  problems: string[],
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const covered = new Map<string, Set<number>>();
  const stretches = await ask(
    `SELECT ${ofStream} AS key, first_seq AS first, last_seq AS last FROM probe_stats WHERE ${where}
      ORDER BY key, first, last`,
  );
  for (const { key, first, last } of stretches) {
    const of = covered.get(key!) ?? new Set<number>();
    covered.set(key!, of);
    for (let sequence = Number(first); sequence <= Number(last); sequence += 1) {
      if (of.has(sequence))
        problems.push(`message ${sequence} of ${key}: in two stretches, one is ${first} to ${last}`);
      if (!obligations.get(key!)?.has(sequence)) problems.push(`message ${sequence} of ${key}: was never published`);
      of.add(sequence);
    }
  }
  for (const [key, messages] of obligations)
    for (const [sequence, { confirmed }] of messages)
      if (confirmed && covered.get(key)?.has(sequence) !== true)
        problems.push(`message ${sequence} of ${key}: confirmed and not stored`);
  return covered;
}
