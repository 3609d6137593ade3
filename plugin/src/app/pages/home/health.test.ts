// @vitest-environment jsdom
import '../../../testing/dom.js';
import { describe, expect, it } from 'vitest';
import { latestRange } from './health.js';

const now = Date.UTC(2026, 0, 2);
const hourMs = 3_600_000;

describe('where the explorer begins', () => {
  it('is its own last hour while traffic comes in, and when there is none', () => {
    expect(latestRange(now - hourMs / 2, now)).toEqual({});
    expect(latestRange(null, now)).toEqual({});
    expect(latestRange(undefined, now)).toEqual({});
  });

  it('is the hour of the latest traffic when that is older, as of a capture file', () => {
    const to = Date.UTC(2026, 0, 1, 0, 1);
    expect(latestRange(to - 400, now)).toEqual({ from: to - hourMs, to });
  });
});
