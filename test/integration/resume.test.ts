/**
 * A flush that was cut off must be repeated exactly: same stretch, same sums. Only then do its deduplication tokens mean
 * what they name. The writer here dies in the middle of one; the next run is told, as `up` tells it from the store.
 */
import { openCaptureFile } from '@netspectra/collector';
import { expect, it } from 'vitest';
import { Manager } from '../../backend/src/engine/manager.js';
import type { ResumePoint } from '../../backend/src/engine/manager.js';
import { allTasks } from '../../backend/src/engine/tasks/index.js';
import type { Flush, Writer } from '../../backend/src/tables/index.js';
import { sampleCapture } from './process.js';

const workers = 2;

async function runInto(writer: Writer, flushCaptureBytes: number, resume?: ResumePoint): Promise<void> {
  const manager = new Manager(
    {
      probe: 'test',
      workers,
      chunkBytes: 8192,
      chunkRows: 64,
      maxFlows: 100_000,
      idleTimeoutSeconds: 60,
      counterWindowSeconds: 1,
      flowWindowSeconds: 10,
      sketchWindowSeconds: 60,
      report: false,
      reportTop: 0,
      flushCaptureBytes,
      flushRowBytes: 1e9,
      flushMilliseconds: 1e9,
      fragmentsMax: 1024,
      replaySpeed: 0,
      tasks: allTasks(),
    },
    writer,
  );
  const capture = await openCaptureFile(sampleCapture);
  await manager.run({ capture, name: 'sample', epoch: 7n, ...(resume && { resume }) });
}

const text = new TextDecoder();
/** Rows of a table in a flush, sorted. */
const rowsOf = (flush: Flush, table: string): string[] =>
  text
    .decode(flush.blocks.find((block) => block.table === table)?.bytes)
    .split('\n')
    .filter((line) => line !== '')
    .sort();
const named = ({ partition, firstSeq, lastSeq }: Flush): string => `${partition}:${firstSeq}-${lastSeq}`;

it('repeats a flush that was cut off, whatever would make flushes now', async () => {
  const first: Flush[] = [];
  const dying: Writer = {
    async write(flush) {
      first.push(flush);
      if (first.length === 3 * workers) throw new Error('the store went away');
    },
    async close() {},
  };
  await expect(runInto(dying, 50_000)).rejects.toThrow('the store went away');
  const committed = first[2 * workers - 1]!;
  const cut = first.slice(2 * workers);
  expect(cut.map(named)).toEqual([
    `0:${committed.lastSeq + 1}-${cut[0]!.lastSeq}`,
    `1:${committed.lastSeq + 1}-${cut[0]!.lastSeq}`,
  ]);

  const position = Number(rowsOf(committed, 'probe_stats')[0]!.split('\t')[3]);
  // Flushes would come sooner now, or not at all: either way this one comes where it was.
  for (const flushCaptureBytes of [20_000, 1e9]) {
    const second: Flush[] = [];
    const writer: Writer = { write: async (flush) => void second.push(flush), close: async () => {} };
    await runInto(writer, flushCaptureBytes, { lastSeq: committed.lastSeq, position, flushAt: [cut[0]!.lastSeq] });
    expect(second.slice(0, workers).map(named)).toEqual(cut.map(named));
    cut.forEach((flush, i) => expect(rowsOf(second[i]!, 'traffic')).toEqual(rowsOf(flush, 'traffic')));

    // Both runs together hold every packet once.
    const packets = (flush: Flush): number => Number(rowsOf(flush, 'probe_stats')[0]!.split('\t')[7]);
    const sum = [...first.slice(0, 2 * workers), ...second].reduce((total, flush) => total + packets(flush), 0);
    expect(sum).toBe(1932);
  }
});
