/** Opens what a platform has for live capture; loaded only when it is wanted, because it brings a native library. */
import { CaptureError } from '../errors.js';
import type { LiveSource, LiveSourceOptions } from './live-source.js';
import type { CompileExpression } from './pcap/filter-compiler.js';

/** How interfaces are captured: af_packet is the ring of Linux, pcap libpcap; auto is the first where there is one. */
export type LiveSourceKind = 'auto' | 'af_packet' | 'pcap';

/**
 * @param name interface name, or `any` for all of them
 * @throws CaptureError, in words for people
 */
export async function openLiveSource(
  name: string,
  options: LiveSourceOptions,
  kind: LiveSourceKind = 'auto',
): Promise<LiveSource> {
  const isLinux = process.platform === 'linux';
  if (kind === 'af_packet' && !isLinux)
    throw new CaptureError(
      'NS_CAPTURE_NOT_SUPPORTED',
      `${name}: only Linux has packet sockets; set capture.source to auto or pcap`,
    );
  if (kind === 'pcap' || (kind === 'auto' && !isLinux)) return openWithLibpcap(name, options);
  const { AfPacketSource } = await import('./af-packet/af-packet-source.js');
  return new AfPacketSource(name, options);
}

async function openWithLibpcap(name: string, options: LiveSourceOptions): Promise<LiveSource> {
  if (options.fanout)
    throw new CaptureError(
      'NS_CAPTURE_NOT_SUPPORTED',
      `${name}: libpcap has one ring for an interface; set capture.rings to 1`,
    );
  const { libraryHint, loadLibrary } = await import('./pcap/library.js');
  const library = loadLibrary();
  if (!library)
    throw new CaptureError(
      'NS_CAPTURE_NOT_SUPPORTED',
      `${name}: capturing an interface here needs libpcap: ${libraryHint}, ` +
        `or pipe a capture in: tcpdump -i ${name} -U -w - | netspectra probe --read -`,
    );
  const { PcapSource } = await import('./pcap/pcap-source.js');
  return new PcapSource(library, name, options);
}

/** The compiler of capture filters for the kernel, or undefined where libpcap is not installed. */
export async function loadFilterCompiler(): Promise<CompileExpression | undefined> {
  const { loadCompiler } = await import('./pcap/filter-compiler.js');
  return loadCompiler();
}
