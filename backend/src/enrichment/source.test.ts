import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { mmdb } from '../../../test/kit/mmdb.js';
import { openEnrichment } from './source.js';
import { words } from './testing.js';

const folder = mkdtempSync(join(tmpdir(), 'netspectra-enrichment-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const written = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const countries = (code: string) => mmdb({ records: { '5.0.0.0/8': { country_code: code } }, type: 'Countries' });
const systems = mmdb({ records: { '5.0.0.0/8': { asn: 'AS64500', as_name: 'x' } }, type: 'Systems' });
const open = (countryFile: string, asnFile = '') =>
  openEnrichment({ networks: [], countryFile, asnFile, checkMillis: 0 });

describe('opening', () => {
  it('works without files', async () => {
    const source = await open('');
    expect(source.databases).toEqual([]);
    expect(source.enricher.place(source.enricher.find(...words('10.0.0.1')))).toMatchObject({ local: true });
    source.close();
  });

  it('says which file is wrong and how, in one line', async () => {
    const missing = join(folder, 'none.mmdb');
    const [country, asn, text] = [
      written('country.mmdb', countries('DE')),
      written('asn.mmdb', systems),
      written('text.mmdb', Buffer.from('no database')),
    ];
    const refused = async (files: [string, string], code: string, message: string) =>
      expect(open(...files)).rejects.toMatchObject({ code, message });
    await refused([missing, ''], 'NS_FILE_NOT_FOUND', `enrichment.country_file: ${missing}: there is no such file`);
    await refused([folder, ''], 'NS_FILE_NOT_FOUND', `enrichment.country_file: ${folder}: it is a folder`);
    await refused(
      ['', text],
      'NS_CONFIG_INVALID',
      `enrichment.asn_file: ${text}: it is no MMDB file, or a damaged one; get it again`,
    );
    await refused(
      [asn, ''],
      'NS_CONFIG_INVALID',
      `enrichment.country_file: ${asn}: this database (Systems) has no countries: name one that has`,
    );
    await refused(
      [country, country],
      'NS_CONFIG_INVALID',
      `enrichment.asn_file: ${country}: this database (Countries) has no AS numbers: name one that has`,
    );
  });

  it('takes both from one file', async () => {
    const both = written('both.mmdb', mmdb({ records: { '5.0.0.0/8': { country_code: 'DE', asn: 'AS1' } } }));
    const source = await open(both, both);
    expect(source.enricher.place(source.enricher.find(...words('5.1.1.1')))).toMatchObject({ country: 'DE', asn: 1 });
    expect(source.data.asn).toBe(source.data.country); // held once
    source.close();
  });
});

describe('a file that changes', () => {
  let stamp = 1_800_000_000;
  /** Another file in its place, as updates do it; the time is set so that no clock is too coarse. */
  const replace = (path: string, bytes: Uint8Array): void => {
    writeFileSync(`${path}.new`, bytes);
    stamp += 10;
    utimesSync(`${path}.new`, stamp, stamp);
    renameSync(`${path}.new`, path);
  };

  it('is read again once it stays as it is; a broken one is refused, once', async () => {
    const path = written('changing.mmdb', countries('DE'));
    const warnings: object[] = [];
    const source = await openEnrichment(
      { networks: [], countryFile: path, asnFile: '', checkMillis: 0 },
      { info: () => undefined, warn: (fields) => warnings.push(fields) },
    );
    const told: string[] = [];
    const stop = source.onChange((data) => told.push(String(data.country?.byteLength)));
    const country = (): string => source.enricher.place(source.enricher.find(...words('5.1.1.1'))).country;
    await source.check();
    expect([country(), told]).toEqual(['DE', []]);

    replace(path, countries('FR'));
    await source.check(); // noticed
    expect(country()).toBe('DE');
    await source.check(); // the same as a moment ago: whole
    expect([country(), told.length, source.counters.reloads]).toEqual(['FR', 1, 1]);

    replace(path, countries('NL').subarray(0, 100));
    for (let i = 0; i < 4; i += 1) await source.check();
    expect([country(), told.length, source.counters.refused, warnings.length]).toEqual(['FR', 1, 1, 1]);
    expect(warnings[0]).toMatchObject({ key: 'country_file', path });

    rmSync(path);
    for (let i = 0; i < 2; i += 1) await source.check();
    expect(country()).toBe('FR');

    stop();
    replace(path, countries('SE'));
    for (let i = 0; i < 2; i += 1) await source.check();
    expect([country(), told.length]).toEqual(['SE', 1]);
    source.close();
  });

  it('is looked at from time to time', async () => {
    const path = written('timed.mmdb', countries('DE'));
    const source = await openEnrichment({ networks: [], countryFile: path, asnFile: '', checkMillis: 5 });
    const changed = new Promise<void>((resolve) => source.onChange(() => resolve()));
    replace(path, countries('FR'));
    const alive = setInterval(() => undefined, 1000); // the source's own timer keeps no process alive
    await changed;
    clearInterval(alive);
    expect(source.enricher.place(source.enricher.find(...words('5.1.1.1'))).country).toBe('FR');
    source.close();
  });
});
