/** The datasource's settings: saved, tested, and a secret that never comes back. */
import { expect, expectAccessible, keepScreenshot, test } from '../fixtures/index.js';
import { themes } from '../fixtures/places.js';

for (const theme of themes)
  test.describe(`in the ${theme} theme`, () => {
    test.use({ theme });

    test('nobody is shut out', async ({ page, stage }) => {
      const { content } = await stage.openConfig({ url: stage.apiUrl });
      await content.getByRole('button', { name: /Limits/ }).click();
      await expect(content.getByLabel('Time range')).toBeVisible();
      await expectAccessible(page, content);
      await keepScreenshot(page, `config-editor-${theme}`);
    });
  });

test('a wrong URL is told, the right one works, a token is not shown again', async ({ page, stage, problems }) => {
  // The answer of a test that fails, as Grafana gives it.
  problems.expect(/^400 GET .*\/health$/);
  const { content, saveAndTest, outcome } = await stage.openConfig({ url: 'http://127.0.0.1:1' });
  await saveAndTest();
  await expect(outcome).toContainText('127.0.0.1:1');
  await keepScreenshot(page, 'config-wrong-url');

  await content.getByPlaceholder('http://127.0.0.1:8080').fill(stage.apiUrl);
  const secret = 'a-token-that-nobody-sees';
  const token = content.getByLabel(/^Token/);
  await token.fill(secret);
  const saved = page.waitForResponse((response) => response.request().method() === 'PUT');
  await saveAndTest();
  expect(await (await saved).text()).not.toContain(secret);
  await page.reload();
  await expect(token).toHaveValue('configured');
  expect(await page.content()).not.toContain(secret);

  await content.getByRole('button', { name: 'Reset' }).click();
  await expect(token).toHaveValue('');
  await saveAndTest();
  await expect(outcome).toContainText('NetSpectra');
  await expect(outcome).not.toContainText('127.0.0.1:1,');
  await keepScreenshot(page, 'config-right-url');
});

test('a limit out of bounds is told at its field', async ({ stage }) => {
  const { content } = await stage.openConfig({ url: stage.apiUrl });
  await content.getByRole('button', { name: /Limits/ }).click();
  await content.getByLabel('Rows').fill('0');
  await expect(content.getByRole('alert').filter({ hasText: /whole number|from 1/ })).toBeVisible();
});
