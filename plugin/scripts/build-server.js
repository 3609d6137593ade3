/**
 * Bundle the datasource's server side into one file, and lay the executables beside it that Grafana looks for:
 * plugin/dist/datasource/{backend.cjs, gpx_netspectra_linux_amd64, gpx_netspectra_linux_arm64}. Nothing else there is touched;
 * the front end's bundler must keep names that end so (docs/grafana-backend.md).
 */
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { savePackages } from './bundled-packages.js';

const plugin = fileURLToPath(new URL('../', import.meta.url));
const out = `${plugin}dist/datasource`;
mkdirSync(out, { recursive: true });

const { metafile } = await build({
  entryPoints: [`${plugin}server/dist/main.js`],
  outfile: `${out}/backend.cjs`,
  bundle: true,
  metafile: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  minify: true,
  keepNames: true, // names of classes stand in stack traces
  legalComments: 'none', // licences are files of the archive
  logLevel: 'warning',
});
const [made] = Object.values(metafile.outputs);
savePackages(
  'server',
  Object.keys(made.inputs).filter((file) => made.inputs[file].bytesInOutput > 0),
);

for (const arch of ['amd64', 'arm64']) {
  const name = `${out}/gpx_netspectra_linux_${arch}`;
  copyFileSync(`${plugin}server/launcher.sh`, name);
  chmodSync(name, 0o755);
}
