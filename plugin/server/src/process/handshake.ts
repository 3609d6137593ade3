/**
 * The beginning of the plugin protocol (go-plugin, core protocol 1): what the host says by the environment, and the one
 * line on standard output by which it learns where the plugin listens.
 *
 *     1|2|unix|/tmp/plugin-3f2a|grpc|
 *
 * core protocol, application protocol, network, address, transport, certificate (none: the connection never leaves the
 * machine, and the host asks for none).
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ListenAddress {
  readonly network: 'unix' | 'tcp';
  /** path of a socket, or host:port (port 0: not known yet) */
  readonly address: string;
}

const coreProtocol = 1;
/** Of PLUGIN_PROTOCOL_VERSIONS; Grafana's backend plugins have been 2 since version 7. */
const applicationProtocol = 2;

/** sun_path has 108 bytes on Linux, 104 on macOS; Node.js cuts longer ones silently and listens somewhere else. */
const socketPathBytesMax = 100;

/** Why this process must not serve, as a sentence for people; undefined when it may. */
export function refusal(env: Environment): string | undefined {
  const type = env['grafana_plugin_type'];
  if (type !== 'datasource') {
    return 'This is the server side of the NetSpectra datasource. Grafana starts it; it is not meant to be run by hand. For development see --standalone.';
  }
  const versions = (env['PLUGIN_PROTOCOL_VERSIONS'] ?? String(applicationProtocol)).split(',');
  if (!versions.includes(String(applicationProtocol))) {
    return `The host speaks plugin protocol ${versions.join(', ')}; this plugin speaks ${applicationProtocol}.`;
  }
  if (env['PLUGIN_CLIENT_CERT']) {
    return 'The host asks for TLS between it and the plugin, which this plugin does not speak; Grafana does not ask for it.';
  }
  return undefined;
}

/** The line that tells the host where the plugin listens, with its end of line. */
export function handshakeLine({ network, address }: ListenAddress, env: Environment = {}): string {
  const fields = [coreProtocol, applicationProtocol, network, address, 'grpc', ''];
  // A host that could multiplex its broker asks, and wants an answer.
  if (env['PLUGIN_MULTIPLEX_GRPC'] !== undefined) fields.push('false');
  return `${fields.join('|')}\n`;
}

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where to listen: a Unix socket where there can be one, else a free port of loopback. */
export function chooseAddress(env: Environment, platform = process.platform): ListenAddress {
  const tcp = { network: 'tcp', address: '127.0.0.1:0' } as const;
  if (platform === 'win32') return tcp;
  const folder = env['PLUGIN_UNIX_SOCKET_DIR'] || tmpdir();
  const path = join(folder, `plugin${randomBytes(8).toString('hex')}`);
  if (Buffer.byteLength(path) > socketPathBytesMax || !writable(folder)) return tcp;
  return { network: 'unix', address: path };
}

/** Loopback ports to try, in the order to try them: the host's range (PLUGIN_MIN_PORT to PLUGIN_MAX_PORT), or any. */
export function portsToTry(env: Environment): number[] {
  const min = Number(env['PLUGIN_MIN_PORT']);
  const max = Number(env['PLUGIN_MAX_PORT']);
  if (!Number.isInteger(min) || !Number.isInteger(max) || min < 1 || max > 65_535 || max < min) return [0];
  const some = Array.from({ length: 20 }, () => min + Math.floor(Math.random() * (max - min + 1)));
  return [...some, 0];
}
