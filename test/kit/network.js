/**
 * A cable for tests and benches: a veth pair, one end in a network namespace of its own, from which tcpreplay sends; the other
 * end in this process's namespace, where nothing but what was sent arrives. Needs root, `ip` and tcpreplay. JavaScript, because
 * the benches run without a compiler.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** @param {string} command @param {...string} args */
const works = (command, ...args) => spawnSync(command, args).status === 0;

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

/** @param {...string} args */
function ip(...args) {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/**
 * How fast and how much to send: packets or megabits a second; neither = as fast as it goes.
 * `times`: how often the file is sent, 1 unless given. `packets`: end after so many.
 * `preload`: load the file before sending, so that it can be sent fast.
 * @typedef {{ readonly packetsPerSecond?: number, readonly megabitsPerSecond?: number, readonly times?: number,
 *   readonly packets?: number, readonly preload?: boolean }} SendOptions
 */

/** What tcpreplay says it did. @typedef {{ readonly packets: number, readonly packetsPerSecond: number }} Sent */

/**
 * @typedef {object} Cable
 * @property {string} interface name of the end to capture
 * @property {string} namespace name of the namespace the other end is in
 * @property {(file: string, options?: SendOptions) => Promise<number>} send
 *   Send a capture file. The returned promise ends with tcpreplay and gives how many packets it sent.
 * @property {(file: string, options?: SendOptions) => Promise<Sent>} replay the same, and how fast it was
 * @property {(up: boolean) => void} setUp Set the end to capture up or down.
 * @property {() => void} remove Take the cable away; also in the middle of sending.
 */

/**
 * Packets that this machine's receive queues had no room for so far; they come to no socket and are in no count of one.
 * @returns {number}
 */
export const backlogDrops = () =>
  readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1] ?? '', 16), 0);

let cables = 0;

/** @returns {Cable} a cable that is up on both ends */
export function layCable() {
  cables += 1;
  const base = `nsp${process.pid}-${cables}`;
  const near = `${base}r`;
  const far = `${base}s`;
  /** @type {Set<import('node:child_process').ChildProcess>} */
  const children = new Set();
  const remove = () => {
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
  /** @type {Cable['replay']} */
  const replay = (file, options) => tcpreplay(base, far, file, options, children);
  return {
    interface: near,
    namespace: base,
    remove,
    setUp: (up) => ip('link', 'set', near, up ? 'up' : 'down'),
    replay,
    send: async (file, options) => (await replay(file, options)).packets,
  };
}

/**
 * @param {string} namespace
 * @param {string} far
 * @param {string} file
 * @param {SendOptions | undefined} options
 * @param {Set<import('node:child_process').ChildProcess>} children
 * @returns {Promise<Sent>}
 */
function tcpreplay(namespace, far, file, options = {}, children) {
  const { packetsPerSecond, megabitsPerSecond, times = 1, packets, preload } = options;
  const speed =
    packetsPerSecond !== undefined
      ? [`--pps=${packetsPerSecond}`]
      : megabitsPerSecond !== undefined
        ? [`--mbps=${megabitsPerSecond}`]
        : ['--topspeed'];
  const args = ['netns', 'exec', namespace, 'tcpreplay', '-i', far, ...speed, `--loop=${times}`];
  if (packets !== undefined) args.push(`--limit=${packets}`);
  if (preload) args.push('--preload-pcap');
  const child = spawn('ip', [...args, file], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += String(piece)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      children.delete(child);
      const sent = /Successful packets:\s+(\d+)/.exec(output)?.[1];
      const rate = /([\d.]+) pps/.exec(output)?.[1];
      if (code === 0 && sent !== undefined) resolve({ packets: Number(sent), packetsPerSecond: Number(rate) });
      else reject(new Error(`tcpreplay ended with ${code}: ${output}`));
    });
  });
}
