import { expect, it, vi } from 'vitest';
import type { OutgoingMessage } from './bus.js';
import { SendFailure, createWindowPublisher } from './publisher.js';

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
