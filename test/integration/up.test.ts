/**
 * `netspectra up` with its real store: sums in the database equal the packets, per window and in total; reading a capture
 * again changes nothing; an interrupted run shows exactly what was consumed and goes on where it stopped.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CaptureState, FrameTable, frameBytes } from '@netspectra/collector';
import { afterEach, describe, expect, it } from 'vitest';
import { openStore } from '../../backend/src/storage/index.js';
import { rowsOf } from '../../backend/src/storage/store.js';
import type { Store } from '../../backend/src/storage/index.js';
import { freePort, run, sampleCapture, start, temporaryFolder, until } from './process.js';

const folders: { path: string; remove(): void }[] = [];
const temporary = (): string => {
  const folder = temporaryFolder();
  folders.push(folder);
  return folder.path;
};
afterEach(() => folders.splice(0).forEach((folder) => folder.remove()));

/** Packets and bytes of a capture by second, from its records alone. */
function framesOf(path: string): { packets: number; bytes: number; seconds: Map<number, [number, number]> } {
  const seconds = new Map<number, [number, number]>();
  let packets = 0;
  let bytes = 0;
  frameBytes(new Uint8Array(readFileSync(path)), new CaptureState(), new FrameTable(1024), (frames) => {
    for (let i = 0; i < frames.count; i += 1) {
      const sum = seconds.get(frames.seconds[i]!) ?? [0, 0];
      sum[0] += 1;
      sum[1] += frames.wireLength[i]!;
      seconds.set(frames.seconds[i]!, sum);
      packets += 1;
      bytes += frames.wireLength[i]!;
    }
  });
  return { packets, bytes, seconds };
}

