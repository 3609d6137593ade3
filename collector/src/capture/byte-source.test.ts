import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCaptureFile, openCaptureStream, type CaptureInput, type CaptureStream } from './byte-source.js';
import { CaptureError, captureErrorCodes, captureErrorFrom } from './errors.js';
import { PullReader } from './source/pull-reader.js';
import { unzstdChunks } from './source/zstd.js';
import { sampleFrame, samplePcap, storedZstd } from './testing.js';

/** 400 lines "packet N of the capture" (N = i * i % 1000), by the zstd program: -19 --check, no content size. */
const zstdLines = Buffer.from(
  'KLUv/QRoNRAAdtw5E8BnOdu23nSb/68pySSTTKzea7I8ADEAMABuuR2RnY/k5vqIC03XV6W1RR/RJCMoHW7u0WjrX3IhYvbs0CqnABgQEg4HAQIFA8GhMGBQiMLBUCAQcBClvHzRiMv5US7C0aBszJae7KzSyV6VyHmvanFj4VurSbP39MrscCOVOypKwZiYyJwB85z0P5KaeWrNSTqzjzEcndmZUnMypdj5TjvNZNr3TlG8d+okG1GydRJH6YjnE9oM9Cp0nh7PeXJTlxyJRowsrOnXj0weffR9yhKaRlwuXE5eJU5+V1vxOXKGME5ElUorgUGoMazP/c8xV5IkaQ4SGEHgX4gmF/4R6gMN9BCgBEZ5TIDD4AgQj+AQZPyivOhc7pgYA5Tn/c6zkIgqStNDB4Gg4ZkQUYEIEP/OCMqqeCQDMTMUAiBIPgNxiAUmhgBwJLxjKGPbeekN7vdFxhfW0t/I4MNc3Oy48k8xzGZrObDxU7tEIzt4HLvMOPrGLLQayFtQu28DRflx2PcGASLBwSWq/qDBQlNBbZdB94LU7FE0wYfUPj8KEeXqxLzh5QFEsCdN/1CPVYqufa+W1RgwVPLG+UMWhxI1VtSw5cvTQBpLcKrcDhdmFuz8ZzAucso5GLzy0Ng0LjnBJ9yihXQ+/+2nKim4upRpYHUU2dtr/6+cgAqPv9YhDyxAqgI2tXrX',
  'base64',
);
const lines = Buffer.from(Array.from({ length: 400 }, (_, i) => `packet ${(i * i) % 1_000} of the capture\n`).join(''));
/** 300,000 times "x", by the zstd program: -3, three blocks. */
const zstdLetters = Buffer.from('KLUv/QRYVAAAEHh4AQD7/znAAgIAEHgDnwR4j3Kbog==', 'base64');
const letters = Buffer.alloc(300_000, 'x');

async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readAll(stream: CaptureStream): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of stream.chunks()) parts.push(chunk);
  return Buffer.concat(parts);
}

async function unpack(packed: Uint8Array, size = packed.length || 1) {
  const stream = await openCaptureStream(pieces(packed, size), 'x');
  const bytes = await readAll(stream);
  return { bytes, damage: stream.damage(), compression: stream.compression, read: stream.bytesRead() };
}

function asStream(input: CaptureInput): CaptureStream {
  if (input.kind !== 'stream') throw new Error('not a stream');
  return input;
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'capture-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
const put = (name: string, bytes: Uint8Array) => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

describe('openCaptureFile', () => {
  it('tells by content, not by name', async () => {
    const pcap = samplePcap();
    const path = put('looks-packed.gz', pcap);
    expect(await openCaptureFile(path)).toEqual({ kind: 'file', path, size: pcap.length });
    for (const [packed, compression] of [
      [gzipSync(pcap), 'gzip'],
      [storedZstd(pcap), 'zstd'],
    ] as const) {
      const stream = asStream(await openCaptureFile(put('plain.pcap', packed)));
      expect([stream.compression, stream.compressedSize]).toEqual([compression, packed.length]);
      expect(Buffer.compare(await readAll(stream), pcap)).toBe(0);
      expect([stream.bytesRead(), stream.damage()]).toEqual([packed.length, undefined]);
    }
  });

  it('an empty file is a file of no bytes', async () => {
    const path = put('empty', new Uint8Array(0));
    expect(await openCaptureFile(path)).toEqual({ kind: 'file', path, size: 0 });
  });

  it('reads a named pipe', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const pcap = samplePcap();
    const [input] = await Promise.all([
      openCaptureFile(path),
      import('node:fs/promises').then((fs) => fs.writeFile(path, gzipSync(pcap))),
    ]);
    const stream = asStream(input);
    expect(stream.compressedSize).toBeUndefined();
    expect(Buffer.compare(await readAll(stream), pcap)).toBe(0);
  });

  it('says in one line what to do about a path that cannot be read', async () => {
    const failure = async (path: string) => {
      const error: unknown = await openCaptureFile(path).catch((caught: unknown) => caught);
      if (!(error instanceof CaptureError)) throw new Error('no CaptureError');
      expect(error.message).toContain(path);
      expect(error.message).not.toContain('\n');
      return error.code;
    };
    expect(await failure(join(folder, 'absent.pcap'))).toBe('NS_CAPTURE_NOT_FOUND');
    expect(await failure(folder)).toBe('NS_CAPTURE_IS_DIRECTORY');
    expect(await failure(join(put('file', samplePcap()), 'below'))).toBe('NS_CAPTURE_NOT_FOUND');
    const secret = put('secret', samplePcap());
    chmodSync(secret, 0);
    // root may read it all the same
    if (process.getuid?.() !== 0) expect(await failure(secret)).toBe('NS_CAPTURE_NO_PERMISSION');
  });

  it.each([
    ['ENOENT', 'NS_CAPTURE_NOT_FOUND'],
    ['EACCES', 'NS_CAPTURE_NO_PERMISSION'],
    ['EISDIR', 'NS_CAPTURE_IS_DIRECTORY'],
    ['EMFILE', 'NS_CAPTURE_TOO_MANY_OPEN'],
    ['EIO', 'NS_CAPTURE_NOT_READABLE'],
  ])('%s is %s', (code, expected) => {
    const cause = Object.assign(new Error('failed'), { code });
    const error = captureErrorFrom('x.pcap', cause);
    expect(captureErrorCodes).toContain(error.code);
    expect([error.code, error.cause]).toEqual([expected, cause]);
  });
});

