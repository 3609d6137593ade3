/**
 * The whole way with real processes: tcpreplay on a cable, `netspectra probe`, nats-server, two `netspectra engine`, a
 * ClickHouse server, `netspectra api`. What the API answers must be what the file holds, to the packet and byte, flow by
 * flow; and how long after the end of a second its packets are in an answer is measured.
 */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { endServings, startServing } from '../kit/api-process.js';
import type { Serving } from '../kit/api-process.js';
import { startLiveCluster } from '../kit/live-cluster.js';
import type { LiveCluster, Monitored } from '../kit/live-cluster.js';
import { hasNats } from '../kit/nats.js';
import { hasCables, layCable } from '../kit/network.js';
import type { Cable } from '../kit/network.js';
import { LatencyWatch, analysis, ask, expectTruth, quantiles } from '../kit/traffic-truth.js';
import type { Asked } from '../kit/traffic-truth.js';
import { generate } from '../load/generate.js';
import { sampleCapture, temporaryFolder, until } from './process.js';

const secondMs = 1_000;
/** Far below what one core takes, so that what is measured is the way and not a queue. */
const loadPacketsPerSecond = 12_500;
/** Loose: where tests run, other tests run too. */
const latencyMsMax = 30_000;

describe.runIf(hasNats && hasCables)('from a cable to the API', () => {
  const folder = temporaryFolder();
  let cable: Cable;
  let cluster: LiveCluster;
  let api: Serving;
  let engines: Monitored[];
  /** how much each engine had said when the partitions were shared */
  let saidBefore: number[];
  let asked: Asked;
  beforeAll(async () => {
    cable = layCable();
    // A long lease, because what is pending when a partition changes hands (DNS, HTTP) is not taken along.
    cluster = await startLiveCluster({ env: { NETSPECTRA_ENGINE_LEASE: '20s' } });
    engines = await Promise.all([cluster.engine(), cluster.engine()]);
    api = await startServing(['api'], { env: { ...cluster.env } });
    await until('the partitions are shared', async () =>
      (await Promise.all(engines.map((one) => one.metric('netspectra_engine_partitions')))).every((held) => held === 2),
    );
    saidBefore = engines.map((one) => one.stderr().length);
  });
  // What the engines said is most of what can be known of a run that cannot be repeated.
  beforeEach(() => onTestFailed(() => console.log(engines.map((one) => one.stderr()).join('\n'))));
  afterEach(() => expect(engines.map((one) => one.child.exitCode)).toEqual([null, null]));
  afterAll(async () => {
    await endServings();
    await cluster?.close();
    cable?.remove();
    folder.remove();
  });

  async function startProbe(id: string): Promise<Monitored> {
    const probe = await cluster.probe(['--interface', cable.interface], { NETSPECTRA_PROBE_ID: id });
    asked = { fromMs: Math.floor(Date.now() / secondMs) * secondMs, probe: id };
    return probe;
  }

  const settled = (packets: number): Promise<void> =>
    until('everything is stored', async () => (await cluster.stored(asked.probe)).packets >= packets);

  /** The probe ends without a loss, and what waits for the end of its epoch (DNS queries without an answer) is stored. */
  async function finish(probe: Monitored): Promise<void> {
    expect(await probe.metric('netspectra_probe_kernel_dropped_total')).toBe(0);
    expect(await probe.metric('netspectra_probe_publish_dropped_total')).toBe(0);
    expect((await probe.stop()).code).toBe(0);
    await until('every partition says the end', async () => {
      const sql = `SELECT uniqExact(partition) AS ended FROM probe_stats WHERE probe = '${asked.probe}' AND complete`;
      return Number((await cluster.rows<{ ended: number }>(sql))[0]?.ended) === cluster.partitions;
    });
    // Who is client is known only to who has seen a flow's beginning: no partition may change hands here.
    const said = engines.map((one, i) => one.stderr().slice(saidBefore[i])).join('');
    expect(said).not.toMatch(/partitions taken|handing a partition over|given back|was lost/);
  }

  it('answers what the sample holds: in all, by flow, by protocol, by application', async () => {
    const { packets } = await analysis(sampleCapture);
    const probe = await startProbe('sample');
    expect(await cable.send(sampleCapture, { packetsPerSecond: 5_000 })).toBe(packets);
    await settled(packets);
    await finish(probe);
    await expectTruth(api, asked, sampleCapture, { partitioned: true });
    const { meta } = await ask(api, asked.fromMs, { type: 'table', measures: ['packets'] });
    expect(meta.samplingRate).toBe(1);
    expect(meta.watermarkMs).toBeGreaterThan(asked.fromMs);
    expect(meta.watermarkMs).toBeLessThanOrEqual(Date.now());
    expect(meta.drops).toEqual({ kernelDropped: 0, undecodable: 0, flowsFolded: 0, latePackets: 0 });
    for (const engine of engines) {
      expect(await engine.metric('netspectra_engine_refused_messages_total')).toBe(0);
      expect(await engine.metric('netspectra_engine_missing_messages_total')).toBe(0);
      expect(await engine.readyz()).toMatchObject({ status: 200 });
    }
  });

  it('answers what a large file holds, each second of it soon after that second is over', async () => {
    const file = join(folder.path, 'load.pcap');
    const made = generate({ packets: 100_000, flows: 4_000, seed: 7, out: file });
    const packets = Number(made['packets']);
    const probe = await startProbe('load');
    const watch = new LatencyWatch(api, asked);
    expect(await cable.send(file, { packetsPerSecond: loadPacketsPerSecond })).toBe(packets);
    await settled(packets);
    await until('an answer has it all', () => watch.packets === packets);
    const { latencies, answers } = await watch.end();
    expect(watch.packets).toBe(packets);
    console.log(
      `capture to API, ${loadPacketsPerSecond} packets/s, ${latencies.length} windows of 1 s, ${answers} answers: ` +
        quantiles(latencies),
    );
    expect(latencies.length).toBeGreaterThan(3);
    expect(latencies.at(-1)).toBeLessThan(latencyMsMax);
    await finish(probe);
    // As tshark does, the report leaves out messages that the file cuts; rows tell of them, too.
    const http = { requests: Number(made['http_requests']), responses: Number(made['http_responses']) };
    await expectTruth(api, asked, file, { http, partitioned: true });
  });
});
