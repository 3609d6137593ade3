/** The command line: Grafana gives no arguments, developers `--standalone [--listen 127.0.0.1:50061]`. */

export interface Arguments {
  readonly standalone: boolean;
  /** host:port of loopback */
  readonly listen: string;
}

/** What the arguments ask for, or why they cannot be used. */
export function parseArguments(args: readonly string[]): Arguments | { readonly mistake: string } {
  let standalone = false;
  let listen = '127.0.0.1:50061';
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '--standalone') standalone = true;
    else if (args[i] === '--listen' && /^127\.0\.0\.1:\d{1,5}$/.test(args[i + 1] ?? '')) listen = args[(i += 1)] ?? '';
    else if (args[i] === '--listen') return { mistake: '--listen wants 127.0.0.1:<port>' };
    else return { mistake: `unknown argument ${args[i]}; there are --standalone and --listen 127.0.0.1:<port>` };
  }
  return { standalone, listen };
}
