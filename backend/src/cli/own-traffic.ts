/**
 * The probe's own connection to the bus, as a filter: captured, each message would be packets that make another message.
 */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

const natsPort = 4222;
/** a server's name with more addresses than this is filtered by the first ones */
const addressesMax = 16;

/**
 * What keeps packets between this machine and the servers, in the filter language; '' when none of them can pass the
 * interfaces. Names are looked up once: who moves a server to another address starts its probes anew.
 * @param servers `nats://host:port` or `tls://host:port`
 * @param interfaces those that are captured
 * @param unknown told of a server whose address or way cannot be found
 */
export async function ownTrafficFilter(
  servers: readonly string[],
  interfaces: readonly string[],
  unknown: (server: string) => void,
): Promise<string> {
  const terms = new Set<string>();
  for (const server of servers) {
    try {
      for (const term of await termsOf(server, interfaces)) terms.add(term);
    } catch {
      unknown(server);
    }
  }
  return [...terms].join(' or ');
}

async function termsOf(server: string, interfaces: readonly string[]): Promise<string[]> {
  const { hostname, port } = new URL(server.replace(/^[a-z]+:/, 'http:'));
  // An address that is not written with its scheme's own port has NATS's.
  const number = Number(port) || (/:80$/.test(server) ? 80 : natsPort);
  const host = hostname.replace(/^\[|\]$/g, '');
  const found = isIP(host) ? [{ address: host }] : await lookup(host, { all: true });
  const terms: string[] = [];
  for (const { address } of found.slice(0, addressesMax)) {
    const local = await localAddress(address, number);
    if (local === undefined || !passes(local === address, interfaces)) continue;
    const ends = local === address ? `host = ${address}` : `host = ${address} and host = ${local}`;
    terms.push(`(${ends} and protocol = tcp and port = ${number})`);
  }
  return terms;
}

/** What this machine says to itself passes `lo` only. What goes out may pass any other: bridges, bonds, mirrors of a port. */
const passes = (toItself: boolean, interfaces: readonly string[]): boolean =>
  interfaces.some((name) => name === 'any' || isLoopback(name) === toItself);

const isLoopback = (name: string): boolean =>
  networkInterfaces()[name]?.some(({ internal }) => internal) ?? name === 'lo';

/** The address from which this machine reaches another; nothing is sent to find it. undefined: there is no way. */
function localAddress(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
    const done = (local?: string): void => {
      socket.close();
      resolve(local);
    };
    socket.once('error', () => done());
    socket.connect(port, address, () => done(socket.address().address));
  });
}
