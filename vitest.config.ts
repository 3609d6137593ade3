import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Unit tests run on the sources; tests that start processes use the build.
    alias: [
      { find: '@netspectra/collector/bus', replacement: source('./collector/src/bus/index.ts') },
      { find: '@netspectra/collector/decode', replacement: source('./collector/src/decode/index.ts') },
      { find: '@netspectra/collector/filter', replacement: source('./collector/src/filter/index.ts') },
      { find: '@netspectra/collector/memory', replacement: source('./collector/src/memory/index.ts') },
      { find: '@netspectra/collector/probe', replacement: source('./collector/src/probe/index.ts') },
      { find: '@netspectra/proto', replacement: source('./proto/src/index.ts') },
      { find: '@netspectra/query', replacement: source('./query/src/index.ts') },
      { find: '@netspectra/collector', replacement: source('./collector/src/index.ts') },
      // Grafana's packages as CommonJS: their modules for the web name files in ways that only bundlers understand.
      {
        find: /^@grafana\/(ui|data|runtime|plugin-ui)$/,
        replacement: source('./node_modules/@grafana/$1/dist/cjs/index.cjs'),
      },
    ],
  },
  test: {
    include: [
      '{proto,query,collector,backend,plugin/server}/src/**/*.test.ts',
      'plugin/src/**/*.test.{ts,tsx}',
      'test/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks', // chDB keeps one store a process; a crash must not take the other tests along
    maxWorkers: 2,
    hookTimeout: 60_000, // hooks start them too
    testTimeout: 60_000, // tests that start processes share two cores; what hangs is still found
  },
});
