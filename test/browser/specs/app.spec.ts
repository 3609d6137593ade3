/** Every page of the app opens with its content, in both themes, without a mistake on the console, and nobody is shut out. */
import type { Locator, Page } from '@playwright/test';
import { expect, expectAccessible, keepScreenshot, test } from '../fixtures/index.js';
import { sampleHost, sampleRange, themes } from '../fixtures/places.js';
import type { AppPage } from '../fixtures/places.js';

const range = { from: String(sampleRange.from), to: String(sampleRange.to) };

interface OpenedPage {
  readonly name: string;
  readonly page: AppPage;
  /** pixels, for panels that draw only when they are in view */
  readonly height?: number;
  readonly parameters?: Readonly<Record<string, string>>;
  /** is there when the page is drawn */
  readonly drawn: (content: Locator) => Locator;
}

const cell = (content: Locator, text: string): Locator => content.getByRole('gridcell', { name: text }).first();

const pages: readonly OpenedPage[] = [
  { name: 'home', page: 'home', drawn: (content) => content.getByText('Capture loss') },
  {
    name: 'explorer',
    page: 'explorer',
    height: 1500,
    parameters: range,
    drawn: (content) => cell(content, sampleHost),
  },
  {
    name: 'explorer-host',
    page: 'explorer',
    height: 2400,
    parameters: { ...range, view: 'host', host: sampleHost },
    drawn: (content) => cell(content, '198.51.100.77'),
  },
  {
    name: 'explorer-flows',
    page: 'explorer',
    parameters: { ...range, view: 'flows', filter: `host = ${sampleHost}` },
    drawn: (content) => cell(content, sampleHost),
  },
  {
    name: 'explorer-graph',
    page: 'explorer',
    parameters: { ...range, view: 'graph' },
    drawn: (content) => content.getByText(sampleHost).first(),
  },
  {
    name: 'explorer-changes',
    page: 'explorer',
    parameters: { ...range, view: 'changes' },
    drawn: (content) => cell(content, sampleHost),
  },
  { name: 'probes', page: 'probes', drawn: (content) => content.getByRole('cell', { name: 'local' }).first() },
  { name: 'capture-rules', page: 'capture-rules', drawn: (content) => content.getByText(/No capture rules|Priority/) },
];

async function settled(page: Page, content: Locator): Promise<void> {
  await expect(content.getByLabel('Panel loading bar')).toHaveCount(0);
  await expect(content.getByText(/^Loading/)).toHaveCount(0);
  await page.waitForLoadState('networkidle');
}

for (const theme of themes)
  test.describe(`in the ${theme} theme`, () => {
    test.use({ theme });

    for (const { name, page: path, height = 900, parameters, drawn } of pages)
      test(`page ${name}`, async ({ page, stage }) => {
        await page.setViewportSize({ width: 1440, height });
        const content = await stage.openApp(path, parameters);
        await expect(drawn(content)).toBeVisible();
        await settled(page, content);
        await expectAccessible(page, content);
        await keepScreenshot(page, `app-${name}-${theme}`);
      });

    test('page configuration', async ({ page, stage }) => {
      const content = await stage.openAppConfig();
      await expect(content.getByRole('button', { name: 'Save', exact: true })).toBeVisible();
      await expectAccessible(page, content);
      await keepScreenshot(page, `app-config-${theme}`);
    });
  });
