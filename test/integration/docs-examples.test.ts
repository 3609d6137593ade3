/**
 * The shell examples of the pages run as they are printed. A block to be run stands behind `<!-- run -->`, with
 * `<!-- run: exit N -->` when it ends with N, and with `<!-- run: serving -->` when it asks a running `up`. `npx` and `npm start` call the
 * build of this checkout; a page's blocks run in order in one temporary folder.
 */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort, repository, sampleCapture, start, temporaryFolder, until } from './process.js';
import type { Ended, Started } from './process.js';

const folder = temporaryFolder();
const bin = join(folder.path, 'bin');
afterAll(() => folder.remove());

function command(name: string, text: string): void {
  writeFileSync(join(bin, name), text);
  chmodSync(join(bin, name), 0o755);
}

beforeAll(() => {
  mkdirSync(bin);
  const node = `"${process.execPath}"`;
  for (const name of ['netspectra', 'pcap-analyzer']) {
    command(name, `#!/bin/sh\nexec ${node} "${join(repository, 'backend/bin', `${name}.js`)}" "$@"\n`);
  }
  command('npx', '#!/bin/sh\nexec "$@"\n');
  command('npm', '#!/bin/sh\n[ "$1" = start ] || exit 9\nshift\n[ "$1" = -- ] && shift\nexec netspectra up "$@"\n');
  // Only what the examples use of curl, for machines without it: -s URL, -H 'name: value', -d body.
  const found = (process.env['PATH'] ?? '').split(':').some((path) => existsSync(join(path, 'curl')));
  if (found) return;
  writeFileSync(
    join(bin, 'curl.mjs'),
    `const { argv } = process;
const after = (flag) => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);
const [name, value] = (after('-H') ?? 'accept: */*').split(': ');
const body = after('-d');
const answer = await fetch(argv.find((each) => each.startsWith('http')), {
  headers: { [name]: value }, ...(body && { method: 'POST', body }),
});
process.stdout.write(await answer.text());
`,
  );
  command('curl', `#!/bin/sh\nexec ${node} "${join(bin, 'curl.mjs')}" "$@"\n`);
});

interface Example {
  readonly line: number;
  readonly text: string;
  /** what stands behind `run:` */
  readonly how: string;
}

function examplesOf(page: string): Example[] {
  const text = readFileSync(join(repository, page), 'utf8');
  return [...text.matchAll(/^<!-- run(?:: ([^>]+))? -->\n```sh\n([^]*?)^```$/gm)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    how: match[1] ?? '',
    text: match[2]!,
  }));
}

/** Run a script in a page's folder. Its own servers take free ports. */
function shell(text: string, cwd: string): Promise<Ended> {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, NETSPECTRA_API_LISTEN: '127.0.0.1:0' };
  const child = spawn('sh', ['-e', '-c', text], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (stdout += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (stderr += part));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

/** A folder that looks like a checkout to the examples. */
function pageFolder(name: string): string {
  const path = join(folder.path, name);
  mkdirSync(path);
  symlinkSync(join(repository, 'test'), join(path, 'test'));
  cpSync(sampleCapture, join(path, 'some.pcap'));
  return path;
}

let server: Started | null = null;
afterEach(async () => {
  server?.child.kill('SIGTERM');
  await server?.ended;
  server = null;
});

/** `up` on the sample capture, until all of it is read. @returns host:port of its API */
async function serving(): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`;
  server = start(['up', '--data', join(folder.path, `data-${address.slice(-5)}`), '--listen', address]);
  await until('the sample capture is read', () => server!.stderr().includes('"capture read"'));
  return address;
}

/** What a block that talks to a server printed: answers one after the other, none of them a problem. */
function expectAnswers({ code, stdout, stderr }: Ended): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).not.toContain('urn:netspectra:problem');
  expect(stdout).toMatch(/"values":\[\[/);
}

describe.each(['docs/analyze.md', 'docs/up.md', 'docs/storage.md'])('%s', (page) => {
  const cwd = (): string => join(folder.path, page.replace('/', '-'));
  beforeAll(() => void pageFolder(page.replace('/', '-')));

  it.each(examplesOf(page))('line $line $how', async ({ text, how }) => {
    if (how === 'serving') {
      const address = await serving();
      expectAnswers(await shell(text.replaceAll('127.0.0.1:8080', address), cwd()));
      return;
    }
    const { code, stderr } = await shell(text, cwd());
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({
      code: Number(/^exit (\d)$/.exec(how)?.[1] ?? 0),
      stderr: how === '' ? '' : stderr,
    });
  });

  it('has examples', () => {
    expect(examplesOf(page).length).toBeGreaterThan(page === 'docs/storage.md' ? 0 : 2);
  });
});

it('the message about a damaged file is the one on the page', async () => {
  const page = readFileSync(join(repository, 'docs/analyze.md'), 'utf8');
  const { stderr } = await shell(
    'npx netspectra analyze test/fixtures/damaged-cut-in-record.pcap',
    pageFolder('message'),
  );
  expect(page).toContain(stderr);
});

describe('README.md', () => {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, text]) => text!);
  const lines = blocks.join('').split('\n');

  it('its analyze commands', async () => {
    const commands = lines.filter((line) => line.startsWith('npx netspectra analyze'));
    expect(commands.length).toBeGreaterThan(1);
    const { code, stderr } = await shell(commands.join('\n'), pageFolder('readme'));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('npm start, also with a capture of one’s own', async () => {
    const starts = lines.filter((line) => line.startsWith('npm start'));
    expect(starts.length).toBeGreaterThan(1);
    const cwd = pageFolder('readme-start');
    for (const line of starts) {
      const { code, stderr } = await shell(`${line.includes(' -- ') ? line : `${line} --`} --once`, cwd);
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('API listens') });
    }
  });

  it('the question to the API', async () => {
    const question = blocks.find((block) => block.startsWith('curl'))!;
    expectAnswers(await shell(question.replaceAll('127.0.0.1:8080', await serving()), pageFolder('readme-question')));
  });
});
