/**
 * The browser specs as tests of `npm test`: Playwright runs them once, and each is a test here, so that one report has them
 * all. `npm run test:browser` runs Playwright by itself.
 */
import { spawn } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { owned, repository } from '../integration/process.js';
import { chromiumPath } from './chromium.js';

interface Suite {
  readonly file: string;
  readonly title: string;
  readonly specs: readonly {
    readonly id: string;
    readonly title: string;
    readonly ok: boolean;
    readonly tests: readonly {
      readonly results: readonly { readonly errors: readonly { readonly message: string }[] }[];
    }[];
  }[];
  readonly suites?: readonly Suite[];
}

interface Report {
  readonly suites: readonly Suite[];
  /** what went wrong outside of specs */
  readonly errors: readonly { readonly message: string }[];
}

/** Run Playwright; the specs' processes are those of its global setup, which it ends. */
function playwright(...args: string[]): Promise<Report> {
  const program = 'node_modules/@playwright/test/cli.js';
  const child = owned(
    spawn(process.execPath, [program, 'test', '--reporter=json', ...args], {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  let output = '';
  let mistakes = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (mistakes += text));
  return new Promise((resolve, reject) => {
    child.on('close', () => {
      try {
        resolve(JSON.parse(output.slice(output.indexOf('{'))) as Report);
      } catch {
        reject(new Error(`Playwright gave no report: ${mistakes || output}`));
      }
    });
  });
}

interface Outcome {
  readonly id: string;
  readonly name: string;
  readonly ok: boolean;
  readonly errors: readonly string[];
}

const specsOf = ({ title, specs, suites = [] }: Suite): Outcome[] => [
  ...specs.map((spec) => ({
    id: spec.id,
    name: `${title}: ${spec.title}`,
    ok: spec.ok,
    errors: spec.tests.flatMap(({ results }) => results.flatMap(({ errors }) => errors.map(({ message }) => message))),
  })),
  ...suites.flatMap(specsOf).map((inner) => ({ ...inner, name: `${title} › ${inner.name}` })),
];

if (chromiumPath === undefined) console.warn('No Chromium on this machine: the browser specs are left out.');
const listed = chromiumPath === undefined ? [] : (await playwright('--list')).suites.flatMap(specsOf);

/** More than the suite ever took, on two cores that are busy with other tests. */
const suiteMs = 600_000;

describe.runIf(chromiumPath !== undefined)('in a browser', () => {
  let outcomes: ReadonlyMap<string, Outcome>;

  beforeAll(async () => {
    const { suites, errors } = await playwright();
    expect(errors).toEqual([]);
    outcomes = new Map(suites.flatMap(specsOf).map((outcome) => [outcome.id, outcome]));
  }, suiteMs);

  test('there are specs', () => expect(listed.length).toBeGreaterThan(0));

  for (const { id, name } of listed)
    test(name, () => {
      const { ok, errors } = outcomes.get(id) ?? { ok: false, errors: ['it did not run'] };
      expect(errors).toEqual([]);
      expect(ok).toBe(true);
    });
});
