/** What names a capture file's content, so that reading it again is recognised. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

const sampleBytes = 1 << 20;

/**
 * 64 bits of SHA-256 over the size and the first, middle and last mebibyte. A file that still grows is another one each
 * time it is read.
 */
export async function fileEpoch(path: string): Promise<bigint> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const hash = createHash('sha256').update(`${size}\n`);
    const buffer = new Uint8Array(sampleBytes);
    for (const start of [0, Math.floor(size / 2), Math.max(0, size - sampleBytes)]) {
      const { bytesRead } = await file.read(buffer, 0, sampleBytes, start);
      hash.update(buffer.subarray(0, bytesRead));
    }
    return hash.digest().readBigUInt64BE(0);
  } finally {
    await file.close();
  }
}
