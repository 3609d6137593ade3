/** Captured names are whatever a sender puts on the wire. Markup in them is text, wherever they show. */
import type { Page } from '@playwright/test';
import { expect, keepScreenshot, test } from '../fixtures/index.js';
import { sampleRange } from '../fixtures/places.js';
import { hostileClient, hostileFlag, hostileName } from '../hostile.js';

const range = { from: String(sampleRange.from), to: String(sampleRange.to) };

const expectNothingRan = async (page: Page): Promise<void> => {
  await expect(page.locator('img[src="x"]')).toHaveCount(0);
  expect(await page.evaluate((flag) => flag in globalThis, hostileFlag)).toBe(false);
};

const columns = [
  { dimension: 'dns_name', measure: 'dns_queries', where: 'dns' },
  { dimension: 'http_host', measure: 'http_requests', where: 'host' },
  { dimension: 'http_user_agent', measure: 'http_requests', where: 'agent' },
  { dimension: 'tls_server_name', measure: 'tls_client_hellos', where: 'sni' },
];

for (const { dimension, measure, where } of columns)
  test(`${dimension} in a table and a legend`, async ({ page, stage }) => {
    const base = { version: 1, measures: [measure], groupBy: [dimension], limit: 100 };
    const filter = `client_ip = ${hostileClient}`;
    const table = await stage.openPanel({ kind: 'table', query: { ...base, type: 'table', filter } });
    await expect(table.panel.getByText(hostileName(where))).toBeVisible();
    await expectNothingRan(page);
    const series = await stage.openPanel({ query: { ...base, type: 'timeseries', filter } });
    await expect(series.panel.getByText(hostileName(where))).toBeVisible();
    // The tooltip at the middle of the panel.
    const box = await series.panel.locator('.u-over').boundingBox();
    if (box) await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await expectNothingRan(page);
  });

test('names in the explorer: cells, links, and the filter that they become', async ({ page, stage }) => {
  await page.setViewportSize({ width: 1440, height: 2400 });
  const content = await stage.openApp('explorer', { ...range, view: 'host', host: hostileClient });
  const name = content.getByText(hostileName('dns')).first();
  await expect(name).toBeVisible();
  await keepScreenshot(page, 'hostile-names');
  // At its beginning: a long text runs over the next cell.
  await name.click({ position: { x: 8, y: 8 } });
  await expect(content.locator('.view-lines').first()).toContainText(`alt=dns>`);
  await expectNothingRan(page);
});

test('completion offers them as text', async ({ page, stage }) => {
  const { editor } = await stage.openPanel();
  await editor.locator('.monaco-editor').first().click();
  await page.keyboard.type('http_host = "<im');
  await page.keyboard.press('Control+Space');
  await expect(page.locator('.suggest-widget.visible .monaco-list-row').filter({ hasText: 'onerror' })).toBeVisible();
  await expectNothingRan(page);
});

test('the names are dangerous: taken for HTML they run', async ({ page }) => {
  await page.setContent(hostileName('control'));
  await expect.poll(() => page.evaluate((flag) => flag in globalThis, hostileFlag)).toBe(true);
});
