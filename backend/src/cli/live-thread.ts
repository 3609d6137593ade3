/**
 * Thread entry of `netspectra up --interface`: capture threads, the bus in memory, and the engine that reads it. All of it
 * lives here, so that neither an answer of the API nor an insert makes a packet wait. What it computes goes to the thread that
 * has the store. Messages in: LiveRequest; out: LiveMessage.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { setTimeout as delay } from 'node:timers/promises';
import { CaptureError } from '@netspectra/collector';
import { createMemoryBus, createMemoryRecords } from '@netspectra/collector/bus';
import type { Publisher, PublisherState } from '@netspectra/collector/bus';
import { createProbe } from '@netspectra/collector/probe';
import type { ProbeOptions, RingState, RuleSet } from '@netspectra/collector/probe';
import pino from 'pino';
import { EngineWorker } from '../cluster/index.js';
import type { EngineWorkerState, StoredPart } from '../cluster/index.js';
import type { Config } from '../config/index.js';
import type { AccountingReport } from '../engine/accounting.js';
import { PacketProcessor } from '../engine/pipeline/packet-processor.js';
import type { EnrichmentData } from '../enrichment/index.js';
import { liveLatencyMs, processorOptions, workerLimits } from './engine-work.js';
import { StoreCaller } from './store-calls.js';
import type { StoreAnswer, StoreCall } from './store-calls.js';

export interface LiveThreadData {
  readonly config: Config;
  readonly probe: ProbeOptions;
}

export type LiveRequest =
  /** the store is there */
  | { readonly kind: 'store'; readonly enrichment: EnrichmentData }
  | { readonly kind: 'enrichment'; readonly data: EnrichmentData }
  | { readonly kind: 'rules'; readonly rules: RuleSet }
  | { readonly kind: 'stop' }
  | StoreAnswer<StoredPart>;

/** What the thread did and holds, as of its last message. */
export interface LiveState {
  readonly rings: readonly RingState[];
  /** messages that wait for the publisher */
  readonly queued: number;
  readonly publisher: PublisherState;
  readonly engine: EngineWorkerState;
}

export type LiveMessage =
  | { readonly kind: 'capturing' }
  /** an interface cannot be captured, for a reason that people can mend */
  | { readonly kind: 'refused'; readonly code: CaptureError['code']; readonly text: string }
  | { readonly kind: 'state'; readonly state: LiveState }
  /** a stretch is in the store. `latencyMs`: since its last packet; null: none, or an old one */
  | { readonly kind: 'stored'; readonly accounting: AccountingReport; readonly latencyMs: number | null }
  /** a capture thread failed */
  | { readonly kind: 'failed'; readonly text: string }
  /** it ended. `left`: messages that are not stored */
  | { readonly kind: 'ended'; readonly left: number }
  | StoreCall;

/** Messages that wait in memory for the engine and the store, at most; `bus.stream_bytes` may say less. */
const busBytesMax = 128 * 1024 ** 2;
const busMessagesMax = 16_384;
/** Messages fetched ahead by the engine; they stay on the bus. */
const fetchBytesMax = 8 * 1024 ** 2;
/** Nobody else wants the partition, however long this process was stopped. */
const leaseMs = 3_600_000;
const stateMs = 1_000;
const emptyMs = 20;

const port = parentPort;
if (!port) throw new Error('live-thread.ts runs as a worker thread only');
const { config, probe: options } = workerData as LiveThreadData;
const { partitions } = options;
const post = (message: LiveMessage, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

const logger = pino({ name: 'netspectra', level: config.log.level }, pino.destination({ dest: 2, sync: true }));
const bus = createMemoryBus({
  partitions,
  bytesMax: Math.min(config.bus.stream_bytes, busBytesMax),
  messagesMax: busMessagesMax,
  messageBytesMax: config.bus.message_bytes,
});
let publisher: Publisher | undefined;
const probe = createProbe(
  {
    publisher: (told) => (publisher = bus.publisher({ windowBytes: config.bus.window_bytes, ...told })),
    log: logger,
  },
  options,
);
const store = new StoreCaller<StoredPart>(post);
let enrichment: EnrichmentData | undefined;
const engine = new EngineWorker(
  {
    bus,
    writer: store,
    records: createMemoryRecords(),
    log: logger,
    readStored: (id, epoch, partition) => store.position(id, epoch, partition),
    newProcessor: (id) => new PacketProcessor(processorOptions(config, id, enrichment!)),
    onStored: ({ content, lastPacketMs }) => {
      const { accounting } = content;
      const latencyMs = accounting.packets > 0 ? liveLatencyMs(lastPacketMs) : null;
      post({ kind: 'stored', accounting, latencyMs });
    },
  },
  { ...workerLimits(config), id: 'up', leaseMs, messageBytesMax: fetchBytesMax },
);
const tellState = (): void =>
  post({
    kind: 'state',
    state: {
      rings: probe.rings.map(({ interface: name, epoch, report }) => ({ interface: name, epoch, report })),
      queued: probe.queued,
      publisher: publisher!.state,
      engine: engine.state,
    },
  });

/** Messages on the bus that are not stored. */
const waiting = async (): Promise<number> => (await bus.streams()).reduce((sum, { messages }) => sum + messages, 0);

/** The rings are read out, what they held is stored; what is not in time is told. */
async function end(): Promise<void> {
  const unpublished = await probe.stop(config.probe.drain_timeout * 1000);
  const deadline = performance.now() + config.engine.drain_timeout * 1000;
  const isRead = (): boolean => {
    const running = engine.state.partitions;
    return running.length === partitions && running.every(({ state }) => state.unread === 0);
  };
  while (!isRead() && performance.now() < deadline) await delay(emptyMs);
  const leftMs = Math.max(0, deadline - performance.now());
  // A store that neither takes rows nor refuses them would be waited for beyond that.
  const givingUp = setTimeout(() => store.giveUp(), leftMs);
  await engine.stop(leftMs);
  clearTimeout(givingUp);
  clearInterval(telling);
  tellState();
  post({ kind: 'ended', left: unpublished + (await waiting()) });
  port!.close();
}

let telling: NodeJS.Timeout | undefined;
port.on('message', (request: LiveRequest) => {
  switch (request.kind) {
    case 'answer':
      store.hear(request);
      break;
    case 'store':
      ({ enrichment } = request);
      engine.start();
      break;
    case 'enrichment':
      enrichment = request.data;
      engine.enrich(request.data);
      break;
    case 'rules':
      probe.rules(request.rules);
      break;
    case 'stop':
      void end();
  }
});
probe.failed.catch((error: unknown) => {
  post({ kind: 'failed', text: error instanceof Error ? error.message : String(error) });
});
try {
  await probe.start();
  telling = setInterval(tellState, stateMs);
  tellState();
  post({ kind: 'capturing' });
} catch (error) {
  if (!(error instanceof CaptureError)) throw error;
  post({ kind: 'refused', code: error.code, text: error.message });
  port.close();
}
