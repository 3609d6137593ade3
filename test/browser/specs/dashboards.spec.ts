/** Each bundled dashboard, over the sample: no query fails, no panel is empty that should not be. */
import type { Page } from '@playwright/test';
import { panelsOf, readDashboards } from '../../kit/dashboards.js';
import { expect, keepScreenshot, test } from '../fixtures/index.js';

/** What panels say to which the sample gives nothing. */
const empty: Readonly<Record<string, string>> = { Events: 'No alerts and no detector events in this time range' };

/** Pixels of a line of Grafana's grid, with the gap below it. */
const linePx = 38;

async function expectDrawn(page: Page, title: string, type: string): Promise<void> {
  const named = page.getByTestId(`data-testid Panel header ${title}`);
  // A number above has the name of the series below it.
  const panel = type === 'timeseries' ? named.last() : named.first();
  await expect(panel, title).toBeVisible();
  const content = panel.getByTestId('data-testid panel content');
  // A panel that is still empty has no "No data" either.
  if (type === 'timeseries') await expect(content.locator('canvas'), title).toBeVisible();
  else await expect(content, title).not.toBeEmpty();
  await expect(panel.getByText('No data'), title).toHaveCount(0);
  if (empty[title] !== undefined) await expect(panel.getByText(empty[title])).toBeVisible();
  await expect(panel.getByTestId('data-testid Panel status error'), title).toHaveCount(0);
}

for (const [i, [file, dashboard]] of readDashboards().entries())
  test.describe(() => {
    test.use({ theme: i % 2 === 0 ? 'dark' : 'light' });

    test(`${dashboard.title}`, async ({ page, stage }) => {
      const shown = (dashboard.panels ?? []).filter((panel) => panel.type !== 'row');
      const lines = Math.max(...shown.map(({ gridPos }) => gridPos!.y + gridPos!.h));
      await page.setViewportSize({ width: 1600, height: 300 + lines * linePx });
      const content = await stage.openDashboard(dashboard.uid!);
      await expect(content.getByText(shown[0]!.title!).first()).toBeVisible();
      await page.waitForLoadState('networkidle');
      for (const { title = '', type } of panelsOf({ ...dashboard, panels: shown }))
        await expectDrawn(page, title, type);
      await keepScreenshot(page, `dashboard-${file.replace('.json', '')}`);
    });
  });
