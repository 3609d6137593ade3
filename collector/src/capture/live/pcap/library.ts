/**
 * libpcap itself, where it is installed (Debian: libpcap0.8; part of macOS and the BSDs), through koffi. Its C interface has
 * been stable for decades; docs/decisions/014 says why it is not the npm package `pcap`.
 */
import koffi from 'koffi';

export type NativeLibrary = ReturnType<typeof koffi.load>;

const libraryNames: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: ['libpcap.so.1', 'libpcap.so.0.8', 'libpcap.so'],
  // The file need not be there: the loader has system libraries in its cache.
  darwin: ['/usr/lib/libpcap.A.dylib', 'libpcap.dylib'],
  freebsd: ['libpcap.so.8', 'libpcap.so'],
  openbsd: ['libpcap.so'],
};

/** What to do where it is missing. */
export const libraryHint = 'install libpcap (Debian: libpcap0.8, Fedora: libpcap, Alpine: libpcap)';

/** The library, or undefined where there is none. */
export function loadLibrary(): NativeLibrary | undefined {
  for (const name of libraryNames[process.platform] ?? []) {
    try {
      return koffi.load(name);
    } catch {
      // the next name
    }
  }
  return undefined;
}
