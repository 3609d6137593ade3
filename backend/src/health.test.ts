import { describe, expect, it } from 'vitest';
import { HealthChecks, healthOf, lossStatus, readyText } from './health.js';

describe('dependencies of a process', () => {
  const ok = { name: 'a', ok: true, detail: 'fine' };
  const warn = { name: 'b', ok: false, optional: true, detail: 'away,\n for now' };
  const failed = { name: 'c', ok: false, detail: 'gone' };

  it('the worst decides, and each is a line', () => {
    expect(healthOf([ok]).status).toBe('ok');
    expect(healthOf([ok, warn]).status).toBe('warn');
    expect(healthOf([warn, failed, ok]).status).toBe('error');
    expect(healthOf([]).status).toBe('ok');
    expect(readyText([ok, warn, failed])).toBe('a: ok: fine\nb: warn: away, for now\nc: failed: gone\n');
  });

  it.each([
    [0, 'ok'],
    [0.001, 'ok'],
    [0.0011, 'warn'],
    [0.01, 'warn'],
    [0.0101, 'error'],
    [1, 'error'],
  ])('a share of %d lost is %s', (share, status) => {
    expect(healthOf([{ name: 'loss', ...lossStatus(share, 'of the last minute') }]).status).toBe(status);
  });

  it('a check that throws, rejects or never answers has failed, without its words', async () => {
    let aborted = false;
    const secret = new Error('password hunter2');
    const checks = new HealthChecks(
      [
        { name: 'good', check: () => ({ ok: true, detail: 'answers' }) },
        {
          name: 'throws',
          check: () => {
            throw secret;
          },
        },
        { name: 'rejects', check: () => Promise.reject(secret) },
        {
          name: 'silent',
          check: (signal) => {
            signal.addEventListener('abort', () => (aborted = true));
            return new Promise(() => {});
          },
        },
      ],
      { check: 20 },
    );
    expect(await checks.report()).toEqual({
      status: 'error',
      dependencies: [
        { name: 'good', ok: true, detail: 'answers' },
        { name: 'throws', ok: false, detail: 'does not answer' },
        { name: 'rejects', ok: false, detail: 'does not answer' },
        { name: 'silent', ok: false, detail: 'no answer in 0.02 s' },
      ],
    });
    expect(aborted).toBe(true);
  });

  it('however many ask, each dependency is asked once in the time an answer is fresh', async () => {
    let asked = 0;
    const check = { name: 'store', check: () => ({ ok: (asked += 1) > 0, detail: '' }) };
    const slow = new HealthChecks([check], { fresh: 60_000 });
    await Promise.all(Array.from({ length: 50 }, () => slow.report()));
    await slow.report();
    expect(asked).toBe(1);
    const never = new HealthChecks([check], { fresh: 0 });
    await never.report();
    await never.report();
    expect(asked).toBe(3);
  });
});
