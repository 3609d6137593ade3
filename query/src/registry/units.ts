/** Units, by the ids Grafana's field configuration uses, so that an answer needs no translation. */

/**
 * `short` plain count, `bytes` bytes, `pps` packets/s, `bps` bits/s, `cps` events/s, `ns` nanoseconds, `percentunit`
 * a share 0..1, `none` a number that is not a quantity (a port, a VLAN id).
 */
export type Unit = 'short' | 'bytes' | 'pps' | 'bps' | 'cps' | 'ns' | 'percentunit' | 'none';