describe('streams', () => {
  it('gives plain bytes as they come, however small the pieces', async () => {
    for (const size of [1, 3, 1_000]) {
      const { bytes, damage, compression } = await unpack(samplePcap(), size);
      expect(Buffer.compare(bytes, samplePcap())).toBe(0);
      expect([damage, compression]).toEqual([undefined, 'none']);
    }
    expect((await unpack(new Uint8Array(0))).bytes).toHaveLength(0);
  });

  it('a source that fails keeps what came before and says where', async () => {
    async function* failing() {
      yield samplePcap();
      throw Object.assign(new Error('disk'), { code: 'EIO' });
    }
    const stream = await openCaptureStream(failing(), 'x.pcap');
    expect(Buffer.compare(await readAll(stream), samplePcap())).toBe(0);
    expect(stream.damage()).toMatchObject({ kind: 'read_failed', offset: samplePcap().length });
    expect(stream.damage()!.message).toContain('EIO');
  });

  it('closes its source when left early, and is read once', async () => {
    let closed = false;
    async function* source() {
      try {
        for (;;) yield samplePcap();
      } finally {
        closed = true;
      }
    }
    const stream = await openCaptureStream(source(), 'x');
    for await (const _ of stream.chunks()) break;
    expect(closed).toBe(true);
    await expect(readAll(stream)).rejects.toThrow(/only once/);
  });
});

describe('gzip', () => {
  const content = Buffer.concat(Array.from({ length: 2_000 }, (_, i) => sampleFrame(150, i * 7919)));
  const packed = gzipSync(content);

  it('reads several members, also through tiny pieces, and ignores zero padding', async () => {
    const members = Buffer.concat([
      gzipSync(content),
      gzipSync(Buffer.alloc(0)),
      gzipSync(samplePcap()),
      Buffer.alloc(600),
    ]);
    const expected = Buffer.concat([content, samplePcap()]);
    for (const size of [7, 1_000, members.length]) {
      const { bytes, damage } = await unpack(members, size);
      expect(Buffer.compare(bytes, expected)).toBe(0);
      expect(damage).toBeUndefined();
    }
  });

  it('a cut stream gives what zlib itself can give of it, and says where it ends', async () => {
    for (const length of [10, 12, 18, 100, packed.length - 9, packed.length - 8, packed.length - 1]) {
      const cut = packed.subarray(0, length);
      const { bytes, damage } = await unpack(cut);
      // The same bytes by the library's own way of tolerating a cut.
      const expected = gunzipSync(cut, { finishFlush: constants.Z_SYNC_FLUSH });
      expect(Buffer.compare(bytes, expected)).toBe(0);
      expect(damage).toMatchObject({ kind: 'compressed_stream', offset: length, outputOffset: bytes.length });
      expect(damage!.message).toMatch(/gzip: .*near byte \d+/);
    }
  });

  it('a wrong checksum loses nothing of the data', async () => {
    const wrong = Buffer.from(packed);
    wrong[wrong.length - 5]! ^= 1;
    const { bytes, damage } = await unpack(wrong);
    expect(Buffer.compare(bytes, content)).toBe(0);
    expect(damage!.message).toContain('incorrect data check');
  });

  it('damage in the middle keeps what came before, the same for every size of pieces', async () => {
    const noise = Buffer.from(Array.from({ length: 60_000 }, (_, i) => Math.imul(i ^ (i << 7), 2_654_435_761) >>> 24));
    const broken = gzipSync(noise, { level: 1 });
    const at = broken.length >>> 1;
    broken.fill(0xff, at, at + 64);
    const whole = await unpack(broken);
    expect(whole.damage).toMatchObject({ kind: 'compressed_stream' });
    expect(whole.bytes.length).toBeGreaterThan(noise.length / 4);
    for (const size of [100, 4_096]) {
      const got = await unpack(broken, size);
      expect(Buffer.compare(got.bytes, whole.bytes)).toBe(0);
      expect(got.damage).toEqual(whole.damage);
    }
  });

  it('bytes after the last member are damage, but cost nothing', async () => {
    const { bytes, damage } = await unpack(Buffer.concat([packed, Buffer.from('and now something else entirely')]));
    expect(bytes.length).toBeGreaterThan(content.length * 0.9);
    expect(damage).toMatchObject({ kind: 'compressed_stream' });
  });
});

