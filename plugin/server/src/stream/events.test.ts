import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventsOf } from './events.js';

async function read(chunks: readonly string[]) {
  const events = [];
  const body = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  })();
  for await (const event of eventsOf(body)) events.push(event);
  return events;
}

test('events, whatever the ends of lines, and however they are cut', async () => {
  const stream = (end: string): string =>
    [
      'retry: 2000',
      '',
      ': comment',
      'event: traffic',
      'id: a-1',
      'data: {"x":',
      'data:1}',
      '',
      'data: two',
      '',
      'id: a-3',
      '',
      'event: cut',
      'data: no end',
    ].join(end);
  const expected = [
    { type: 'traffic', id: 'a-1', data: '{"x":\n1}' },
    { type: 'message', id: 'a-1', data: 'two' },
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.array(fc.integer({ min: 1, max: 20 })),
      async (end, cuts) => {
        const text = stream(end);
        const chunks: string[] = [];
        let at = 0;
        for (const length of [...cuts, text.length]) {
          chunks.push(text.slice(at, at + length));
          at += length;
        }
        expect(await read(chunks)).toEqual(expected);
      },
    ),
  );
});

test('an event without end is refused', async () => {
  await expect(read(Array.from({ length: 5 }, () => 'x'.repeat(1024 * 1024)))).rejects.toThrow(/without end/);
});
