/** What docs/bus.md says each may do on the bus, as a nats-server's configuration: the table is what tests run with. */
import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../docs/bus.md', import.meta.url), 'utf8');

/** `permissions { … }` of a user, from the row of the table that begins so: `probe`, `engine`, `API`. */
export function rightsOf(who: string): string {
  const row = page.split('\n').find((line) => line.startsWith(`| ${who}`) && line.includes('`netspectra.'));
  if (row === undefined) throw new Error(`docs/bus.md has no rights of ${who}`);
  const [, , publish = '', subscribe = ''] = row.split('|');
  return `permissions { publish: ${subjectsIn(publish)}, subscribe: ${subjectsIn(subscribe)} }`;
}

/** The subjects in backticks, without what is in brackets. */
const subjectsIn = (cell: string): string =>
  JSON.stringify([...cell.replace(/\(.*?\)/g, '').matchAll(/`([^`]+)`/g)].map(([, subject]) => subject));
