import fc from 'fast-check';
import { expect, test } from 'vitest';
import { liveViews } from '../contract/query.js';
import { liveQueryAt, livePath } from './path.js';

const none = new Uint8Array(0);
const query = fc.record({
  view: fc.constantFrom(...liveViews),
  filter: fc.string({ maxLength: 200, unit: 'binary' }),
});

test('a path names its query and fits into a channel of Grafana', () => {
  fc.assert(
    fc.property(query, query, (one, other) => {
      const path = livePath(one);
      expect(path).toMatch(/^[A-Za-z0-9_\-/=.]{1,116}$/);
      const data = Buffer.from(JSON.stringify(one));
      expect(liveQueryAt(path, data, undefined)).toEqual(one);
      expect(liveQueryAt(path, none, one)).toEqual(one);
      if (path.includes('/f_')) expect(liveQueryAt(path, none, undefined)).toEqual(one);
      else expect(liveQueryAt(path, none, undefined)).toBeUndefined();
      // The query of another path does not count.
      const found = liveQueryAt(path, Buffer.from(JSON.stringify(other)), other);
      if (found) expect(livePath(found)).toBe(path);
    }),
  );
});

test('anything else is no path', () => {
  fc.assert(
    fc.property(fc.string(), fc.uint8Array(), (path, data) => {
      expect(liveQueryAt(path, data, undefined)).toBeUndefined();
    }),
  );
  expect(liveQueryAt('live/rates/f_eA==', none, undefined)).toBeUndefined();
  expect(liveQueryAt('live/rates/f_eB', none, undefined)).toBeUndefined();
});
