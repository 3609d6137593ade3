/** Names for what runs inside a flow: recognised from its bytes, else from the well-known port of either side. */
import { applicationNames } from './flow-table/index.js';
import { namesOf, nameOf, numberOf } from '@netspectra/query';

/** 1 where the port has a registered service name. */
const known = new Uint8Array(65_536);
const nameOfPort: string[] = [];
for (const word of namesOf('service')) {
  const port = numberOf('service', word)!;
  known[port] = 1;
  nameOfPort[port] = nameOf('service', port)!;
}

/**
 * A small number that stands for the application of a packet: the recognised one (1 .. 254), else 256 + the well-known
 * port (the server's first), else 0.
 */
export function applicationCode(recognised: number, serverPort: number, clientPort: number): number {
  if (recognised !== 0 && recognised !== 255) return recognised;
  if (known[serverPort] === 1) return 256 + serverPort;
  if (known[clientPort] === 1) return 256 + clientPort;
  return 0;
}

/** The name for an application code; '' when nothing is known. */
export function applicationName(code: number): string {
  return code < 256 ? (applicationNames[code] ?? '') : (nameOfPort[code - 256] ?? '');
}
