/** The bounds of the bus in memory; what it shares with the one on a server is tested with both (test/integration/bus.test.ts). */
import { describe, expect, it } from 'vitest';
import { createMemoryBus } from './memory-bus.js';

const message = (sequence: number, bytes: number) => ({
  partition: 0,
  probe: 'p',
  epoch: 1n,
  sequence,
  bytes: new Uint8Array(bytes),
});

describe('the bus in memory', () => {
  it('counts what messages really take when it is told how many it may have', async () => {
    const bus = createMemoryBus({ partitions: 1, bytesMax: 1000, messageBytesMax: 500, messagesMax: 50 });
    const publisher = bus.publisher();
    for (let i = 0; i < 20; i += 1) expect(publisher.publish(message(i, 50))).toBe('taken');
    // The stream is full now. A smaller one must not overtake the one that is refused.
    expect(publisher.publish(message(20, 50))).toBe('taken');
    expect(publisher.publish(message(21, 1))).toBe('taken');
    await expect.poll(() => publisher.state.refused).toBeGreaterThan(0);
    expect(await bus.streams()).toMatchObject([{ messages: 20, bytes: 1000, messagesMax: 50 }]);
    const consumer = bus.consume(0);
    await consumer.acknowledge(1);
    await expect.poll(() => publisher.state.unacknowledged).toBe(1);
    expect(await bus.streams()).toMatchObject([{ messages: 20, bytes: 1000, lastSequence: 21 }]);
    await publisher.close(0);
    await bus.close();
  });

  it('takes no more messages than it is told, however small', async () => {
    const bus = createMemoryBus({ partitions: 1, bytesMax: 1000, messageBytesMax: 500, messagesMax: 3 });
    const publisher = bus.publisher();
    for (let i = 0; i < 5; i += 1) publisher.publish(message(i, 1));
    await expect.poll(() => publisher.state.refused).toBeGreaterThan(0);
    expect(await bus.streams()).toMatchObject([{ messages: 3, bytes: 3 }]);
    await publisher.close(0);
    await bus.close();
  });
});
