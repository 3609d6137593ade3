/** Capture rules: administrators make, change and delete them; a viewer is offered nothing that would be refused. */
import { expect, expectAccessible, keepScreenshot, test } from '../fixtures/index.js';
import { themes } from '../fixtures/places.js';

for (const theme of themes)
  test.describe(`in the ${theme} theme`, () => {
    test.use({ theme });

    test('an administrator makes a rule, changes it and deletes it', async ({ page, stage }) => {
      const name = `Voice in the ${theme}`;
      const content = await stage.openApp('capture-rules');
      await content.getByRole('button', { name: 'New capture rule' }).first().click();
      const form = page.getByRole('dialog');
      await form.getByRole('button', { name: 'Save' }).click();
      await expect(form.getByRole('alert').first()).toBeVisible();
      await form.getByRole('textbox', { name: /^Name/ }).fill(name);
      await form.locator('.monaco-editor').first().click();
      await page.keyboard.type('udp and dst_port = 5060');
      await page.keyboard.press('Escape');
      const action = form.getByRole('combobox', { name: 'Action' });
      await action.click();
      await page.getByRole('option', { name: 'Sample' }).click();
      await form.getByLabel('One of').fill('10');
      await expectAccessible(page, form);
      await keepScreenshot(page, `capture-rule-form-${theme}`);
      await form.getByRole('button', { name: 'Save' }).click();
      await expect(form).toBeHidden();
      const row = content.getByRole('row').filter({ hasText: name });
      await expect(row).toContainText('udp and dst_port = 5060');
      // The form's button has the focus again, in a colour that Grafana chose.
      await row.getByRole('button', { name: `Edit ${name}` }).focus();
      await expectAccessible(page, content);
      await keepScreenshot(page, `capture-rules-filled-${theme}`);

      await row.getByRole('button', { name: `Edit ${name}` }).click();
      await form.getByLabel('Priority').fill('7');
      await form.getByRole('button', { name: 'Save' }).click();
      await expect(row.getByRole('cell', { name: '7', exact: true })).toBeVisible();

      await row.getByRole('button', { name: `Delete ${name}` }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
      await expect(row).toHaveCount(0);
    });
  });

test.describe('a viewer', () => {
  test.use({ role: 'Viewer' });

  test('sees the rules and is offered no change, and is refused one', async ({ page, stage, problems }) => {
    problems.expect(/^403 POST /);
    const content = await stage.openApp('capture-rules');
    await expect(content.getByText(/No capture rules|Priority/)).toBeVisible();
    await expect(content.getByRole('button', { name: /New capture rule|Edit|Delete/ })).toHaveCount(0);
    await keepScreenshot(page, 'capture-rules-viewer');
    const refused = await stage.request.post(`/api/datasources/uid/${stage.uid}/resources/capture-rules`, {
      data: { name: 'x', action: { type: 'drop' }, filter: '', probes: ['*'], priority: 1, enabled: true },
    });
    expect(refused.status()).toBe(403);
  });
});
