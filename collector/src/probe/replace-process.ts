/**
 * Starts this process anew with other flags of V8: the same process id, arguments, environment and standard streams. Some flags
 * cannot change while V8 runs (and end the process if they do), and whoever starts `netspectra` should not have to know them.
 */

// fcntl.h
const setDescriptorFlags = 2;
const standardStreams = [0, 1, 2];

/**
 * Does not return when it works, so nothing may have been begun yet. Where the flags are set already, or cannot be (no Linux,
 * a parent that talks over Node's channel, a system that forbids it), the process goes on as it is.
 *
 * @param flags V8's, as on the command line of `node`
 */
export async function restartWith(flags: readonly string[]): Promise<void> {
  const missing = flags.filter((flag) => !process.execArgv.includes(flag));
  if (missing.length === 0 || process.platform !== 'linux' || process.send) return;
  const { execPath, execArgv, argv } = process;
  try {
    const { default: koffi } = await import('koffi');
    const library = koffi.load(null);
    const control = library.func('int fcntl(int descriptor, int command, ...)');
    const execute = library.func('int execv(const char *path, const char **arguments)');
    // Node has them closed for whatever it starts.
    for (const stream of standardStreams) control(stream, setDescriptorFlags, 'int', 0);
    execute(execPath, [execPath, ...execArgv, ...missing, ...argv.slice(1), null]);
  } catch {
    // It goes on, and takes more of the processor.
  }
}
