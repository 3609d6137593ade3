/**
 * The command line. Every subcommand is a module of its own, loaded when it is called, so that `analyze` does not pay for
 * a database it does not use.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but the input was damaged. Only data goes to stdout.
 */
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { fail } from './fail.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

function speed(text: string): number {
  const value = Number(text.replace(/x$/, ''));
  if (!Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError('Expected a speed above 0, for example 1 (real time) or 10x.');
  }
  return value;
}

/**
 * A probe runs beside what it watches: at the defaults, V8 keeps 32 MB for young objects once loading the modules has filled
 * them, and lets the others double before it looks for garbage. Flags of the process; what is loaded later and threads feel
 * them. docs/benchmarks.md, "probe", has what they save.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--max-semi-space-size=1');
  setFlagsFromString('--optimize-for-size');
}

/**
 * An engine's threads have a core each. V8 would collect their garbage bit by bit, with four more threads, which takes more time from
 * them than it saves: most of what dies are buffers, and for their sake the whole heap is gone through several times a second.
 * docs/benchmarks.md, "cluster", has what this saves.
 */
const engineFlags = ['--single-threaded-gc', '--no-incremental-marking', '--heap-growing-percent=100'];

/** Build the program; the actions set `process.exitCode`. */
function program(): Command {
  const top = new Command('netspectra')
    .description('Network traffic monitoring: captures in, flows, answers and dashboards out')
    .version(version)
    .exitOverride();

  top
    .command('analyze')
    .argument('<file...>', 'capture files: pcap or pcapng, also gzip or zstd; - reads standard input')
    .description('Analyse capture files offline, without a database')
    .addOption(new Option('--format <format>', 'output').choices(['text', 'json']).default('text'))
    .option('--top <count>', 'entries of each list', wholeNumber(1, 10_000), 10)
    .option('--workers <count>', 'threads; default: one per core, one alone for small files', wholeNumber(1, 64))
    .option(
      '--max-flows <count>',
      'most flows kept; the smallest beyond fold into "other"',
      wholeNumber(1024, 100_000_000),
    )
    .action(async (files: string[], options) => {
      // Before the modules of its own are loaded: the threads load theirs meanwhile.
      const { warmAnalyzeThreads } = await import('./analyze-threads.js');
      warmAnalyzeThreads(files, options.workers);
      const { analyze } = await import('./analyze.js');
      process.exitCode = await analyze(files, options);
    });

  top
    .command('up')
    .description('Everything in one process: read or capture, keep it in the embedded database, serve the API')
    .option('--read <file...>', 'capture files to read, in order; default: the sample capture that comes along')
    .option('--interface <name...>', 'interfaces to capture instead; any = all')
    .option('--data <dir>', 'data folder; default: storage.data_dir of the configuration')
    .option('--config <file>', 'configuration file; default: netspectra.yaml if there is one')
    .option('--listen <address>', 'API address, host:port; default: api.listen of the configuration')
    .option('--replay <speed>', 'read as fast as the packets came: 1 = real time, 10x = ten times as fast', speed)
    .option('--once', 'end when the files are read, instead of going on serving')
    .option('--again', 'read files that are in the store already once more, under a new name')
    .action(async (options) => {
      const { up } = await import('./up.js');
      process.exitCode = await up(options);
    });

  top
    .command('api')
    .description('Serve the API alone, over a ClickHouse server (storage.clickhouse.url)')
    .option('--config <file>', 'configuration file; default: netspectra.yaml if there is one')
    .option('--listen <address>', 'API address, host:port; default: api.listen of the configuration')
    .action(async (options) => {
      const { serveApi } = await import('./api.js');
      process.exitCode = await serveApi(options);
    });

  top
    .command('probe')
    .description('Capture interfaces, or read a capture file, and publish the packets to the bus (NATS)')
    .addOption(
      new Option('--mode <mode>', 'probe captures and publishes, sub prints what is published')
        .choices(['probe', 'sub'])
        .default('probe'),
    )
    .option(
      '--interface <name...>',
      'interfaces to capture; any = all; default: capture.interfaces of the configuration',
    )
    .option('--read <file>', 'publish a capture file instead; - reads standard input')
    .option('--filter <filter>', 'what to keep, in the filter language; default: capture.filter of the configuration')
    .option('--packets', 'sub: a line for each packet instead of one for each message')
    .option('--all', 'sub: begin with what the bus still holds, instead of what comes now')
    .option('--config <file>', 'configuration file; default: netspectra.yaml if there is one')
    .option(
      '--listen <address>',
      'address of /metrics, /healthz and /readyz, host:port; default: probe.listen of the configuration',
    )
    .action(async (options) => {
      keepHeapSmall();
      const { probe } = await import('./probe.js');
      process.exitCode = await probe(options);
    });

  top
    .command('engine')
    .description('Take packets from the bus (NATS), count them, and write to a ClickHouse server')
    .option('--config <file>', 'configuration file; default: netspectra.yaml if there is one')
    .option(
      '--listen <address>',
      'address of /metrics, /healthz and /readyz, host:port; default: engine.listen of the configuration',
    )
    .action(async (options) => {
      const { restartWith } = await import('@netspectra/collector/probe');
      await restartWith(engineFlags);
      const { engine } = await import('./engine.js');
      process.exitCode = await engine(options);
    });

  const config = top.command('config').description('Check or show the configuration');
  config
    .command('check')
    .description('Say whether the configuration is right; exit code 2 if not')
    .option('--config <file>', 'configuration file; default: netspectra.yaml if there is one')
    .action(async (options) => {
      const { checkConfig } = await import('./config-command.js');
      process.exitCode = await checkConfig(options.config);
    });
  config
    .command('print')
    .description('Print the configuration in force: defaults, file and environment together, secrets masked')
    .option('--config <file>', 'configuration file; default: netspectra.yaml if there is one')
    .option('--schema', 'print the JSON Schema for editors instead')
    .action(async (options) => {
      const { showConfig } = await import('./config-command.js');
      process.exitCode = await showConfig(options.config, Boolean(options.schema));
    });
  config
    .command('schema-sql')
    .description('Print the statements that make the tables of the configured ClickHouse server or cluster')
    .option('--config <file>', 'configuration file; default: netspectra.yaml if there is one')
    .action(async (options) => {
      const { showSchemaSql } = await import('./config-command.js');
      process.exitCode = await showSchemaSql(options.config);
    });
  oneLineErrors(top, 'netspectra');
  return top;
}

/** A usage error in one line: what is wrong, what was meant perhaps, and where to read how it is done. */
function oneLineErrors(command: Command, name: string): void {
  command.configureOutput({
    outputError: (text, write) => {
      const [what = '', ...hints] = text
        .replace(/^error: /, '')
        .trim()
        .split(/\s*\n\s*/);
      const meant = hints.map((hint) => ` ${hint}`).join('');
      write(`netspectra: ${what.replace(/\.$/, '')}${meant}; see ${name} --help\n`);
    },
  });
  for (const each of command.commands) oneLineErrors(each, `${name} ${each.name()}`);
}

/** Run the command line. Sets process.exitCode; never rejects. */
export async function main(argv: readonly string[]): Promise<void> {
  // A reader that went away (| head) is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  try {
    await program().parseAsync(argv as string[]);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else process.exitCode = fail(error);
  }
}
