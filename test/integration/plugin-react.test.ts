/**
 * React of Grafana: 18 up to 13.1, 19 from 13.2. The built front end must run with both: it brings no React of its own and uses
 * nothing that 19 took away (react.dev/blog/2024/04/25/react-19-upgrade-guide), its bundled packages included.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { repository } from './process.js';

const cached = (name: string): unknown =>
  JSON.parse(readFileSync(join(repository, 'plugin/node_modules/.cache', name), 'utf8'));

describe('the built front end', () => {
  test('takes React from Grafana', () => {
    const externals = cached('frontend-externals.json') as Record<string, true | string[]>;
    expect(Object.keys(externals)).toEqual(expect.arrayContaining(['react', 'react-dom', 'react/jsx-runtime']));
    const packages = cached('frontend-packages.json') as string[];
    expect(packages.length).toBeGreaterThan(10);
    expect(
      packages.filter((name) => /^node_modules\/(?:.*node_modules\/)?(react|react-dom|react-is|scheduler)$/.test(name)),
    ).toEqual([]);
  });

  test('uses of react-dom what 18 and 19 have', () => {
    const { 'react-dom': used } = cached('frontend-externals.json') as { 'react-dom': string[] };
    expect(used.filter((name) => !['createPortal', 'flushSync'].includes(name))).toEqual([]);
  });

  test.each(['dist', 'dist/datasource'])('has nothing in %s that React 19 took away', (folder) => {
    const gone =
      /\.(findDOMNode|createFactory|unmountComponentAtNode|__SECRET_INTERNALS_DO_NOT_USE_OR_YOU_WILL_BE_FIRED|propTypes|contextTypes|childContextTypes|getChildContext)\b|\.defaultProps\s*=/g;
    const at = join(repository, 'plugin', folder);
    const scripts = readdirSync(at).filter((name) => name.endsWith('.js'));
    expect(scripts).toContain('module.js');
    const found = scripts.flatMap((name) =>
      [...readFileSync(join(at, name), 'utf8').matchAll(gone)].map(([text]) => `${name}: ${text}`),
    );
    expect(found).toEqual([]);
  });
});
