/** JetStream by itself: messages of our sizes into a stream on disk and out again, with the collector's own bus. */
import { createJetStreamBus } from '@netspectra/collector/bus';
import { cpuSeconds, startNats, temporaryFolder } from './processes.js';

const bytesOfRun = 400e6;
const windowBytes = 16 << 20;

/** @param {number} messageBytes of each message @returns MB/s in and out, and nats-server's processor seconds */
export async function busThroughput(messageBytes) {
  const folder = temporaryFolder();
  const nats = await startNats(folder.path);
  const count = Math.ceil(bytesOfRun / messageBytes);
  const bus = createJetStreamBus({
    connection: { servers: [nats.url] },
    streams: { partitions: 1, bytesMax: 2 * bytesOfRun, messageBytesMax: messageBytes },
  });
  try {
    await bus.ready(10_000);
    await bus.ensureStreams();
    const bytes = new Uint8Array(messageBytes).map((_, i) => (i * 37) & 255);
    const began = performance.now();
    const publisher = bus.publisher({ windowBytes });
    for (let sequence = 0; sequence < count; sequence += 1) {
      const message = { probe: 'bench', epoch: 1n, partition: 0, sequence, bytes };
      while (publisher.publish(message) === 'full') await publisher.room();
    }
    const left = await publisher.close(60_000);
    if (left.length > 0) throw new Error(`${left.length} messages were not confirmed`);
    const secondsIn = (performance.now() - began) / 1000;
    const cpuIn = cpuSeconds(nats.pid);
    const beganOut = performance.now();
    const consumer = bus.consume(0, { pendingBytesMax: windowBytes });
    let seen = 0;
    for await (const delivery of consumer.messages) {
      if (delivery.kind === 'message') seen += 1;
      if (seen === count) break;
    }
    const secondsOut = (performance.now() - beganOut) / 1000;
    const megabytes = (count * messageBytes) / 1e6;
    return {
      messageBytes,
      in: megabytes / secondsIn,
      out: megabytes / secondsOut,
      cpuPerGigabyteIn: (cpuIn * 1000) / megabytes,
      cpuPerGigabyteOut: ((cpuSeconds(nats.pid) - cpuIn) * 1000) / megabytes,
    };
  } finally {
    await bus.close();
    await nats.stop('SIGKILL');
    folder.remove();
  }
}
