/** Probes and engines as the API lists them (GET /api/v1/probes, /engines). Times are milliseconds since 1970. */

export interface ProbeSource {
  readonly source: string;
  readonly epoch: string;
  readonly partitions: number;
  readonly position: number;
  readonly complete: boolean;
  readonly first_packet: number | null;
  readonly last_packet: number | null;
  readonly packets: number;
}

export interface Probe {
  readonly id: string;
  readonly last_seen: number | null;
  readonly lag_seconds: number | null;
  readonly first_packet: number | null;
  readonly last_packet: number | null;
  readonly flows_live: number;
  readonly packets: number;
  readonly bytes: number;
  readonly decoded: number;
  readonly drops: { readonly kernel: number; readonly filtered: number; readonly undecodable: number };
  readonly undecodable_reasons: Readonly<Record<string, number>>;
  readonly late_packets: number;
  readonly flows_folded: number;
  /** the latest first */
  readonly sources: readonly ProbeSource[];
}

export interface Engine {
  readonly id: string;
  readonly state: 'starting' | 'reading' | 'idle' | 'stopping';
  readonly source: string | null;
  readonly workers: number;
  readonly packets_read: number;
  readonly packets_stored: number;
  readonly bytes_stored: number;
  readonly flows_live: number;
  readonly watermark: number | null;
  readonly lag_seconds: number | null;
  readonly memory_bytes: number;
  readonly limits: Readonly<Record<string, number>>;
}
