/**
 * The server side of the NetSpectra datasource: the executable that Grafana starts. docs/grafana-backend.md tells what it
 * does; rpc/plugin-services.ts is where its parts are put together.
 */
import { realpathSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { InstanceCache } from './instances/cache.js';
import { Metrics } from './metrics.js';
import { parseArguments } from './process/arguments.js';
import { chooseAddress, handshakeLine, portsToTry, refusal } from './process/handshake.js';
import type { Environment, ListenAddress } from './process/handshake.js';
import { watchLifecycle } from './process/lifecycle.js';
import type { Lifecycle } from './process/lifecycle.js';
import { createLogger, interceptOutput } from './process/logger.js';
import { announceStandalone, standaloneAddress } from './process/standalone.js';
import { hostServices } from './rpc/host-services.js';
import { OpenCalls } from './rpc/open-calls.js';
import { pluginServices } from './rpc/plugin-services.js';
import { createServer } from './rpc/server.js';
import type { GrpcServer } from './rpc/server.js';

/** Say something to a person who started this by hand, and end. */
function giveUp(message: string): never {
  writeSync(2, `${message}\n`);
  process.exit(1);
}

/** A socket, or where that cannot be a port of loopback, of those the host would like. */
async function listen(
  server: GrpcServer,
  env: Environment,
  warn: (message: string, error: unknown) => void,
): Promise<ListenAddress> {
  const address = chooseAddress(env);
  if (address.network === 'unix') {
    try {
      return await server.listen(address);
    } catch (error) {
      warn('no Unix socket can be made; listening on loopback instead', error);
    }
  }
  const ports = portsToTry(env);
  for (const [i, port] of ports.entries()) {
    try {
      return await server.listen({ network: 'tcp', address: `127.0.0.1:${port}` });
    } catch (error) {
      if (i === ports.length - 1) throw error;
    }
  }
  throw new Error('there is no port to listen on');
}

async function serve(): Promise<void> {
  const { env } = process;
  const args = parseArguments(process.argv.slice(2));
  if ('mistake' in args) giveUp(args.mistake);
  const refused = args.standalone ? undefined : refusal(env);
  if (refused !== undefined) giveUp(refused);

  const logger = createLogger();
  interceptOutput(logger);
  const folder = dirname(realpathSync(process.argv[1] ?? '.'));
  const other = args.standalone ? undefined : standaloneAddress(folder, env);
  if (other !== undefined) {
    logger.info('a developer runs the datasource', { address: other });
    writeSync(1, handshakeLine({ network: 'tcp', address: other }, env));
    watchLifecycle({ logger, stop: async () => undefined });
    setInterval(() => undefined, 1 << 30);
    return;
  }

  const calls = new OpenCalls();
  const metrics = new Metrics();
  const instances = new InstanceCache();
  const services = {
    // Shutdown can only be called once the server listens, and that is after the lifecycle is there.
    ...hostServices(() => lifecycle.end('the host asked for it'), calls),
    ...pluginServices({ logger, metrics, calls }, instances),
  };
  const server = createServer(services);
  let leave = (): void => undefined;
  const lifecycle: Lifecycle = watchLifecycle(
    {
      logger,
      stop: async (graceMs) => {
        leave();
        calls.stop();
        await Promise.all([server.stop(graceMs), instances.closeAll(graceMs)]);
      },
    },
    !args.standalone,
  );
  if (args.standalone) {
    const { address } = await server.listen({ network: 'tcp', address: args.listen });
    leave = announceStandalone(folder, address);
    logger.info('the datasource listens for a Grafana on this machine', { address });
    return;
  }
  const address = await listen(server, env, (message, error) => logger.warn(message, { error }));
  writeSync(1, handshakeLine(address, env));
  logger.debug('the datasource listens', { address: address.address, node: process.version });
}

serve().catch((error: unknown) => giveUp(`The NetSpectra datasource could not start: ${String(error)}`));
