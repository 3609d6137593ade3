/**
 * Development: the developer runs the server on a port of his own (`backend.cjs --standalone`), under a debugger. It leaves
 * `standalone.txt` (its address) and `pid.txt` beside the executable; the executable that Grafana starts finds them, tells
 * Grafana that address, and waits. The convention is that of Grafana's Go SDK.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from './handshake.js';

const addressVariable = 'GF_PLUGIN_GRPC_ADDRESS_NETSPECTRA_DATASOURCE';
const loopbackAddress = /^(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}$/;

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
};

/** Address of a server that a developer runs, or undefined. @param folder where the executable stands */
export function standaloneAddress(folder: string, env: Environment): string | undefined {
  const given = env[addressVariable];
  if (given !== undefined && loopbackAddress.test(given)) return given;
  const address = read(join(folder, 'standalone.txt'));
  const pid = Number(read(join(folder, 'pid.txt')));
  if (address === undefined || !loopbackAddress.test(address)) return undefined;
  return Number.isInteger(pid) && pid > 0 && alive(pid) ? address : undefined;
}

/** Leave the two files; the result takes them away. */
export function announceStandalone(folder: string, address: string): () => void {
  const files = { 'standalone.txt': address, 'pid.txt': String(process.pid) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return () => {
    for (const name of Object.keys(files)) rmSync(join(folder, name), { force: true });
  };
}
