/** The browser tests: docs/grafana.md, "Working on it". */
import { defineConfig } from '@playwright/test';
import { chromiumPath } from './test/browser/chromium.js';

export default defineConfig({
  testDir: 'test/browser/specs',
  outputDir: 'test/.output/playwright',
  globalSetup: './test/browser/setup.ts',
  fullyParallel: true,
  workers: 2,
  timeout: 45_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env['GRAFANA_URL'],
    viewport: { width: 1440, height: 900 },
    timezoneId: 'UTC',
    locale: 'en-US',
    contextOptions: { reducedMotion: 'reduce' },
    trace: 'off',
    launchOptions: {
      ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
