#!/usr/bin/env node
/**
 * Benchmarks: `npm run bench`, or `npm run bench -- SECTION... [options]`. Each section is a file in sections/ that
 * exports `run(options)` and answers with its limits met or missed. docs/benchmarks.md has method and results.
 *
 *   --check         a missed limit makes the exit code 1
 *   --turns N       measured turns of each program (default 5), after one to warm up
 *   --packets N     packets of the generated files (default 4,000,000)
 *   --flows A,B     flows of the generated files (default 10000,200000,2000000)
 *   --rows N        flow rows of the query section (default 10,000,000)
 *   --only A,B      only these dimensions in the query section, or parts (drain, two, latency, memory, streams) of the cluster's
 *   --peers-only    measure only the other programs
 *   --no-install    do not apt-get peers that are missing
 *   --json FILE     write the results there, too
 *
 * Exit codes: 0 ran (whatever the figures say), 1 could not run or, with --check, missed a limit, 2 wrong usage.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';

/** A benchmark section: one line here, one file in sections/. */
const sections = /** @type {Record<string, () => Promise<{ run: (options: any) => Promise<any> }>>} */ ({
  analyze: () => import('./sections/analyze.js'),
  query: () => import('./sections/query.js'),
  probe: () => import('./sections/probe.js'),
  cluster: () => import('./sections/cluster.js'),
});

function usage(message) {
  console.error(`bench: ${message}\nsections: ${Object.keys(sections).join(', ')}; options: see test/load/bench.js`);
  process.exit(2);
}

/** @returns {{ values: any, positionals: string[] }} */
function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        check: { type: 'boolean', default: false },
        turns: { type: 'string', default: '5' },
        packets: { type: 'string', default: '4000000' },
        flows: { type: 'string', default: '10000,200000,2000000' },
        rows: { type: 'string', default: '10000000' },
        only: { type: 'string' },
        'peers-only': { type: 'boolean', default: false },
        'no-install': { type: 'boolean', default: false },
        json: { type: 'string' },
      },
    });
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

/** What the machine is, for whoever reads the figures later. */
function machine() {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  let kernel = '';
  try {
    kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  } catch {
    // not Linux: the figures stand without it
  }
  return {
    processor: model,
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 1e9),
    kernel,
    node: process.version,
    load_before: Math.round(loadavg()[0] * 100) / 100,
  };
}

const { values, positionals } = commandLine();
const wanted = positionals.length > 0 ? positionals : Object.keys(sections);
for (const name of wanted) if (!Object.hasOwn(sections, name)) usage(`no section "${name}"`);
const number = (name) => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) usage(`--${name} takes a whole number above 0`);
  return value;
};
const flows = String(values.flows).split(',').map(Number);
if (flows.some((value) => !Number.isInteger(value) || value < 1))
  usage('--flows takes whole numbers, separated by commas');
const options = {
  turns: number('turns'),
  packets: number('packets'),
  flows,
  rows: number('rows'),
  only: values.only,
  peersOnly: values['peers-only'],
  install: !values['no-install'],
};

const about = machine();
console.log(
  `${about.processor}, ${about.cores} cores, ${about.memory_gb} GB, kernel ${about.kernel}, Node ${about.node}, ` +
    `load ${about.load_before}${about.load_before > 0.5 ? ' (not quiet: figures will be worse than they are)' : ''}`,
);
/** @type {Record<string, unknown>} */
const results = { machine: about };
let missed = 0;
try {
  for (const name of wanted) {
    console.log(`\n== ${name}`);
    const section = await sections[name]();
    const result = await section.run(options);
    results[name] = result;
    missed += result.missed;
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
  if (missed > 0) console.log(`\n${missed} limit${missed === 1 ? '' : 's'} missed`);
  process.exitCode = missed > 0 && values.check ? 1 : 0;
} catch (error) {
  console.error(`bench: could not run: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
