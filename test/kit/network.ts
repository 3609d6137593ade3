/**
 * A cable for tests: a veth pair, one end in a network namespace of its own, from which tcpreplay sends; the other end in
 * the test's namespace, where nothing but what was sent arrives. Needs root, `ip` and tcpreplay.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const works = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;

/** Whether cables can be made here. */
export const hasCables =
  process.getuid?.() === 0 &&
  spawnSync('tcpreplay', ['--version']).error === undefined &&
  (() => {
    const name = `nsprobe${process.pid}`;
    const made = works('ip', 'link', 'add', `${name}`, 'type', 'veth', 'peer', 'name', `${name}x`);
    if (made) works('ip', 'link', 'del', name);
    return made;
  })();

function ip(...args: string[]): void {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** How fast to send: packets or megabits a second; neither = as fast as it goes. */
export interface SendOptions {
  readonly packetsPerSecond?: number;
  readonly megabitsPerSecond?: number;
  /** how often the file is sent, 1 unless given */
  readonly times?: number;
  /** load the file before sending, so that it can be sent fast */
  readonly preload?: boolean;
}

export interface Cable {
  /** name of the end to capture */
  readonly interface: string;
  /** name of the namespace the other end is in */
  readonly namespace: string;
  /** Send a capture file. The returned promise ends with tcpreplay and gives how many packets it sent. */
  send(file: string, options?: SendOptions): Promise<number>;
  /** Set the end to capture up or down. */
  setUp(up: boolean): void;
  /** Take the cable away; also in the middle of sending. */
  remove(): void;
}

/** Packets that this machine's receive queues had no room for so far; they come to no socket and are in no count of one. */
export const backlogDrops = (): number =>
  readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1]!, 16), 0);

let cables = 0;

/** @returns a cable that is up on both ends */
export function layCable(): Cable {
  cables += 1;
  const base = `nsp${process.pid}-${cables}`;
  const near = `${base}r`;
  const far = `${base}s`;
  const children = new Set<ChildProcess>();
  const remove = (): void => {
    for (const child of children) child.kill('SIGKILL');
    spawnSync('ip', ['link', 'del', near]);
    spawnSync('ip', ['netns', 'del', base]);
  };
  try {
    ip('netns', 'add', base);
    ip('link', 'add', near, 'mtu', '9000', 'type', 'veth', 'peer', 'name', far, 'netns', base);
    // Neither end says anything of its own: no IPv6 address, no ARP.
    ip('link', 'set', near, 'addrgenmode', 'none', 'arp', 'off');
    ip('-n', base, 'link', 'set', far, 'addrgenmode', 'none', 'arp', 'off', 'mtu', '9000');
    writeFileSync(`/proc/sys/net/ipv6/conf/${near}/disable_ipv6`, '1');
    ip('link', 'set', near, 'up');
    ip('-n', base, 'link', 'set', far, 'up');
  } catch (error) {
    remove();
    throw error;
  }
  return {
    interface: near,
    namespace: base,
    remove,
    setUp: (up) => ip('link', 'set', near, up ? 'up' : 'down'),
    send: (file, options) => send(base, far, file, options, children),
  };
}

function send(
  namespace: string,
  far: string,
  file: string,
  options: SendOptions = {},
  children: Set<ChildProcess>,
): Promise<number> {
  const { packetsPerSecond, megabitsPerSecond, times = 1, preload } = options;
  const speed =
    packetsPerSecond !== undefined
      ? [`--pps=${packetsPerSecond}`]
      : megabitsPerSecond !== undefined
        ? [`--mbps=${megabitsPerSecond}`]
        : ['--topspeed'];
  const args = ['netns', 'exec', namespace, 'tcpreplay', '-i', far, ...speed, `--loop=${times}`];
  if (preload) args.push('--preload-pcap');
  const child = spawn('ip', [...args, file], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let output = '';
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (output += piece.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      children.delete(child);
      const sent = /Successful packets:\s+(\d+)/.exec(output)?.[1];
      if (code === 0 && sent !== undefined) resolve(Number(sent));
      else reject(new Error(`tcpreplay ended with ${code}: ${output}`));
    });
  });
}
