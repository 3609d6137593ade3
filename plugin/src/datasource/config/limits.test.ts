import { describe, expect, it } from 'vitest';
import { limitProblem, limitText, withLimit } from './limits.js';

describe('limits of the settings', () => {
  it('are kept as numbers, and go where the text is empty', () => {
    const some = withLimit(withLimit({}, 'rows', '1000'), 'timeoutSeconds', '60');
    expect(some).toEqual({ limits: { rows: 1000 }, timeout: 60 });
    expect(limitText(some, 'rows')).toBe('1000');
    expect(limitText(some, 'timeoutSeconds')).toBe('60');
    expect(withLimit(some, 'rows', ' ')).toEqual({ timeout: 60 });
    expect(withLimit(some, 'timeoutSeconds', '')).toEqual({ limits: { rows: 1000 } });
    expect(withLimit(withLimit(some, 'requests', '2'), 'rows', '')).toEqual({ limits: { requests: 2 }, timeout: 60 });
  });

  it('say what they take', () => {
    expect(limitProblem('requests', '')).toBeUndefined();
    expect(limitProblem('requests', '64')).toBeUndefined();
    for (const text of ['0', '65', '1.5', 'many', '-1']) {
      expect(limitProblem('requests', text)).toBe('a whole number from 1 to 64');
    }
  });
});
