import { test } from '@playwright/test';
test('smoke', async ({ page }) => {
  page.on('console', (m) => console.log('CONSOLE', m.type(), m.text()));
  page.on('pageerror', (e) => console.log('ERROR', e.stack));
  page.on('requestfailed', (r) => console.log('FAILED', r.url()));
  page.on('response', (r) => r.status() >= 400 && console.log(r.status(), r.url()));
  const url = process.env['BROWSER_TEST_HOST']!;
  await page.goto(url + '/host/panel?from=1767225600000&to=1767225660000');
  await page.waitForTimeout(6000);
  await page.screenshot({ path: 'test/.output/browser/smoke.png', fullPage: true });
});
