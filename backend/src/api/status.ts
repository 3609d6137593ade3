/** What the API tells about the process it runs in. The engine and the store are known to it only through this. */

export interface DependencyStatus {
  readonly name: string;
  readonly ok: boolean;
  /** one line: what it is doing, or what is wrong and what to do */
  readonly detail: string;
}

/** A moment of the process. */
export interface ProcessStatus {
  /** parts that must work for answers to be right, besides the store (which the API asks itself) */
  readonly dependencies: readonly DependencyStatus[];
  /** event time below which nothing more is expected, milliseconds; null when it is not known here: the latest stored packet is taken */
  readonly watermarkMs: number | null;
  /** 1 in how many packets is looked at; 1 = all */
  readonly samplingRate: number;
}

/** Cheap, synchronous, never throws. */
export type StatusProvider = () => ProcessStatus;
