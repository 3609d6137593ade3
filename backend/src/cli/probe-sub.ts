/**
 * `netspectra probe --mode sub`: prints what probes publish, a line for each message or packet. It only looks: nothing is
 * acknowledged, so engines miss nothing.
 */
import type { Bus, Delivery, JetStreamBus } from '@netspectra/collector/bus';
import { decodePacketBatch } from '@netspectra/proto';
import type { BatchHeader, PacketBatch } from '@netspectra/proto';
import { addressText } from '../engine/address-text.js';
import { protocolName } from '../engine/protocol-name.js';
import type { stopSignals } from './process.js';
import { printable } from './text.js';

export interface SubOptions {
  /** a line for each packet */
  readonly packets?: boolean;
  /** begin with what the bus holds */
  readonly all?: boolean;
}

const connectMilliseconds = 10_000;
/** read ahead of the terminal, for each partition */
const pendingBytesMax = 2 << 20;

/** Print until SIGINT or SIGTERM. @returns exit code @throws BusError when the bus cannot be used */
export async function printMessages(
  bus: JetStreamBus,
  options: SubOptions,
  signals: typeof stopSignals,
): Promise<number> {
  const stop = signals();
  try {
    await Promise.race([bus.ready(connectMilliseconds), stop.asked]);
    const streams = await bus.streams();
    const consumers = streams.map(({ partition, lastSequence }) =>
      bus.consume(partition, { from: options.all ? 1 : lastSequence + 1, pendingBytesMax }),
    );
    process.stderr.write(`netspectra: listening to ${streams.length} partitions; Ctrl-C ends\n`);
    const reading = Promise.all(consumers.map(({ messages }) => print(messages, options)));
    await Promise.race([stop.asked, reading]);
    await Promise.all(consumers.map((consumer) => consumer.stop()));
    await reading;
    return 0;
  } finally {
    stop.release();
  }
}

async function print(messages: ReturnType<Bus['consume']>['messages'], options: SubOptions): Promise<void> {
  for await (const delivery of messages) {
    const text = textOf(delivery, options);
    if (text !== '' && !process.stdout.write(text))
      await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
  }
}

function textOf(delivery: Delivery, options: SubOptions): string {
  if (delivery.kind === 'rejected')
    return `stream ${delivery.streamSequence}: no message of ours (${delivery.reason})\n`;
  const decoded = decodePacketBatch(delivery.bytes);
  if (!decoded.ok) return `${messageName(delivery)}: not understood (${decoded.error})\n`;
  const { batch, header } = decoded;
  if (!options.packets) return `${messageName(delivery)} ${messageText(batch, header, delivery.bytes.length)}\n`;
  let lines = '';
  for (let row = 0; row < batch.count; row += 1) lines += `${packetText(batch, row)}\n`;
  return lines;
}

const messageName = ({ partition, probe, epoch, sequence }: Delivery & { kind: 'message' }): string =>
  `partition=${partition} probe=${printable(probe)} epoch=${epoch} sequence=${sequence}`;

function messageText(batch: PacketBatch, header: BatchHeader, bytes: number): string {
  const { counters } = header;
  const sampled = header.samplingRate > 1 ? ` sampling=1/${header.samplingRate}` : '';
  const from = timeText(header.firstSeconds, header.firstNanoseconds);
  return (
    `source=${printable(header.source)} packets=${batch.count} bytes=${bytes} first=${from}${sampled}` +
    ` received=${counters.received} kernel_dropped=${counters.kernelDropped} filtered=${counters.filtered}` +
    ` publish_dropped=${counters.publishDropped}${header.complete ? ' complete' : ''}`
  );
}

function packetText(batch: PacketBatch, row: number): string {
  const end = (addresses: Uint32Array, ports: Uint16Array): string => {
    const bytes = new Uint8Array(addresses.buffer, addresses.byteOffset + row * 16, 16);
    const port = ports[row]!;
    const address = addressText(bytes);
    return port === 0 ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  };
  const time = timeText(batch.timestampSeconds[row]!, batch.timestampNanoseconds[row]!);
  const vlan = batch.vlan[row] === 0 ? '' : ` vlan ${batch.vlan[row]}`;
  return (
    `${time} ${end(batch.sourceAddress, batch.sourcePort)} > ${end(batch.destinationAddress, batch.destinationPort)} ` +
    `${protocolName(batch.protocol[row]!)} ${batch.wireLength[row]}${vlan}`
  );
}

const timeText = (seconds: number, nanoseconds: number): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanoseconds).padStart(9, '0')}Z`;
