/** Expected results beside a capture, as made by tshark (../shared/corpus) or by scripts/expected-from-tshark.js. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Truth {
  packets: number;
  bytes_wire: number;
  bytes_captured: number;
  frames_with_layer: Record<string, { frames: number; bytes: number }>;
  conversations: Record<'tcp' | 'udp', unknown[]>;
  dns: {
    queries: number;
    responses: number;
    names: { proto: string; kind: string; qname: string; count: number }[];
  };
  http: {
    requests: number;
    responses: number;
    methods: Record<string, number>;
    hosts: Record<string, number>;
    status: Record<string, number>;
  };
  tshark?: { exit?: number };
}

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Real captures, not part of the repository: they hold real addresses. */
export const corpusFolder = join(root, '..', 'shared', 'corpus');
export const fixturesFolder = join(root, 'test', 'fixtures');

/** Captures of a folder that have an expectation file named after them. */
export function capturesWith(folder: string, suffix: string): { name: string; path: string; truth: Truth }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(suffix) && existsSync(join(folder, name.slice(0, -suffix.length))))
    .map((name) => {
      const capture = name.slice(0, -suffix.length);
      return {
        name: capture,
        path: join(folder, capture),
        truth: JSON.parse(readFileSync(join(folder, name), 'utf8')) as Truth,
      };
    });
}
