import { describe, expect, it } from 'vitest';
import type { LiveCounters, LiveSource } from '../capture/live/live-source.js';
import { CaptureLoop } from './capture-loop.js';
import type { CaptureOptions, CaptureReport } from './capture-loop.js';
import { Phase, SharedControl } from './shared-control.js';

const options: CaptureOptions = {
  probe: 'p',
  epoch: 1n,
  partitions: 1,
  source: 'eth7',
  samplingRate: 1,
  payload: 'none',
  rowsMax: 16,
  messageBytesMax: 65_536,
  filter: '',
  flushMilliseconds: 10,
  idleMilliseconds: 60_000,
  queueBytesMax: 1 << 20,
  live: {
    promiscuous: false,
    snapLength: 256,
    ringBytes: 1 << 20,
    blockTimeoutMilliseconds: 1,
    hardwareTimestamps: false,
  },
};

/** A ring that is empty and has lost some. */
function source(state: LiveSource['state'], dropped: number): LiveSource {
  const counts: LiveCounters = { received: dropped, delivered: 0, dropped, freezes: 0, badBlocks: 0 };
  return {
    name: 'eth7',
    linkType: 1,
    filterLinkType: 1,
    bytes: new Uint8Array(0),
    state,
    warnings: [],
    read: (table) => (table.count = 0),
    counters: () => counts,
    filter: () => undefined,
    close: () => undefined,
  };
}

/** Opens one after the other; where there is none the interface is still gone. When all were asked for, it is told to stop. */
async function lastReport(sources: readonly (LiveSource | undefined)[]): Promise<CaptureReport> {
  const control = new SharedControl();
  const reports: CaptureReport[] = [];
  let asked = 0;
  await CaptureLoop.run(options, {
    open: () => {
      const next = sources[asked];
      asked += 1;
      if (asked === sources.length) control.phase = Phase.Stop;
      return next ? Promise.resolve(next) : Promise.reject(new Error('no such interface'));
    },
    compile: undefined,
    control,
    publish: () => undefined,
    report: (report) => void reports.push(structuredClone(report)),
    warn: () => undefined,
    newRules: () => undefined,
    ready: () => (control.phase = Phase.Capture),
  });
  return reports.at(-1)!;
}

describe('an interface that is deleted', () => {
  it('counts what its ring lost once, whether or not there is another one', async () => {
    const none = await lastReport([source('gone', 5), undefined]);
    expect([none.counters.kernelDropped, none.live.dropped]).toEqual([5, 5]);
    const another = await lastReport([source('gone', 5), source('up', 2)]);
    expect([another.counters.kernelDropped, another.live.dropped]).toEqual([7, 7]);
  });
});
