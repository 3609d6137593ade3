/** A query is built in the editor, and its panel draws what the API answers. */
import type { Locator } from '@playwright/test';
import { expect, expectAccessible, keepScreenshot, test } from '../fixtures/index.js';
import { sampleHost, sampleRange, themes } from '../fixtures/places.js';
import { QueryFields } from '../fixtures/query-fields.js';
import type { Stage } from '../fixtures/stage.js';

interface Column {
  readonly values: readonly (string | number)[];
}

/** What the API answers, asked directly through the datasource. */
async function direct({ request, uid }: Stage, query: object): Promise<readonly Column['values'][]> {
  const response = await request.post(`/api/datasources/uid/${uid}/resources/query`, {
    data: { ...sampleRange, queries: [{ refId: 'A', ...query }] },
  });
  const { results } = (await response.json()) as {
    results: { A: { frames: { data: { values: Column['values'][] } }[] } };
  };
  return results.A.frames[0]!.data.values;
}

/** The cells of a table's first column, from the top, as many as are drawn. */
const firstColumn = async (panel: Locator): Promise<string[]> => {
  const cells = await panel.getByRole('gridcell').and(panel.locator('[aria-colindex="1"]')).allTextContents();
  return cells.map((text) => text.trim());
};

for (const theme of themes)
  test.describe(`in the ${theme} theme`, () => {
    test.use({ theme });

    test('a new panel draws something at once, and nobody is shut out', async ({ page, stage }) => {
      const { panel, editor } = await stage.openPanel();
      await expect(panel.getByText('http', { exact: true })).toBeVisible();
      await expect(editor.locator('.monaco-editor .view-lines')).toBeVisible();
      await expectAccessible(page, editor);
      await keepScreenshot(page, `query-editor-${theme}`);
    });
  });

test('with keyboard and mouse: the panel shows what the API answers', async ({ page, stage }) => {
  const { panel, editor } = await stage.openPanel({ kind: 'table' });
  const fields = new QueryFields(page, editor);
  await fields.choose('Show', 'Table');
  await fields.choose('Group by', 'Server address');
  await editor.getByRole('button', { name: /Remove Application/ }).click();
  await fields.typeFilter('protocol = tcp');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+Enter');
  const query = {
    type: 'table',
    measures: ['bits_per_second'],
    groupBy: ['server_ip'],
    filter: 'protocol = tcp',
    other: true,
  };
  const [addresses = []] = await direct(stage, { ...query, limit: 10 });
  expect(addresses.length).toBeGreaterThan(5);
  await expect.poll(() => firstColumn(panel)).toEqual(addresses.map(String));
  await keepScreenshot(page, 'query-table');
});

test('completion offers dimensions, then addresses of the sample', async ({ page, stage }) => {
  const { editor } = await stage.openPanel();
  const fields = new QueryFields(page, editor);
  const offered = page.locator('.suggest-widget.visible .monaco-list-row');
  await fields.typeFilter('client_i');
  await expect(offered.filter({ hasText: 'client_ip' })).toBeVisible();
  await page.keyboard.press('Enter');
  await page.keyboard.type(' = 192.0.2.10');
  await page.keyboard.press('Control+Space');
  await expect(offered.filter({ hasText: sampleHost })).toBeVisible();
  await keepScreenshot(page, 'query-completion');
  await offered.filter({ hasText: sampleHost }).click();
  await page.keyboard.press('Shift+Enter');
  await expect(editor.locator('.view-lines').first()).toHaveText(new RegExp(`client_ip\\s=\\s${sampleHost}`));
});

