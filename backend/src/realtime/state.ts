/**
 * Real-time state: what happened in the last two minutes, told by engines as they store, and who is alive. It may be lost
 * at any time without harm, because all of it comes back with the next flushes; what must be exact is asked of the store.
 */
import type { FlushSummary } from './summary.js';

/** What nobody renews is gone after so many seconds of clock time. */
export const ttlSeconds = 180;
/** A probe of which nothing was stored for so many seconds is not alive. */
export const probeTtlSeconds = 30;
/** An engine that says nothing for so many seconds is not alive. */
export const engineTtlSeconds = 10;

/** Counters of one probe over one window of packet time, sampled packets multiplied. */
export interface ProbeRate {
  readonly probe: string;
  /** beginning of the window, seconds since 1970 */
  readonly start: number;
  /** its width, seconds */
  readonly seconds: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface RealtimeHost {
  /** IPv4 dotted, or IPv6 (RFC 5952) */
  readonly address: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  /** latest packet, milliseconds since 1970 */
  readonly lastMs: number;
}

export interface ActiveHosts {
  /** most bytes first */
  readonly hosts: readonly RealtimeHost[];
  /** packet time covered, milliseconds since 1970, whole windows of flow rows; null when nothing is known */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** there are hosts that are not listed: beyond the limit, or too light to be kept */
  readonly truncated: boolean;
}

export interface RealtimeProbe {
  readonly id: string;
  readonly source: string;
  /** live flows, all partitions together */
  readonly flows: number;
  /** packet time of the latest flush, milliseconds since 1970; null when it held no packet */
  readonly lastMs: number | null;
}

/** An engine as it tells about itself. */
export interface EngineBeat {
  readonly id: string;
  readonly state: 'starting' | 'reading' | 'idle' | 'stopping';
  readonly source: string | null;
  readonly workers: number;
  readonly packetsRead: number;
  readonly packetsStored: number;
  readonly bytesStored: number;
  readonly flowsLive: number;
  /** milliseconds since 1970; null when not known */
  readonly watermarkMs: number | null;
  readonly memoryBytes: number;
  readonly limits: Readonly<Record<string, number>>;
}

/** Where an answer comes from. */
export type RealtimeSource = 'process' | 'redis';

export interface RealtimeView {
  readonly source: RealtimeSource;
  /** Rates by probe and window of the last `rateSeconds`, oldest first. */
  rates(): Promise<readonly ProbeRate[]>;
  /** Hosts that were active in the last `hostSeconds`. */
  hosts(limit: number): Promise<ActiveHosts>;
  probes(): Promise<readonly RealtimeProbe[]>;
  engines(): Promise<readonly EngineBeat[]>;
}

/** Takes what engines tell. Neither method throws, waits, or holds anybody up. */
export interface RealtimeSink {
  /** Once a flush is stored; the same one again changes nothing. */
  observeFlush(flush: FlushSummary): void;
  /** Every few seconds. */
  observeEngine(beat: EngineBeat): void;
}
