/** From all traffic to one flow, by links and by the filter, with the browser's way back. */
import { expect, keepScreenshot, test } from '../fixtures/index.js';
import { sampleHost, sampleRange } from '../fixtures/places.js';
import { QueryFields } from '../fixtures/query-fields.js';

const range = { from: String(sampleRange.from), to: String(sampleRange.to) };

test('overview, a host, its flows, and back', async ({ page, stage }) => {
  const content = await stage.openApp('explorer', range);
  await content.getByRole('gridcell', { name: sampleHost }).getByText(sampleHost).first().click();
  await page
    .getByRole('menuitem', { name: 'This host' })
    .or(page.getByRole('link', { name: 'This host' }))
    .click();
  await expect(content.getByRole('tab', { name: 'Host' })).toHaveAttribute('aria-selected', 'true');
  await expect(content.getByLabel('Host', { exact: true })).toHaveValue(sampleHost);
  await expect(content.getByRole('heading', { name: 'Sent to' })).toBeVisible();
  const { searchParams } = new URL(page.url());
  expect(searchParams.get('host')).toBe(sampleHost);
  expect(new Date(searchParams.get('from') ?? '').valueOf()).toBe(sampleRange.from);

  await content.getByRole('tab', { name: 'Flows' }).click();
  await expect(content.getByRole('heading', { name: 'Flow records' })).toBeVisible();
  await page.goBack();
  await expect(content.getByRole('tab', { name: 'Host' })).toHaveAttribute('aria-selected', 'true');
  await page.goBack();
  await expect(content.getByRole('heading', { name: 'Who sends' })).toBeVisible();
});

test('a filter narrows every panel and stands in the address', async ({ page, stage }) => {
  const content = await stage.openApp('explorer', range);
  await expect(content.getByRole('gridcell', { name: 'http', exact: true })).toBeVisible();
  await new QueryFields(page, content).typeFilter('application = dns');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+Enter');
  await expect(page).toHaveURL(/filter=application/);
  await expect(content.getByRole('gridcell', { name: 'http', exact: true })).toHaveCount(0);
  await expect(content.getByRole('gridcell', { name: 'dns', exact: true })).toBeVisible();
  await keepScreenshot(page, 'explorer-filtered');
  await content.getByRole('button', { name: 'Clear' }).click();
  await expect(content.getByRole('gridcell', { name: 'http', exact: true })).toBeVisible();
});
