/** The editors of template variables and annotations. */
import { expect, expectAccessible, keepScreenshot, test } from '../fixtures/index.js';
import { sampleHost, themes } from '../fixtures/places.js';

for (const theme of themes)
  test.describe(`in the ${theme} theme`, () => {
    test.use({ theme });

    test('a variable offers values of a dimension', async ({ page, stage }) => {
      const { content, run, values } = await stage.openVariable();
      const dimension = content.getByRole('combobox', { name: 'Dimension' });
      await dimension.click();
      await dimension.fill('client_ip');
      await page.getByRole('option').first().click();
      await run();
      await expect(values.filter({ hasText: sampleHost })).toBeVisible();
      await expectAccessible(page, content);
      await keepScreenshot(page, `variable-editor-${theme}`);
    });

    test('an annotation asks for alerts', async ({ page, stage }) => {
      const { content, run, outcome } = await stage.openAnnotation();
      const severity = content.getByRole('combobox', { name: 'Severity' });
      await severity.click();
      await page.getByRole('option', { name: 'Critical' }).click();
      await run();
      await expect(outcome).toContainText(/events? found/);
      await expectAccessible(page, content);
      await keepScreenshot(page, `annotation-editor-${theme}`);
    });
  });
