/**
 * Two probes that see the same packets (here: read the same file) with `engine.duplicates`: what the API answers is what the
 * file holds, once, whichever engine is killed meanwhile, and both probes are listed with every flow.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { startLiveCluster } from '../kit/live-cluster.js';
import type { LiveCluster, Monitored } from '../kit/live-cluster.js';
import { hasNats } from '../kit/nats.js';
import { analysis, rowsIn } from '../kit/traffic-truth.js';
import type { Result, Row } from '../kit/traffic-truth.js';
import { generate } from '../load/generate.js';
import { run, temporaryFolder, until } from './process.js';

const flowKeys = ['client_ip', 'client_port', 'server_ip', 'server_port', 'protocol'];
const probes = ['east', 'west'];
/** The file's packets are of the first seconds of 2026. */
const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:01:00Z' };

describe.runIf(hasNats)('a file that two probes publish', () => {
  const folder = temporaryFolder();
  const make = (name: string, seed: number) => {
    const file = join(folder.path, name);
    return { file, packets: Number(generate({ packets: 40_000, flows: 2_000, seed, out: file })['packets']) };
  };
  let cluster: LiveCluster;
  let api: Serving;
  let engines: Monitored[];
  beforeAll(async () => {
    // A long lease: who takes a partition over sees the rest of a flow, and may take its server for its client.
    cluster = await startLiveCluster({
      env: { NETSPECTRA_ENGINE_DUPLICATES_WINDOW: '60s', NETSPECTRA_ENGINE_LEASE: '6s' },
    });
    engines = await Promise.all([cluster.engine(), cluster.engine()]);
    api = await startServing(['api'], { env: { ...cluster.env } });
    await until('the partitions are shared', async () =>
      (await Promise.all(engines.map((one) => one.metric('netspectra_engine_partitions')))).every((held) => held === 2),
    );
  });
  afterAll(async () => {
    await endServings();
    await cluster?.close();
    folder.remove();
  });

  async function rows(query: object): Promise<Row[]> {
    const answer = await api.query({ ...range, queries: [{ refId: 'A', limit: 9_000, ...query }] });
    const body = (await answer.json()) as { results: { A: Result } };
    expect(answer.status, JSON.stringify(body)).toBe(200);
    return rowsIn(body.results.A);
  }
  const table = (measures: readonly string[], groupBy: readonly string[] = []): Promise<Row[]> =>
    rows({ type: 'table', measures, groupBy });
  const sumsOf = async (...measures: string[]): Promise<number[]> => {
    const [row] = await table(measures);
    return measures.map((name) => Number(row?.[name] ?? 0));
  };
  const brought = async (): Promise<number> => (await sumsOf('probe_packets'))[0]!;
  /** Publish the file twice at once, as two probes; `meanwhile` when some of it is stored. */
  async function publish(file: string, packets: number, meanwhile: () => void): Promise<void> {
    const before = await brought();
    const reading = probes.map((id) =>
      run(['probe', '--read', file], { env: { ...cluster.env, NETSPECTRA_PROBE_ID: id } }),
    );
    await until('some of it is stored', async () => (await brought()) > before);
    meanwhile();
    for (const { code, stderr } of await Promise.all(reading)) expect(code, stderr).toBe(0);
    await until('all of it is stored', async () => (await brought()) === before + packets * probes.length);
  }

  it('counts once, flow by flow, and both probes are listed with each', async () => {
    const { file, packets } = make('first.pcap', 11);
    await publish(file, packets, () => {});
    const { bytes, flows } = await analysis(file);
    expect(await sumsOf('packets', 'bytes', 'duplicate_packets', 'duplicate_bytes', 'distinct_probe')).toEqual([
      packets,
      bytes,
      packets,
      bytes,
      probes.length,
    ]);
    const measures = ['client_bytes', 'server_bytes', 'packets', 'duplicate_packets', 'distinct_probe', 'flows'];
    const line = (ends: readonly unknown[], counts: readonly number[]): string => JSON.stringify([ends, counts]);
    const found = (await table(measures, flowKeys)).map((row) =>
      line(
        flowKeys.map((key) => row[key] ?? 0),
        measures.map((name) => Number(row[name])),
      ),
    );
    const expected = flows.map((flow) => {
      const all = flow.client_packets + flow.server_packets;
      return line(
        [flow.client, flow.client_port, flow.server, flow.server_port, flow.protocol],
        [flow.client_bytes, flow.server_bytes, all, all, probes.length, 1],
      );
    });
    expect(found.sort()).toEqual(expected.sort());
    expect(await sumsOf('flows', 'new_flows')).toEqual([flows.length, flows.length]);

    const byProbe = await table(['packets', 'duplicate_packets'], ['probe']);
    expect(byProbe.map(({ probe }) => probe).sort()).toEqual(probes);
    for (const row of byProbe) expect(Number(row['packets']) + Number(row['duplicate_packets'])).toBe(packets);

    const sent = await table(['packets', 'duplicate_packets', 'distinct_probe'], ['src_ip']);
    const sum = (name: string): number => sent.reduce((all, row) => all + Number(row[name]), 0);
    expect([sum('packets'), sum('duplicate_packets')]).toEqual([packets, packets]);
    for (const row of sent) expect(row['distinct_probe']).toBe(probes.length);

    // The list of flows has a record of each probe.
    const records = await rows({ type: 'flows', measures: [] });
    expect(records.length).toBe(flows.length * probes.length);
    const count = (row: Row): number =>
      Number(row['client_packets']) + Number(row['server_packets']) + Number(row['duplicate_packets']);
    expect(records.reduce((all, row) => all + count(row), 0)).toBe(packets * probes.length);
  });

  it('counts once when an engine is killed in the middle', async () => {
    const before = await sumsOf('packets', 'bytes', 'duplicate_packets');
    const { file, packets } = make('second.pcap', 12);
    await publish(file, packets, () => engines[0]!.child.kill('SIGKILL'));
    const { bytes } = await analysis(file);
    const after = await sumsOf('packets', 'bytes', 'duplicate_packets');
    expect(after.map((sum, i) => sum - before[i]!)).toEqual([packets, bytes, packets]);
    expect(await engines[1]!.metric('netspectra_engine_duplicates_overflows_total')).toBe(0);
  });
});
