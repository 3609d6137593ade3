/**
 * Expected results from what was built, without any decoder: counts every frame's stack (frames.js). The keys and
 * their meaning are those of the files that expected-from-tshark.js makes, so that both can be compared key by key.
 */

/** Protocols whose frames are counted; names are tshark's. Others (data, ntp, llc ...) are of no interest here. */
export const countedLayers = new Set([
  'eth',
  'sll',
  'null',
  'wlan',
  'ppp',
  'pppoes',
  'vlan',
  'ieee8021ad',
  'mpls',
  'arp',
  'ip',
  'ipv6',
  'tcp',
  'udp',
  'icmp',
  'icmpv6',
  'sctp',
  'gre',
  'vxlan',
  'geneve',
  'gtp',
  'teredo',
  'dns',
  'mdns',
  'http',
  'tls',
]);

/**
 * @param {Record<string, number>} counts
 * @param {string} key
 */
const add = (counts, key) => {
  counts[key] = (counts[key] ?? 0) + 1;
};

/** @param {number} seconds @param {number} nanoseconds */
const stamp = (seconds, nanoseconds) => `${seconds}.${String(nanoseconds).padStart(9, '0')}`;

/**
 * The same object with its keys in order (numbers by value), so that files and diffs are stable.
 * @template T
 * @param {Record<string, T>} object
 * @returns {Record<string, T>}
 */
export const sortKeys = (object) =>
  Object.fromEntries(
    Object.entries(object).sort(([a], [b]) =>
      /^\d+$/.test(a) && /^\d+$/.test(b) ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0,
    ),
  );

/**
 * Unordered endpoint pairs with both directions apart, as rows.
 */
export class Conversations {
  constructor() {
    /** @type {Map<string, Record<string, string | number>>} */
    this.rows = new Map();
  }

  /**
   * @param {string} source
   * @param {string} destination
   * @param {number} bytes
   * @param {number} [sourcePort]
   * @param {number} [destinationPort]
   */
  add(source, destination, bytes, sourcePort, destinationPort) {
    const ports = sourcePort !== undefined && destinationPort !== undefined;
    const forward =
      source < destination || (source === destination && (!ports || sourcePort <= destinationPort)) ? true : false;
    const [a, b] = forward ? [source, destination] : [destination, source];
    const [aPort, bPort] = forward ? [sourcePort, destinationPort] : [destinationPort, sourcePort];
    const key = `${a} ${aPort} ${b} ${bPort}`;
    let row = this.rows.get(key);
    if (!row) {
      row = ports
        ? { a, a_port: aPort ?? 0, b, b_port: bPort ?? 0, frames_ab: 0, bytes_ab: 0, frames_ba: 0, bytes_ba: 0 }
        : { a, b, frames_ab: 0, bytes_ab: 0, frames_ba: 0, bytes_ba: 0 };
      this.rows.set(key, row);
    }
    const way = forward ? 'ab' : 'ba';
    row[`frames_${way}`] = Number(row[`frames_${way}`]) + 1;
    row[`bytes_${way}`] = Number(row[`bytes_${way}`]) + bytes;
  }

  /** Rows ordered by a, a_port, b, b_port. */
  sorted() {
    return [...this.rows.values()].sort((x, y) => {
      for (const key of ['a', 'a_port', 'b', 'b_port']) {
        if (x[key] < y[key]) return -1;
        if (x[key] > y[key]) return 1;
      }
      return 0;
    });
  }
}

/** What a file is expected to hold, counted frame by frame. */
export class Truth {
  constructor() {
    this.packets = 0;
    this.bytesWire = 0;
    this.bytesCaptured = 0;
    /** @type {string | null} */
    this.first = null;
    /** @type {string | null} */
    this.last = null;
    this.withoutTime = 0;
    this.fragments4 = 0;
    this.fragments6 = 0;
    /** @type {Record<string, { frames: number, bytes: number }>} */
    this.layers = {};
    /** @type {Record<string, number>} */
    this.vlanIds = {};
    this.conversations = {
      ip: new Conversations(),
      ipv6: new Conversations(),
      tcp: new Conversations(),
      udp: new Conversations(),
    };
    this.dns = { queries: 0, responses: 0 };
    /** @type {Map<string, { proto: string, kind: string, qname: string, count: number }>} */
    this.dnsNames = new Map();
    /** @type {Record<string, number>} */
    this.qtypes = {};
    /** @type {Record<string, number>} */
    this.rcodes = {};
    this.http = {
      requests: 0,
      responses: 0,
      methods: /** @type {Record<string, number>} */ ({}),
      hosts: /** @type {Record<string, number>} */ ({}),
      status: /** @type {Record<string, number>} */ ({}),
    };
    this.tls = { clientHellos: 0, serverNames: /** @type {Record<string, number>} */ ({}) };
  }

