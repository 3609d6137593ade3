/** Opens what a platform has for live capture; loaded only when it is wanted, because it brings a native library. */
import { CaptureError } from '../errors.js';
import type { CompileExpression } from './libpcap.js';
import type { LiveSource, LiveSourceOptions } from './live-source.js';

/**
 * @param name interface name, or `any` for all of them
 * @throws CaptureError, in words for people
 */
export async function openLiveSource(name: string, options: LiveSourceOptions): Promise<LiveSource> {
  if (process.platform !== 'linux') {
    throw new CaptureError(
      'NS_CAPTURE_NOT_SUPPORTED',
      `${name}: capturing an interface needs Linux; elsewhere pipe it in: tcpdump -i ${name} -U -w - | netspectra up --read -`,
    );
  }
  const { AfPacketSource } = await import('./af-packet/af-packet-source.js');
  return new AfPacketSource(name, options);
}

/** The compiler of capture filters for the kernel, or undefined where libpcap is not installed. */
export async function loadFilterCompiler(): Promise<CompileExpression | undefined> {
  if (process.platform !== 'linux') return undefined;
  const { loadLibpcap } = await import('./libpcap.js');
  return loadLibpcap();
}
