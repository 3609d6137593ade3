#!/usr/bin/env node
/**
 * Makes test/fixtures/loopback.pcap: real traffic of real programs between two network namespaces, joined by a veth
 * pair with an IPv4, an IPv6 and a VLAN network on it. `sudo node scripts/capture-loopback.js`; needs root, ip, ping,
 * ethtool, tcpdump and openssl; on a kernel without 802.1Q also python3 (lib/vlan-device.py tags instead). Addresses are documentation ranges, names are example.com, the certificate is made for the run.
 * Then `node scripts/make-sample.js` writes its expected results. Two runs differ in ports, times and keys.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const target = fileURLToPath(new URL('../test/fixtures/loopback.pcap', import.meta.url));
const program = (name) => fileURLToPath(new URL(`./lib/${name}.js`, import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'capture-loopback-'));
const client = `nsclient${process.pid}`;
const server = `nsserver${process.pid}`;

/** @param {string} command */
const run = (command) => execFileSync('/bin/sh', ['-ec', command], { stdio: ['ignore', 'pipe', 'inherit'] }).toString();

/** The child's output until it says the word. @param {import('node:child_process').ChildProcess} child @param {RegExp} word */
async function said(child, word, stream = child.stdout) {
  let text = '';
  await new Promise((resolve, reject) => {
    stream?.on('data', (chunk) => {
      text += chunk;
      if (word.test(text)) resolve(undefined);
    });
    child.once('exit', () => reject(new Error(`ended before it was ready: ${text}`)));
  });
}

/** @param {import('node:child_process').ChildProcess | undefined} child */
async function end(child) {
  if (!child || child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** @param {string} space @param {...string} command */
const inside = (space, ...command) =>
  spawn('ip', ['netns', 'exec', space, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });

/** @type {import('node:child_process').ChildProcess[]} */
const vlanDevices = [];

/** VLAN 110 on veth0: the kernel's own, or the one in user space. @param {string} space */
async function addVlan(space) {
  try {
    run(`ip -n ${space} link add link veth0 name veth0.110 type vlan id 110 2>/dev/null`);
  } catch {
    const device = inside(
      space,
      'python3',
      fileURLToPath(new URL('./lib/vlan-device.py', import.meta.url)),
      'veth0',
      '110',
      'veth0.110',
    );
    vlanDevices.push(device);
    device.stderr?.pipe(process.stderr);
    await said(device, /ready/);
  }
}

/** @type {import('node:child_process').ChildProcess | undefined} */
let servers;
/** @type {import('node:child_process').ChildProcess | undefined} */
let capture;
try {
  run(`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=secure.example.com \
    -keyout ${scratch}/key.pem -out ${scratch}/certificate.pem 2>/dev/null`);
  run(`ip netns add ${client}; ip netns add ${server}
    ip -n ${client} link add veth0 type veth peer name veth0 netns ${server}`);
  for (const [space, last] of /** @type {[string, number][]} */ ([
    [client, 1],
    [server, 2],
  ])) {
    // No offloads: packets as on a wire, with their checksums. Fixed documentation MAC addresses; no DAD wait.
    run(`ip netns exec ${space} ethtool -K veth0 tx off rx off gso off gro off tso off >/dev/null
      ip -n ${space} link set veth0 address 00:00:5e:00:53:0${last}
      ip -n ${space} link set lo up
      ip -n ${space} link set veth0 up
      ip -n ${space} addr add 192.0.2.${last}/24 dev veth0
      ip -n ${space} addr add 2001:db8:1::${last}/64 dev veth0 nodad`);
    await addVlan(space);
    run(`ip -n ${space} link set veth0.110 address 00:00:5e:00:53:0${last} mtu 1496
      ip -n ${space} link set veth0.110 up
      ip -n ${space} addr add 198.51.100.${last}/24 dev veth0.110`);
  }
  servers = inside(
    server,
    process.execPath,
    program('loopback-server'),
    `${scratch}/key.pem`,
    `${scratch}/certificate.pem`,
  );
  servers.stderr?.pipe(process.stderr);
  await said(servers, /ready/);
  capture = inside(
    client,
    'tcpdump',
    '-i',
    'veth0',
    '-U',
    '-s',
    '0',
    '--time-stamp-precision=nano',
    '-Z',
    'root',
    '-w',
    target,
  );
  await said(capture, /listening on/, capture.stderr);
  run(`ip netns exec ${client} ping -c 3 -i 0.2 -q 192.0.2.2
    ip netns exec ${client} ping -c 3 -i 0.2 -q 2001:db8:1::2
    ip netns exec ${client} ping -c 2 -i 0.2 -q -s 3000 192.0.2.2
    ip netns exec ${client} ping -c 2 -i 0.2 -q -s 3000 2001:db8:1::2
    ip netns exec ${client} ping -c 2 -i 0.2 -q 198.51.100.2`);
  run(`ip netns exec ${client} ${process.execPath} ${program('loopback-client')}`);
  run('sleep 1'); // the last packets pass through the capture's buffer
  console.log(`wrote ${target}`);
} finally {
  await end(capture);
  await end(servers);
  for (const device of vlanDevices) await end(device);
  for (const space of [client, server]) run(`ip netns del ${space} 2>/dev/null || true`);
  rmSync(scratch, { recursive: true, force: true });
}
