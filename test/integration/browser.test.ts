/**
 * What runs in the browser really does: the packages, as their `exports` offer them, are bundled for a browser, and the
 * bundle runs where there is nothing of Node.
 */
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;

/** One program that uses all of it: a frame is decoded, filtered, and the same filter becomes SQL and completions. */
const program = `
  import { PacketBatch, decodePacketBatch, encodePacketBatch } from '@netspectra/proto';
  import { compileSql, completeFilter, measures, parseFilter } from '@netspectra/query';
  import { PacketDecoder } from '@netspectra/collector/decode';
  import { compilePacketFilter } from '@netspectra/collector/filter';

  /** Ethernet, IPv4 192.0.2.7 -> 192.0.2.8, UDP 5353 -> 53, no payload (RFC 791, RFC 768) */
  const frame = Uint8Array.from(
    ('020000000001020000000002' + '0800' + '4500001c00000000' + '40110000' + 'c0000207' + 'c0000208' + '14e90035' + '00080000')
      .match(/../g)
      .map((byte) => parseInt(byte, 16)),
  );
  const batch = new PacketBatch(4, 64);
  new PacketDecoder().decode(frame, 0, frame.length, frame.length, 1, 1, 0, 0, batch);

  export function kept(text) {
    const parsed = parseFilter(text);
    if (!parsed.ok) return parsed.errors[0].message;
    const compiled = compilePacketFilter(parsed.filter);
    if (!compiled.ok) return compiled.problems[0].message;
    return compiled.filter.mark(batch, new Uint8Array(batch.count));
  }
  export const wire = [typeof encodePacketBatch, typeof decodePacketBatch];
  export const names = [typeof compileSql, typeof completeFilter, Object.keys(measures).length > 0];
`;

describe('in a browser', () => {
  it('frames are decoded and filtered by the code that also runs in Node', async () => {
    const result = await build({
      stdin: { contents: program, resolveDir: root, loader: 'ts' },
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'netspectra',
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    expect(result.warnings).toEqual([]);
    const inputs = Object.entries(result.metafile.inputs);
    const foreign = inputs.flatMap(([path, { imports }]) =>
      imports.filter((one) => one.external).map((one) => `${path}: ${one.path}`),
    );
    expect(foreign).toEqual([]);
    expect(inputs.filter(([path]) => path.includes('collector/dist/capture'))).toEqual([]);

    // No process, Buffer or require: only what every browser has.
    const page = createContext({ TextDecoder, TextEncoder });
    runInContext(result.outputFiles[0]!.text, page);
    const ask = (expression: string): unknown =>
      JSON.parse(runInContext(`JSON.stringify(${expression})`, page) as string);
    expect(ask(`netspectra.kept('host 192.0.2.7 and udp port 53')`)).toBe(1);
    expect(ask(`netspectra.kept('tcp')`)).toBe(0);
    expect(ask(`netspectra.kept('port 99999')`)).toMatch(/99999/);
    expect(ask(`netspectra.kept('rtt > 5ms')`)).toMatch(/^cannot be asked of a single packet because rtt/);
    expect(ask('netspectra.wire')).toEqual(['function', 'function']);
    expect(ask('netspectra.names')).toEqual(['function', 'function', true]);
  });
});
