/** How far back real-time state looks. */

/** Seconds of packet time for which rates are kept. */
export const rateSeconds = 120;
/** Seconds of packet time over which hosts are active. */
export const hostSeconds = 60;
