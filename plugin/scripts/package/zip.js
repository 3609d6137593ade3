/** Zip archives of which the same input makes the same bytes: names sorted, one time for all, modes said. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import yazl from 'yazl';

/**
 * Write an archive.
 * @param {string} path
 * @param {readonly { name: string, from?: string, text?: string, mode: number }[]} entries a file's path or its content, and
 *   the mode that unzip gives it
 * @param {string} day of all entries, YYYY-MM-DD: zip knows no time zone, so no time finer than that is the same everywhere
 * @returns {Promise<void>}
 */
export async function writeZip(path, entries, day) {
  const [year, month, date] = day.split('-').map(Number);
  const archive = new yazl.ZipFile();
  for (const { name, from, text, mode } of [...entries].sort(byName)) {
    const options = { mtime: new Date(year, month - 1, date), mode: 0o100000 | mode, forceDosTimestamp: true };
    if (text === undefined) archive.addFile(from, name, options);
    else archive.addBuffer(Buffer.from(text), name, options);
  }
  archive.end();
  await pipeline(archive.outputStream, createWriteStream(path));
}

/** By code units: no locale has a say. */
const byName = (a, b) => (a.name < b.name ? -1 : 1);
