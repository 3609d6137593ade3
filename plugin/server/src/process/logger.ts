/**
 * The log, in the form that Grafana reads from a plugin's standard error: one JSON object a line with `@level`, `@message`
 * and `@timestamp`, further keys as fields of the log line.
 *
 * **Every value is a string.** The host asserts the type of these three keys, and one that is a number or an object ends
 * Grafana itself. So there is one place that writes lines, this one, and whatever else the process would print (console,
 * warnings of Node.js, modules that write to a stream) goes through it as text. Lines stay below 64 KiB, where the host
 * would cut them in two. Callers pass no secrets; texts of errors are cut short.
 */
import { writeSync } from 'node:fs';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const textLengthMax = 4_000;
/** Each text of a line that is longer than `lineBytesMax` otherwise: UTF-8 makes three bytes of a character, escapes six. */
const shortLengthMax = 500;
const lineBytesMax = 60_000;
const fieldsMax = 16;

const cut = (text: string, length = textLengthMax): string =>
  text.length > length ? `${text.slice(0, length)}…` : text;

/** Any value as text. Never throws: what a getter or toString does is not known. */
export function textOf(value: unknown): string {
  try {
    if (typeof value === 'string') return cut(value);
    if (value instanceof Error) return cut(value.stack ?? `${value.name}: ${value.message}`);
    if (typeof value === 'object' && value !== null) return cut(JSON.stringify(value));
    return cut(String(value));
  } catch {
    return '(not printable)';
  }
}

/** One line of the log, with its end of line. */
export function logLine(level: LogLevel, message: unknown, fields: LogFields = {}, now = new Date()): string {
  // Go's form 2006-01-02T15:04:05.000000Z07:00: six decimals, where toISOString has three.
  const line: Record<string, string> = {
    '@level': level,
    '@message': textOf(message),
    '@timestamp': `${now.toISOString().slice(0, -1)}000Z`,
  };
  for (const [key, value] of Object.entries(fields).slice(0, fieldsMax)) {
    if (value !== undefined && !key.startsWith('@')) line[key.slice(0, 64)] = textOf(value);
  }
  const text = JSON.stringify(line);
  if (Buffer.byteLength(text) <= lineBytesMax) return `${text}\n`;
  const short = Object.entries(line).map(([key, value]) => [key, cut(value, shortLengthMax)]);
  return `${JSON.stringify(Object.fromEntries(short))}\n`;
}

/** Write all of it to standard error, now: what is logged before an exit must not be lost. */
function writeStderr(text: string): void {
  let rest = Buffer.from(text);
  // A host that reads slowly fills the pipe; a host that is gone breaks it. Neither may stop the plugin.
  for (let tries = 0; rest.length > 0 && tries < 1_000; tries += 1) {
    try {
      rest = rest.subarray(writeSync(2, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
    }
  }
}

/** The log, of all levels: Grafana writes those that it is set to. */
export function createLogger(): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void =>
      writeStderr(logLine(level, message, fields));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/**
 * Send everything that this process prints in other ways to the log: console, warnings, and whole lines written to the
 * standard streams. Standard output is the host's: after the handshake nothing may stand there.
 */
export function interceptOutput(logger: Logger): void {
  const line =
    (level: LogLevel) =>
    (...parts: unknown[]): void =>
      logger[level](parts.map(textOf).join(' '), { source: 'console' });
  const { console } = globalThis;
  Object.assign(console, {
    log: line('info'),
    info: line('info'),
    debug: line('debug'),
    trace: line('debug'),
    dir: line('debug'),
    warn: line('warn'),
    error: line('error'),
  });
  const written = (source: string) =>
    ((chunk: unknown, ...more: unknown[]): boolean => {
      logger.debug(chunk instanceof Uint8Array ? Buffer.from(chunk).toString('utf8') : textOf(chunk), { source });
      const done = more.find((argument) => typeof argument === 'function') as (() => void) | undefined;
      done?.();
      return true;
    }) as typeof process.stdout.write;
  process.stdout.write = written('stdout');
  process.stderr.write = written('stderr');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => logger.warn(warning.message, { source: warning.name }));
}
