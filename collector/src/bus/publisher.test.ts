import { expect, it } from 'vitest';
import type { OutgoingMessage } from './bus.js';
import { createWindowPublisher } from './publisher.js';

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