test('a mistake in the filter is told in place, and put right with its suggestion', async ({ page, stage }) => {
  const { editor } = await stage.openPanel();
  const fields = new QueryFields(page, editor);
  await fields.typeFilter('protocl = tcp ');
  const problem = editor.getByRole('status').filter({ hasText: 'protocl' });
  await expect(problem).toContainText('Column 1');
  await expect(editor.locator('.squiggly-error')).toBeVisible();
  await page.keyboard.press('Escape');
  await keepScreenshot(page, 'query-mistake');
  await problem.getByRole('button', { name: 'Use protocol' }).click();
  await expect(problem).toBeHidden();
  await expect(editor.locator('.view-lines').first()).toHaveText(/protocol\s=\stcp/);
});

test('what the API refuses is told at the query', async ({ page, stage, problems }) => {
  problems.expect(/\/api\/ds\/query|QueryData|400/);
  const { editor } = await stage.openPanel({ query: { filter: 'src_ip = $nowhere' } });
  await expect(editor.getByText('The query failed')).toBeVisible();
  await expect(editor.getByText(/\$nowhere/).last()).toBeVisible();
  await expect(editor.locator('.monaco-editor .view-lines').first()).toHaveText(/nowhere/);
  await keepScreenshot(page, 'query-failed');
});

test('code mode: JSON both ways, and a mistake is not lost', async ({ page, stage }) => {
  const { panel, editor } = await stage.openPanel({ kind: 'table' });
  await editor.getByRole('radio', { name: 'Code' }).check({ force: true });
  const code = editor.locator('.monaco-editor').first();
  await expect(code.locator('.view-lines')).toContainText('bits_per_second');
  await code.click();
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  const query = { type: 'table', measures: ['packets'], groupBy: ['protocol'], limit: 3 };
  await page.keyboard.insertText(JSON.stringify(query));
  await editor.getByRole('radio', { name: 'Builder' }).click({ force: true });
  await expect(editor.getByRole('combobox', { name: 'Show' })).toHaveValue('Table');
  const [protocols = []] = await direct(stage, query);
  await expect.poll(() => firstColumn(panel)).toEqual(protocols.map(String));

  await editor.getByRole('radio', { name: 'Code' }).check({ force: true });
  await code.click();
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText('{"type": "tabel"}');
  await editor.getByRole('radio', { name: 'Builder' }).click({ force: true });
  await expect(page.getByRole('dialog', { name: 'Discard the text?' })).toBeVisible();
  await keepScreenshot(page, 'query-code-discard');
  await page.getByRole('button', { name: 'Discard' }).click();
  await expect(editor.getByRole('combobox', { name: 'Show' })).toHaveValue('Table');
});

test('a variable stands in for values', async ({ stage }) => {
  const query = { type: 'table', measures: ['bytes'], groupBy: ['client_ip'], filter: 'client_ip = $host', version: 1 };
  const { panel } = await stage.openPanel({ kind: 'table', query, variables: { host: sampleHost } });
  await expect.poll(() => firstColumn(panel)).toEqual([sampleHost]);
});

test('by keyboard alone', async ({ page, stage }) => {
  const { panel, editor } = await stage.openPanel({ kind: 'table' });
  const fields = new QueryFields(page, editor);
  await expect(editor.locator('.monaco-editor .view-lines')).toBeVisible();
  await fields.combobox('Show').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.type('Table');
  await expect(page.getByRole('option')).toHaveCount(1);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(fields.combobox('Show')).toHaveValue('Table');
  const into = async (target: Locator): Promise<void> => {
    for (let steps = 0; steps < 15; steps += 1) {
      await page.keyboard.press('Tab');
      if (await target.and(page.locator(':focus')).isVisible()) return;
    }
    throw new Error('Tab does not get there');
  };
  await into(fields.filter);
  await page.keyboard.type('application = dns');
  await page.keyboard.press('Escape');
  // Out of the code editor again, which would take Tab for itself.
  await into(editor.getByRole('textbox', { name: 'Limit' }));
  await page.keyboard.press('Control+A');
  await page.keyboard.type('3');
  await page.keyboard.press('Enter');
  await expect.poll(() => firstColumn(panel)).toEqual(['dns']);
});
