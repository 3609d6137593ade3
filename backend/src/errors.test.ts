import { describe, expect, it } from 'vitest';
import { errorCatalogue, UserError } from './errors.js';
import type { ErrorCode } from './errors.js';

describe('the error catalogue', () => {
  it('gives every code an exit code, an HTTP error status and a title', () => {
    for (const [code, entry] of Object.entries(errorCatalogue)) {
      expect(code).toMatch(/^NS_[A-Z]+(_[A-Z]+)*$/);
      expect([1, 2, 3]).toContain(entry.exitCode);
      expect(entry.status).toBeGreaterThanOrEqual(400);
      expect(entry.status).toBeLessThan(600);
      expect(entry.title.length).toBeGreaterThan(10);
    }
  });

  it('carries code, exit code, status and cause, and stays on one line', () => {
    const cause = new Error('below');
    const error = new UserError('NS_DATA_DIR_IN_USE', 'first\n  second', { cause });
    expect(error.message).toBe('first second');
    expect(error.code satisfies ErrorCode).toBe('NS_DATA_DIR_IN_USE');
    expect(error.exitCode).toBe(1);
    expect(error.status).toBe(503);
    expect(error.retry).toBe(true);
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
  });
});
