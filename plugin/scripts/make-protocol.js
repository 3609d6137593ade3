/**
 * Make src/rpc/protocol.generated.ts from proto/*.proto: the descriptors as data, so that the executable is one file and
 * needs no parser when it starts. `node plugin/scripts/make-protocol.js`; a test compares the two.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const folder = new URL('../server/', import.meta.url);

/** The text of the generated module. */
export function protocolModule() {
  const root = new protobuf.Root();
  for (const name of ['plugin', 'host', 'health']) {
    protobuf.parse(readFileSync(new URL(`proto/${name}.proto`, folder), 'utf8'), root, { keepCase: true });
  }
  root.resolveAll();
  const json = JSON.stringify(root.toJSON());
  return `/** Made by plugin/scripts/make-protocol.js from server/proto; do not edit. */\nexport const protocol: object = ${json};\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL('src/rpc/protocol.generated.ts', folder), protocolModule());
}
