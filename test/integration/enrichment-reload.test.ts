/** A database that changes while the engine works: rows after the change say what the new one says, in every thread. */
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { openCaptureStream } from '@netspectra/collector';
import { expect, it } from 'vitest';
import { Manager } from '../../backend/src/engine/manager.js';
import { allTasks } from '../../backend/src/engine/tasks/index.js';
import type { EnrichmentData } from '../../backend/src/enrichment/index.js';
import { tables } from '../../backend/src/tables/index.js';
import type { Flush, Writer } from '../../backend/src/tables/index.js';
import { sampleCapture } from './process.js';

const named = (name: string): EnrichmentData => ({
  networks: [{ name, cidr: ['::/0'], local: true }],
  country: null,
  asn: null,
});

/** Keeps the network names of flow rows, by partition, and tells when a flush came. */
class Gatherer implements Writer {
  readonly names = new Map<number, Set<string>>();
  packets = 0;
  onWrite: () => void = () => undefined;

  async write(flush: Flush): Promise<void> {
    for (const block of flush.blocks) {
      const columns = tables[block.table].rowColumns.map((column) => column.name);
      const rows = new TextDecoder().decode(block.bytes).trimEnd().split('\n');
      for (const row of rows.map((line) => line.split('\t'))) {
        if (block.table === 'probe_stats') this.packets += Number(row[columns.indexOf('packets')]);
        if (block.table !== 'flows') continue;
        const names = this.names.get(flush.partition) ?? new Set();
        names.add(row[columns.indexOf('server_network')]!);
        this.names.set(flush.partition, names);
      }
    }
    this.onWrite();
  }
  async close(): Promise<void> {
    // Nothing is open.
  }
}

it('takes effect at the next flush', async () => {
  const sample = readFileSync(sampleCapture);
  const header = sample.subarray(0, 24);
  const records = sample.subarray(24);
  const packets = 1932;
  const writer = new Gatherer();
  const manager = new Manager(
    {
      probe: 'p',
      workers: 2,
      maxFlows: 10_000,
      idleTimeoutSeconds: 60,
      counterWindowSeconds: 1,
      flowWindowSeconds: 10,
      sketchWindowSeconds: 60,
      report: false,
      reportTop: 0,
      flushCaptureBytes: 64 * 1024 * 1024,
      flushRowBytes: 16 * 1024 * 1024,
      flushMilliseconds: 50,
      fragmentsMax: 1000,
      replaySpeed: 0,
      chunkBytes: 128 * 1024,
      chunkRows: 2048,
      tasks: allTasks(),
      enrichment: named('before'),
    },
    writer,
  );
  const stored = (count: number): Promise<void> =>
    new Promise((resolve) => {
      writer.onWrite = () => writer.packets >= count && resolve();
      writer.onWrite();
    });
  const input = new PassThrough();
  input.write(header);
  input.write(records);
  const running = manager.run({ capture: await openCaptureStream(input, 'test'), name: 'test', epoch: 1n });
  await stored(packets);
  manager.enrich(named('between'));
  manager.enrich(named('after'));
  // The message is looked for at a flush; rows that are made after it say so.
  input.write(records);
  await stored(2 * packets);
  input.end(records);
  await running;
  expect(writer.packets).toBe(3 * packets);
  expect([...writer.names.keys()].sort()).toEqual([0, 1]);
  for (const names of writer.names.values()) expect([...names]).toEqual(['before', 'after']);
});
