/** A pcapng block that must be read whole may be this long; tshark's own bound (wiretap MAX_BLOCK_SIZE). */
export const blockBytesMax = 16 * 1024 * 1024;
