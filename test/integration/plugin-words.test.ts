/** What the app tells people to type is there to be typed. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository, run } from './process.js';

const folder = join(repository, 'plugin/src/app');
const text = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /(?<!\.test)\.tsx?$/.test(name))
  .map((name) => readFileSync(join(folder, name), 'utf8'))
  .join('\n');
const commands = [...text.matchAll(/netspectra ([a-z]+)((?: --[a-z]+(?: [\w./-]+)?)+)/g)];

test('the app names commands', () => expect(commands.length).toBeGreaterThan(1));

test.each(commands.map(([whole, command, options]) => [whole, command!, options!.match(/--[a-z]+/g)!] as const))(
  '%s: the command and its options exist',
  async (_whole, command, options) => {
    const { stdout, code } = await run([command, '--help']);
    expect(code).toBe(0);
    for (const option of options) expect(stdout).toMatch(new RegExp(`^ *${option}\\b`, 'm'));
  },
);
