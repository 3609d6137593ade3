import fc from 'fast-check';
import { expect, test } from 'vitest';
import { routes } from '../contract/routes.js';
import { PluginError } from '../errors.js';
import { targetOf } from './target.js';

/** Pieces from which attacks are made. */
const piece = fc.oneof(
  fc.constantFrom(
    'rules',
    'tokens',
    'query',
    'hosts',
    'active',
    'test',
    'audit',
    'capture-rules',
    'history',
    'abc',
    '192.0.2.7',
  ),
  fc.constantFrom(
    '..',
    '.',
    '',
    '%2e',
    '%2e%2e',
    '%2f',
    '%5c',
    '%00',
    '%0d%0a',
    '%25',
    '\\',
    '/',
    '//',
    '@',
    ':',
    '?',
    '#',
    ';',
    '%',
    '~',
  ),
  fc.string({ maxLength: 4 }),
);
const path = fc.array(piece, { maxLength: 6 }).chain((parts) => fc.constantFrom(parts.join('/'), parts.join('')));

test('whatever the path, it leads to a listed route, written plainly, or nowhere', () => {
  const patterns = routes.map(
    ({ method, path: of }) =>
      [method, new RegExp(`^/api/v1/${of.replace(/:\w+/g, '[A-Za-z0-9_~@:.%-]{1,400}')}(\\?[!-~]*)?$`)] as const,
  );
  fc.assert(
    fc.property(path, fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'), fc.string(), (text, method, query) => {
      let target;
      try {
        target = targetOf(method, text, `${text}?${query}`, 'Admin');
      } catch (error) {
        expect(error).toBeInstanceOf(PluginError);
        return;
      }
      const { path: made } = target;
      expect(patterns.some(([of, pattern]) => of === method && pattern.test(made))).toBe(true);
      const [plain = ''] = made.split('?', 1);
      expect(decodeURIComponent(plain)).not.toMatch(/[\\%\s]|\/\/|\/\.{1,2}(\/|$)/);
      // As a server would read it, it is still the same path.
      expect(new URL(made, 'http://api.invalid').pathname).toBe(plain);
    }),
    { numRuns: 2_000 },
  );
});

test('roles are compared as Grafana names them', () => {
  const may = (role: string) => {
    try {
      return targetOf('POST', 'capture-rules', '', role).route.path;
    } catch (error) {
      return (error as PluginError).status;
    }
  };
  expect(['', 'None', 'Viewer', 'Editor', 'admin', 'ADMIN', 'Admin'].map(may)).toEqual([
    403,
    403,
    403,
    403,
    403,
    403,
    'capture-rules',
  ]);
});
