/** What runs inside a flow, as far as its bytes showed; value of `flowTable.application[flow]`. */
export const Application = {
  Unknown: 0,
  Dns: 1,
  Http: 2,
  Tls: 3,
  Mdns: 4,
  Llmnr: 5,
  Ssh: 6,
  Quic: 7,
  /** looked at and found to be none of these */
  Other: 255,
} as const;
/** Name by Application value; flows that stay unknown get their name from the well-known port when rows are written. */
export const applicationNames: readonly string[] = ['', 'dns', 'http', 'tls', 'mdns', 'llmnr', 'ssh', 'quic'];
