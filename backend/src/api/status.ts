/** What the API tells about the process it runs in. The engine and the store are known to it only through this. */
import type { DependencyStatus } from '../health.js';

export type { DependencyStatus };

/** An engine of this process. */
export interface EngineStatus {
  /** its probe's id: the rows that it writes bear it */
  readonly id: string;
  readonly state: 'starting' | 'reading' | 'idle' | 'stopping';
  /** what it reads; null when nothing */
  readonly source: string | null;
  /** threads, each with one partition of the flows */
  readonly workers: number;
  /** of the source at hand */
  readonly packetsRead: number;
  /** since the process began */
  readonly packetsStored: number;
  readonly bytesStored: number;
  /** how often limits were met, by name */
  readonly limits: Readonly<Record<string, number>>;
}

/** A moment of the process. */
export interface ProcessStatus {
  /** parts that must work for answers to be right, besides the store (which the API asks itself) */
  readonly dependencies: readonly DependencyStatus[];
  /** event time below which nothing more is expected, milliseconds; null when it is not known here: the latest stored packet is taken */
  readonly watermarkMs: number | null;
  /** nothing is being read: also the last, begun second before the watermark is over; absent: false */
  readonly atRest?: boolean;
  /** absent where no engine runs (a process of the API alone) */
  readonly engines?: readonly EngineStatus[];
}

/** Cheap, synchronous, never throws. */
export type StatusProvider = () => ProcessStatus;