async function withStore<Result>(dataDir: string, use: (store: Store) => Promise<Result>): Promise<Result> {
  const store = await openStore({ dataDir }, { migrate: false });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

const all = async (store: Store, sql: string): Promise<Record<string, number>[]> =>
  rowsOf<Record<string, number>>(await store.query(sql));

/** The totals of every table that counts packets, and row counts of the others. */
async function totals(store: Store): Promise<Record<string, unknown>> {
  const one = async (sql: string): Promise<unknown> => (await all(store, sql))[0];
  return {
    traffic: await one('SELECT sum(packets) AS packets, sum(bytes) AS bytes FROM traffic'),
    flows: await one(
      'SELECT sum(client_packets + server_packets) AS packets, sum(client_bytes + server_bytes) AS bytes FROM flows',
    ),
    probe: await one('SELECT sum(packets) AS packets, sum(bytes) AS bytes FROM probe_stats'),
    dns: await one('SELECT sum(queries) AS queries, sum(responses) AS responses FROM dns'),
    http: await one('SELECT sum(requests) AS requests, sum(responses) AS responses FROM http'),
    tls: await one('SELECT count() AS hellos FROM tls'),
    top: await one("SELECT sum(packets) AS packets FROM top_keys WHERE subject = 'protocol'"),
  };
}

/** The sample capture many times over, each copy later in time: minutes of traffic that take a while to read. */
function longCapture(path: string, copies: number): void {
  const sample = readFileSync(sampleCapture);
  const records = sample.subarray(24);
  const out = Buffer.alloc(24 + records.length * copies);
  sample.copy(out, 0, 0, 24);
  for (let copy = 0; copy < copies; copy += 1) {
    const base = 24 + copy * records.length;
    records.copy(out, base);
    for (let at = base; at < base + records.length; at += 16 + out.readUInt32LE(at + 8)) {
      out.writeUInt32LE(out.readUInt32LE(at) + copy * 60, at);
    }
  }
  writeFileSync(path, out);
}

describe('netspectra up', () => {
  it('stores every packet and byte, per window and in total, and reading again changes nothing', async () => {
    const data = temporary();
    const args = ['up', '--once', '--read', sampleCapture, '--data', data, '--listen', '127.0.0.1:0'];
    expect(await run(args)).toMatchObject({ code: 0, stdout: '' });
    const expected = framesOf(sampleCapture);
    const first = await withStore(data, async (store) => {
      const traffic = await all(
        store,
        'SELECT toUnixTimestamp(window_start) AS second, sum(packets) AS packets, sum(bytes) AS bytes FROM traffic GROUP BY second',
      );
      expect(new Map(traffic.map((row) => [row.second, [row.packets, row.bytes]]))).toEqual(expected.seconds);

      // Every 10 s window of flow rows holds what the counters of its seconds hold, of frames with addresses.
      const windows = `SELECT intDiv(toUnixTimestamp(window_start), 10) * 10 AS at, sum(packets) AS packets, sum(bytes) AS bytes
                         FROM traffic WHERE ip_version > 0 GROUP BY at ORDER BY at`;
      const flows = `SELECT toUnixTimestamp(window_start) AS at, sum(client_packets + server_packets) AS packets,
                            sum(client_bytes + server_bytes) AS bytes FROM flows GROUP BY at ORDER BY at`;
      expect(await all(store, flows)).toEqual(await all(store, windows));
      return totals(store);
    });
    expect(first.probe).toEqual({ packets: expected.packets, bytes: expected.bytes });

    const again = await run(args);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stderr).toContain('is in the store already');
    expect(await withStore(data, totals)).toEqual(first);
  });

  it('that has read its files and serves ends at once when it is told to', async () => {
    const up = start(['up', '--read', sampleCapture, '--data', temporary(), '--listen', '127.0.0.1:0'], {
      // It waits for no drain: there is nothing to store.
      env: { NETSPECTRA_ENGINE_DRAIN_TIMEOUT: '10m' },
    });
    await until('the capture is read', () => up.stderr().includes('"capture read"'));
    await until('it serves', () => /Ctrl-C ends/.test(up.stderr()));
    up.child.kill('SIGTERM');
    expect(await up.ended).toMatchObject({ code: 0 });
  });

  it('shows exactly the packets consumed after SIGTERM in the middle, and goes on there', async () => {
    const data = temporary();
    const capture = join(temporary(), 'long.pcap');
    longCapture(capture, 150);
    const port = await freePort();
    const args = ['up', '--read', capture, '--data', data, '--listen', `127.0.0.1:${port}`];
    const first = start([...args, '--replay', '600'], { env: { NETSPECTRA_ENGINE_FLUSH_INTERVAL: '0.2s' } });
    const stored = async (): Promise<number> => {
      const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
      return Number(/^netspectra_packets_stored_total (\d+)/m.exec(text)?.[1] ?? 0);
    };
    await until('some packets are stored', async () => (await stored()) > 0);
    first.child.kill('SIGTERM');
    expect(await first.ended).toMatchObject({ code: 0 });

    const expected = framesOf(capture);
    const half = await withStore(data, async (store) => {
      const sums = (await totals(store)) as Record<string, { packets: number; bytes: number }>;
      const [end] = await all(store, 'SELECT max(position) AS position FROM probe_stats');
      const consumed = framesUpTo(capture, end!.position!);
      expect(sums.probe).toEqual(consumed);
      expect(sums.traffic).toEqual(consumed);
      return consumed;
    });
    expect(half.packets).toBeGreaterThan(0);
    expect(half.packets).toBeLessThan(expected.packets);

    expect(await run([...args, '--once'])).toMatchObject({ code: 0 });
    await withStore(data, async (store) => {
      const sums = (await totals(store)) as Record<string, { packets: number; bytes: number }>;
      expect(sums.probe).toEqual({ packets: expected.packets, bytes: expected.bytes });
      expect(sums.traffic).toEqual({ packets: expected.packets, bytes: expected.bytes });
      const [answered] = await all(store, 'SELECT sum(packets) AS packets FROM traffic WHERE ip_version > 0');
      expect(sums.flows!.packets).toBe(answered!.packets);
      expect(sums.top!.packets).toBe(answered!.packets);
    });
  }, 180_000);

  it('ends in order when it is asked to in the moment it says that it listens', async () => {
    // The signal comes from within, right after the line: whoever reads the line can be no quicker.
    const askOnLine = `
      import fs from 'node:fs';
      const { writeSync } = fs;
      fs.writeSync = (fd, text, ...rest) => {
        const written = writeSync(fd, text, ...rest);
        if (String(text).includes('API listens')) process.kill(process.pid, 'SIGTERM');
        return written;
      };`;
    const asked = await run(['up', '--data', temporary(), '--listen', '127.0.0.1:0'], {
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(askOnLine)}` },
    });
    expect(asked).toMatchObject({ code: 0, stdout: '' });
    expect(asked.stderr).toContain('API listens');
  });

  it('loses and doubles nothing when it is killed, however often', async () => {
    const data = temporary();
    const capture = join(temporary(), 'long.pcap');
    longCapture(capture, 60);
    const args = ['up', '--once', '--read', capture, '--data', data, '--listen', '127.0.0.1:0'];
    for (let round = 0; round < 4; round += 1) {
      const killed = start([...args, '--replay', '1200'], { env: { NETSPECTRA_ENGINE_FLUSH_INTERVAL: '0.1s' } });
      await until('it reads', () => killed.stderr().includes('API listens'));
      await new Promise((resolve) => setTimeout(resolve, 300 + 170 * round));
      killed.child.kill('SIGKILL');
      await killed.ended;
    }
    expect(await run(args)).toMatchObject({ code: 0 });
    const expected = framesOf(capture);
    await withStore(data, async (store) => {
      const sums = (await totals(store)) as Record<string, { packets: number; bytes: number }>;
      expect(sums.probe).toEqual({ packets: expected.packets, bytes: expected.bytes });
      expect(sums.traffic).toEqual({ packets: expected.packets, bytes: expected.bytes });
      const [addressed] = await all(store, 'SELECT sum(packets) AS packets FROM traffic WHERE ip_version > 0');
      expect(sums.flows!.packets).toBe(addressed!.packets);
      expect(sums.top!.packets).toBe(addressed!.packets);
    });
  }, 180_000);
});

/** Packets and bytes of the records that end at or before an offset. */
function framesUpTo(path: string, position: number): { packets: number; bytes: number } {
  let packets = 0;
  let bytes = 0;
  const file = new Uint8Array(readFileSync(path)).subarray(0, position);
  frameBytes(file, new CaptureState(), new FrameTable(1024), (frames) => {
    for (let i = 0; i < frames.count; i += 1) {
      packets += 1;
      bytes += frames.wireLength[i]!;
    }
  });
  return { packets, bytes };
}
