import { describe, expect, it, vi } from 'vitest';
import type { OutgoingMessage } from './bus.js';
import { SendFailure, createWindowPublisher } from './publisher.js';
import type { Carrier } from './publisher.js';

const message = (sequence: number): OutgoingMessage => ({
  partition: 0,
  probe: 'p',
  epoch: 1n,
  sequence,
  bytes: new Uint8Array(1),
});

it('lets no message be overtaken by more than its window, though the later ones are confirmed at once', async () => {
  let answer: (value: { duplicate: boolean }) => void = () => {};
  const publisher = createWindowPublisher(
    {
      partitions: 1,
      connected: true,
      send: ({ sequence }) =>
        sequence === 0 ? new Promise((resolve) => (answer = resolve)) : Promise.resolve({ duplicate: false }),
      onConnected: () => () => {},
    },
    { windowMessages: 8 },
  );
  let next = 0;
  const publishSome = async (): Promise<void> => {
    for (let tries = 0; tries < 50; tries += 1) {
      if (publisher.publish(message(next)) === 'taken') next += 1;
      await Promise.resolve();
    }
  };
  await publishSome();
  expect(next).toBe(8);
  expect(publisher.state).toMatchObject({ confirmed: 7, unacknowledged: 1 });
  const room = publisher.room();
  answer({ duplicate: true });
  await room;
  await publishSome();
  expect(next).toBeGreaterThan(40);
  expect(await publisher.close()).toEqual([]);
  expect(publisher.state).toMatchObject({ confirmed: next, duplicates: 1 });
});

it('does not send again because an earlier try fails while a later one is on its way', async () => {
  vi.useFakeTimers();
  try {
    const tries: { confirm(): void; fail(): void }[] = [];
    let reconnected = (): void => {};
    const publisher = createWindowPublisher({
      partitions: 1,
      connected: true,
      send: () =>
        new Promise((resolve, reject) =>
          tries.push({
            confirm: () => resolve({ duplicate: false }),
            fail: () => reject(new SendFailure('retry', 'the connection closed')),
          }),
        ),
      onConnected: (callback) => ((reconnected = callback), () => {}),
    });
    publisher.publish(message(0));
    reconnected();
    expect(tries).toHaveLength(2);
    tries[0]!.fail();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(tries).toHaveLength(2);
    // The one that counts does fail, and is tried again.
    tries[1]!.fail();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(tries).toHaveLength(3);
    tries[2]!.confirm();
    await vi.advanceTimersByTimeAsync(0);
    expect(publisher.state).toMatchObject({ confirmed: 1, retries: 2, unacknowledged: 0 });
  } finally {
    vi.useRealTimers();
  }
});

describe('over a new connection', () => {
  /** Confirms at once while it is connected. */
  function flakyCarrier(duplicate = true) {
    const sent: number[] = [];
    let connected = true;
    let callback = (): void => {};
    const carrier: Carrier = {
      partitions: 1,
      get connected() {
        return connected;
      },
      send: ({ sequence }) => {
        sent.push(sequence);
        return connected ? Promise.resolve({ duplicate }) : Promise.reject(new SendFailure('retry', 'away'));
      },
      onConnected: (called) => {
        callback = called;
        called();
        return () => {};
      },
    };
    const reconnect = (): number[] => {
      connected = true;
      sent.length = 0;
      callback();
      return [...sent];
    };
    return { carrier, leave: () => (connected = false), reconnect };
  }
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('what was confirmed last goes again, before what was not', async () => {
    const { carrier, leave, reconnect } = flakyCarrier();
    const publisher = createWindowPublisher(carrier);
    for (let sequence = 0; sequence < 5; sequence += 1) publisher.publish(message(sequence));
    await settled();
    leave();
    for (let sequence = 5; sequence < 8; sequence += 1) publisher.publish(message(sequence));
    expect(reconnect()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await settled();
    expect(publisher.state).toMatchObject({ confirmed: 8, repeated: 5, restored: 0, unacknowledged: 0 });
    expect(reconnect()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await publisher.close()).toEqual([]);
    expect(reconnect()).toEqual([]);
  });

  it('no more of it goes than so many bytes, messages and seconds before the last', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { carrier, reconnect } = flakyCarrier(false);
      const publisher = createWindowPublisher(carrier, { windowMessages: 6, repeatBytes: 4_000, repeatMs: 1_000 });
      const publish = async (sequence: number, bytes: number): Promise<void> => {
        expect(publisher.publish({ ...message(sequence), bytes: new Uint8Array(bytes) })).toBe('taken');
        await settled();
      };
      for (let sequence = 0; sequence < 5; sequence += 1) await publish(sequence, 1_000);
      expect(reconnect()).toEqual([1, 2, 3, 4]);
      for (let sequence = 5; sequence < 15; sequence += 1) await publish(sequence, 1);
      expect(reconnect()).toEqual([9, 10, 11, 12, 13, 14]);
      vi.advanceTimersByTime(1_001);
      expect(reconnect()).toEqual([9, 10, 11, 12, 13, 14]);
      await publish(15, 1);
      expect(reconnect()).toEqual([15]);
      expect(publisher.state).toMatchObject({ confirmed: 16, repeated: 17 });
      await settled();
      expect(publisher.state.restored).toBe(17);
    } finally {
      vi.useRealTimers();
    }
  });
});
