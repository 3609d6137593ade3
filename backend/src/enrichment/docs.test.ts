/** docs/enrichment.md: its filters are read, its configurations are right, and what it shows of a host is what comes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filterTables, parseFilter } from '@netspectra/query';
import { afterAll, describe, expect, it } from 'vitest';
import { cidrList, loadConfig } from '../config/index.js';
import { Enricher, createHostLookup } from './index.js';

const page = readFileSync(fileURLToPath(new URL('../../../docs/enrichment.md', import.meta.url)), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map((match) => match[1]!);
const folder = mkdtempSync(join(tmpdir(), 'netspectra-docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (yaml: string) => {
  const path = join(folder, 'netspectra.yaml');
  writeFileSync(path, yaml);
  return loadConfig({ path, env: {}, taskSchemas: [] });
};

describe('docs/enrichment.md', () => {
  const filters = blocks('filter').flatMap((block) => block.trim().split('\n'));
  it('has filters', () => expect(filters.length).toBeGreaterThan(4));
  it.each(filters)('reads %s', (text) => {
    const parsed = parseFilter(text);
    expect(parsed).toMatchObject({ ok: true });
    if (parsed.ok) expect(filterTables(parsed.filter)).toEqual(expect.arrayContaining(['flows', 'dns', 'http', 'tls']));
  });

  it.each(blocks('yaml').map((yaml, i) => [i, yaml] as const))('has a good configuration, number %i', (_, yaml) => {
    expect(() => load(yaml)).not.toThrow();
  });

  it('shows a host as it comes', async () => {
    const { networks } = load(blocks('yaml')[0]!);
    const enricher = new Enricher({
      networks: networks.map((network) => ({ name: network.name, cidr: cidrList(network), local: network.local })),
      country: null,
      asn: null,
    });
    const { lookupHosts } = createHostLookup({ enricher, reverseDns: null, scope: 'local', budgetMillis: 0 });
    const shown = JSON.parse(blocks('json')[0]!) as { address: string };
    expect(await lookupHosts([shown.address])).toEqual([shown]);
  });
});