  /**
   * @param {{ seconds: number, nanoseconds: number, wireLength: number, capturedLength: number, noTime?: boolean }} frame
   * @param {readonly import('./frames.js').Item[]} stack
   */
  add(frame, stack) {
    this.packets += 1;
    this.bytesWire += frame.wireLength;
    this.bytesCaptured += frame.capturedLength;
    if (frame.noTime) this.withoutTime += 1;
    else {
      const time = stamp(frame.seconds, frame.nanoseconds);
      if (this.first === null || time < this.first) this.first = time;
      if (this.last === null || time > this.last) this.last = time;
    }
    const seen = new Set();
    let address = { source: '', destination: '' };
    for (const item of stack) {
      if (item.quoted) break; // the packet that an ICMP error quotes is not this frame's
      if (countedLayers.has(item.layer) && !seen.has(item.layer)) {
        seen.add(item.layer);
        const row = (this.layers[item.layer] ??= { frames: 0, bytes: 0 });
        row.frames += 1;
        row.bytes += frame.wireLength;
      }
      if (item.layer === 'ip' || item.layer === 'ipv6') {
        address = { source: String(item.source), destination: String(item.destination) };
        this.conversations[item.layer].add(address.source, address.destination, frame.wireLength);
        if (item.fragment) this[item.layer === 'ip' ? 'fragments4' : 'fragments6'] += 1;
      } else if (item.layer === 'tcp' || item.layer === 'udp') {
        this.conversations[item.layer].add(
          address.source,
          address.destination,
          frame.wireLength,
          Number(item.sourcePort),
          Number(item.destinationPort),
        );
      } else if (item.layer === 'vlan') add(this.vlanIds, String(item.id));
      else if (item.layer === 'dns' || item.layer === 'mdns') this.addDns(item);
      else if (item.layer === 'http') this.addHttp(item);
      else if (item.layer === 'tls') this.addTls(item);
    }
  }

  /** @param {import('./frames.js').Item} item */
  addDns(item) {
    const kind = item.response ? 'response' : 'query';
    if (item.response) {
      this.dns.responses += 1;
      add(this.rcodes, String(item.rcode ?? 0));
    } else this.dns.queries += 1;
    for (const question of /** @type {{ name: string, type: number }[]} */ (item.questions)) {
      add(this.qtypes, String(question.type));
      const key = `${item.layer} ${kind} ${question.name}`;
      const row = this.dnsNames.get(key) ?? { proto: item.layer, kind, qname: question.name, count: 0 };
      row.count += 1;
      this.dnsNames.set(key, row);
    }
  }

  /** @param {import('./frames.js').Item} item */
  addHttp(item) {
    if (item.method !== undefined) {
      this.http.requests += 1;
      add(this.http.methods, String(item.method));
      if (item.host !== undefined) add(this.http.hosts, String(item.host));
    } else if (item.status !== undefined) {
      this.http.responses += 1;
      add(this.http.status, String(item.status));
    }
  }

  /** @param {import('./frames.js').Item} item */
  addTls(item) {
    if (!item.clientHello) return;
    this.tls.clientHellos += 1;
    if (item.serverName !== undefined) add(this.tls.serverNames, String(item.serverName));
  }

  /** The counts, in the order and with the keys of an expected file. */
  result() {
    return {
      packets: this.packets,
      bytes_wire: this.bytesWire,
      bytes_captured: this.bytesCaptured,
      first_ts: this.first,
      last_ts: this.last,
      frames_without_timestamp: this.withoutTime,
      frames_with_layer: sortKeys(this.layers),
      ipv4_fragments: this.fragments4,
      ipv6_fragments: this.fragments6,
      vlan_ids: sortKeys(this.vlanIds),
      malformed_frames: 0,
      conversations: {
        ip: this.conversations.ip.sorted(),
        ipv6: this.conversations.ipv6.sorted(),
        tcp: this.conversations.tcp.sorted(),
        udp: this.conversations.udp.sorted(),
      },
      dns: {
        ...this.dns,
        names: [...this.dnsNames.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row),
        qtypes: sortKeys(this.qtypes),
        response_rcodes: sortKeys(this.rcodes),
      },
      http: {
        requests: this.http.requests,
        responses: this.http.responses,
        methods: sortKeys(this.http.methods),
        hosts: sortKeys(this.http.hosts),
        status: sortKeys(this.http.status),
      },
      tls: { client_hellos: this.tls.clientHellos, server_names: sortKeys(this.tls.serverNames) },
    };
  }
}