describe('zstd', () => {
  const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);

  it.each([1, 5, 19, 100_000])('reads what the zstd program writes, in pieces of %i', async (size) => {
    expect((await unpack(zstdLines, size)).bytes.toString()).toBe(lines.toString());
    const { bytes, damage, read } = await unpack(zstdLetters, size);
    expect(Buffer.compare(bytes, letters)).toBe(0);
    expect([damage, read]).toEqual([undefined, zstdLetters.length]);
  });

  it('reads several frames and skippable ones, first, between and last', async () => {
    const packed = Buffer.concat([
      skippable,
      zstdLines,
      skippable,
      storedZstd(samplePcap(), 10),
      zstdLetters,
      skippable,
    ]);
    const expected = Buffer.concat([lines, samplePcap(), letters]);
    for (const size of [1, 50, packed.length]) {
      const { bytes, damage, compression } = await unpack(packed, size);
      expect(compression).toBe('zstd');
      expect(Buffer.compare(bytes, expected)).toBe(0);
      expect(damage).toBeUndefined();
    }
  });

  it('a wrong checksum is damage', async () => {
    for (const at of [zstdLines.length - 1, zstdLines.length - 4]) {
      const wrong = Buffer.from(zstdLines);
      wrong[at]! ^= 1;
      const { bytes, damage } = await unpack(wrong);
      expect(lines.subarray(0, bytes.length).equals(bytes)).toBe(true);
      expect(damage!.message).toMatch(/checksum/i);
    }
  });

  it('a cut stream keeps the blocks before the cut', async () => {
    const content = Buffer.from(sampleFrame(1_000, 3));
    const packed = storedZstd(content, 100);
    for (let length = 5; length < packed.length; length += 1) {
      const { bytes, damage } = await unpack(packed.subarray(0, length), 64);
      const blocks = Math.max(0, Math.floor((length - 6) / 103));
      expect(Buffer.compare(bytes, content.subarray(0, blocks * 100))).toBe(0);
      expect(damage!.message).toContain('zstd: unexpected end');
    }
  });

  it.each([
    ['a reserved block type', 6, 6, /block header/],
    ['a window of 2 TiB', 5, 31 << 3, /window/],
    ['a dictionary', 4, 1, /dictionary/],
    ['a reserved bit', 4, 8, /reserved/],
  ])('refuses %s', async (_name, at, value, message) => {
    const packed = storedZstd(sampleFrame(100, 1), 50);
    packed[at] = value;
    const { bytes, damage } = await unpack(packed);
    expect(bytes).toHaveLength(0);
    expect(damage!.message).toMatch(message);
  });

  it('a stream of tiny blocks with a huge window is given up, it does not keep busy for hours', async () => {
    const frame = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3]),
      ...Array<Buffer>(1_000).fill(Buffer.from([0x0a, 0, 0, 7])),
    ]);
    const reader = new PullReader(pieces(frame, 1_000));
    const faults: string[] = [];
    for await (const _ of unzstdChunks(reader, (message) => faults.push(message), null));
    expect(faults).toEqual(['zstd: blocks far too small for their window']);
    expect(reader.taken).toBeLessThan(frame.length / 2);
  });

  it('damaged bytes anywhere: no throw, and what is given is a beginning of the truth or of its length', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Uint8Array>(zstdLines, zstdLetters, gzipSync(lines)),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 20, max: 500 }),
        async (original, damage, size) => {
          const packed = Buffer.from(original);
          for (const [at, value] of damage) packed[4 + (at % (packed.length - 4))] = value;
          const { bytes, read } = await unpack(packed, size);
          expect(read).toBeLessThanOrEqual(packed.length);
          expect(bytes.length).toBeLessThan(10_000_000);
        },
      ),
      { numRuns: 300, interruptAfterTimeLimit: 3_000 },
    );
  });
});
