/** Answers out of sums by window: the same whether the sums were kept in this process or in Redis. */
import { hostSeconds, rateSeconds } from './spans.js';
import type { ActiveHosts, ProbeRate, RealtimeHost } from './state.js';

export interface WindowOfHosts {
  /** seconds since 1970 */
  readonly start: number;
  readonly seconds: number;
  readonly hosts: Iterable<readonly [address: string, host: Omit<RealtimeHost, 'address'>]>;
  /** it had hosts that were not kept */
  readonly leftOut: boolean;
}

/** The latest windows of the last minute put together, the heaviest hosts first. */
export function activeHosts(windows: readonly WindowOfHosts[], limit: number): ActiveHosts {
  const newest = windows.reduce((max, { start, seconds }) => Math.max(max, start + seconds), 0);
  const recent = windows.filter(({ start, seconds }) => start + seconds > newest - hostSeconds);
  if (recent.length === 0) return { hosts: [], fromMs: null, toMs: null, truncated: false };
  const sums = new Map<string, RealtimeHost>();
  for (const { hosts } of recent) {
    for (const [address, host] of hosts) {
      const sum = sums.get(address);
      sums.set(address, {
        address,
        bytesSent: (sum?.bytesSent ?? 0) + host.bytesSent,
        bytesReceived: (sum?.bytesReceived ?? 0) + host.bytesReceived,
        packetsSent: (sum?.packetsSent ?? 0) + host.packetsSent,
        packetsReceived: (sum?.packetsReceived ?? 0) + host.packetsReceived,
        lastMs: Math.max(sum?.lastMs ?? 0, host.lastMs),
      });
    }
  }
  const weight = (host: RealtimeHost): number => host.bytesSent + host.bytesReceived;
  const all = [...sums.values()].sort((a, b) => weight(b) - weight(a) || (a.address < b.address ? -1 : 1));
  return {
    hosts: all.slice(0, limit),
    fromMs: Math.min(...recent.map(({ start }) => start)) * 1000,
    toMs: newest * 1000,
    truncated: all.length > limit || recent.some(({ leftOut }) => leftOut),
  };
}

/** The rates of the last two minutes before the newest, oldest first. */
export function recentRates(rates: readonly ProbeRate[]): ProbeRate[] {
  const newest = rates.reduce((max, { start }) => Math.max(max, start), 0);
  return rates
    .filter(({ start }) => start > newest - rateSeconds)
    .sort((a, b) => a.start - b.start || (a.probe < b.probe ? -1 : 1));
}
