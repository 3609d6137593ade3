/** A progress line on stderr, only when that is a terminal. */
import { basename } from 'node:path';
import type { RunProgress } from '../engine/manager.js';
import { scaled } from './text.js';

const barCells = 28;

/** `[=====>    ]  42 %  1.20 Mpackets  2.91 Mpackets/s` */
export function progressLine(progress: RunProgress, seconds: number): string {
  const rate = seconds > 0 ? progress.packets / seconds : 0;
  const counts = `${scaled(progress.packets, 'packets')}, ${scaled(rate, 'packets/s')}`;
  if (progress.size === null || progress.size === 0) return `${scaled(progress.read, 'B')} read, ${counts}`;
  const part = Math.min(1, progress.read / progress.size);
  const filled = Math.round(part * barCells);
  const bar = `${'='.repeat(filled)}${' '.repeat(barCells - filled)}`;
  return `[${bar}] ${String(Math.round(part * 100)).padStart(3)} %  ${counts}`;
}

/** Show progress five times a second until the returned function is called; it clears the line. */
export function showProgress(label: string, current: () => RunProgress): () => void {
  const out = process.stderr;
  if (!out.isTTY) return () => {};
  const started = process.hrtime.bigint();
  const draw = (): void => {
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    // One line: a longer one would wrap, and every redraw would leave a copy behind.
    const line = `${basename(label)} ${progressLine(current(), seconds)}`;
    out.write(`\r\x1b[K${line.slice(0, Math.max(20, (out.columns || 80) - 1))}`);
  };
  const timer = setInterval(draw, 200);
  return () => {
    clearInterval(timer);
    out.write('\r\x1b[K');
  };
}
