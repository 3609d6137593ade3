/**
 * The configuration's schema: every key with its description, bounds and default. From it come the checks, the
 * environment variables, the JSON Schema for editors and the table in docs/configuration.md.
 *
 * Durations are numbers of seconds and sizes numbers of bytes once loaded; in the file they may carry a unit.
 */
import { Type } from '@sinclair/typebox';
import type { Static, TSchema } from '@sinclair/typebox';
import { formatUnit } from './units.js';
import type { Unit } from './units.js';

const section = <T extends Record<string, TSchema>>(description: string, properties: T) =>
  Type.Object(properties, { description, additionalProperties: false, default: {} });

interface Bounds {
  readonly minimum: number;
  readonly maximum: number;
  readonly default: number;
}

const whole = (description: string, bounds: Bounds) => Type.Integer({ description, ...bounds });
const quantity = (unit: Unit, description: string, bounds: Bounds) => Type.Number({ description, unit, ...bounds });
const seconds = (description: string, bounds: Bounds) => quantity('seconds', description, bounds);
const bytes = (description: string, bounds: Bounds) => quantity('bytes', description, bounds);
const windowSeconds = (description: string, value: number) =>
  Type.Integer({ description, unit: 'seconds', minimum: 1, maximum: 3_600, default: value });

const day = 86_400;
const ttl = (what: string, days: number) =>
  Type.Integer({
    description: `How long ${what} are kept after they were stored; 0 = for ever.`,
    unit: 'seconds',
    minimum: 0,
    maximum: 36_500 * day,
    default: days * day,
  });
const file = (description: string) => Type.String({ description, maxLength: 4_096, default: '' });
const secret = (description: string) => Type.String({ description, maxLength: 4_096, default: '', secret: true });

const megabyte = 1024 ** 2;
const gigabyte = 1024 ** 3;

const captureSources = ['auto', 'af_packet', 'pcap'] as const;
const payloadModes = ['none', 'applications', 'all'] as const;
const timestampSources = ['kernel', 'hardware'] as const;
const authModes = ['loopback-open', 'token'] as const;
const clientCertificateModes = ['none', 'optional', 'required'] as const;
const grantedRoles = ['viewer', 'editor', 'admin'] as const;
/** Tables that can be written to files: `tables/`, which this folder does not know; cli/writers.ts holds them together. */
const fileTables = [
  'flows',
  'traffic',
  'tcp_health',
  'sketches',
  'top_keys',
  'dns',
  'http',
  'tls',
  'probe_stats',
] as const;
export const logLevels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export const configSchema = Type.Object(
  {
    probe: section('The capturing process.', {
      id: Type.String({
        description:
          'Name of this probe; stands in every row, and together with a file it says what was stored already.',
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
        expected: '1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first',
        default: 'local',
      }),
      listen: Type.String({
        description:
          'Address and port of its /metrics, /healthz and /readyz; loopback unless changed. Port 0 takes a free one.',
        pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[^:\\[\\]\\s]+):\\d{1,5}$',
        expected: 'host:port like 127.0.0.1:8081 or [::1]:8081',
        default: '127.0.0.1:8081',
      }),
      batch_rows: whole('Packets of one ring that are gathered before they are published, at most.', {
        minimum: 64,
        maximum: 65_536,
        default: 16_384,
      }),
      batch_interval: seconds('A packet waits so long for others at most.', {
        minimum: 0.001,
        maximum: 10,
        default: 0.05,
      }),
      idle_interval: seconds('A partition without packets is told after so long that there were none.', {
        minimum: 0.1,
        maximum: 3_600,
        default: 1,
      }),
      queue_bytes: bytes(
        'Messages in memory that the bus has not taken; what is captured beyond is dropped and counted.',
        {
          minimum: megabyte,
          maximum: gigabyte,
          default: 32 * megabyte,
        },
      ),
      drain_timeout: seconds('When it is stopped, it waits so long for the bus to confirm.', {
        minimum: 0,
        maximum: 600,
        default: 10,
      }),
    }),
    capture: section('Where packets come from.', {
      interfaces: Type.Array(Type.String({ minLength: 1, maxLength: 15 }), {
        description: 'Interfaces to capture when none are named on the command line; any = all of them.',
        maxItems: 64,
        default: [],
      }),
      source: Type.Unsafe<(typeof captureSources)[number]>(
        Type.String({
          description:
            'How interfaces are captured: af_packet = a ring shared with the Linux kernel, pcap = libpcap, auto = the first on Linux, else the second.',
          enum: [...captureSources],
          default: 'auto',
        }),
      ),
      filter: Type.String({
        description: 'What is captured, in the filter language; empty = everything.',
        maxLength: 16_384,
        default: '',
      }),
      own_bus_traffic: Type.Boolean({
        description: "Also the probe's own connection to the bus, where it passes a captured interface.",
        default: false,
      }),
      sampling_rate: whole('One packet of so many is captured, picked at random by the kernel; 1 = all.', {
        minimum: 1,
        maximum: 65_535,
        default: 1,
      }),
      snap_length: whole('Bytes captured of a packet at most; 0 = as many as the payload setting needs.', {
        minimum: 0,
        maximum: 262_144,
        default: 0,
      }),
      payload: Type.Unsafe<(typeof payloadModes)[number]>(
        Type.String({
          description:
            'Payload that is published: none, applications = what DNS, HTTP and TLS are read from, all = whatever is captured.',
          enum: [...payloadModes],
          default: 'applications',
        }),
      ),
      promiscuous: Type.Boolean({ description: 'Also packets that are not for this machine.', default: true }),
      rings: whole('Rings of an interface, each with a thread of its own; packets go to them by flow.', {
        minimum: 1,
        maximum: 64,
        default: 1,
      }),
      ring_bytes: bytes('Memory of a ring, in which packets wait to be read.', {
        minimum: 2 * megabyte,
        maximum: 2 * gigabyte,
        default: 32 * megabyte,
      }),
      timestamps: Type.Unsafe<(typeof timestampSources)[number]>(
        Type.String({
          description: 'Who stamps packets: the kernel, or the card where it can (needs CAP_NET_ADMIN).',
          enum: [...timestampSources],
          default: 'kernel',
        }),
      ),
      files: Type.Array(Type.String({ minLength: 1, maxLength: 4_096 }), {
        description: 'Capture files to read when none are named on the command line.',
        maxItems: 10_000,
        default: [],
      }),
    }),
    bus: section('NATS JetStream, between probes and engines.', {
      servers: Type.Array(
        Type.String({
          pattern: '^(nats|tls)://[^\\s/@?#]+$',
          expected: 'nats://host:4222 or tls://host:4222, without user and password',
          maxLength: 2_048,
        }),
        {
          description: 'Servers of one cluster.',
          minItems: 1,
          maxItems: 64,
          default: ['nats://127.0.0.1:4222'],
        },
      ),
      user: Type.String({ description: 'User name; empty = none.', maxLength: 256, default: '' }),
      password: secret('Password.'),
      token: secret('Token, in place of user and password.'),
      nkey_file: file('File with the seed of an NKey.'),
      credentials_file: file('Credentials file (.creds) with JWT and seed.'),
      tls: section('Certificates for tls:// (PEM files).', {
        ca_file: file('Authority to trust besides the usual ones; empty = the usual ones.'),
        cert_file: file('Client certificate; needs key_file.'),
        key_file: file("The client certificate's key."),
      }),
      partitions: whole(
        'Into how many partitions packets are cut; the same for everybody, and fixed for the life of a store.',
        {
          minimum: 1,
          maximum: 1_024,
          default: 16,
        },
      ),
      replicas: whole('Copies of each stream in a NATS cluster.', { minimum: 1, maximum: 5, default: 1 }),
      stream_bytes: bytes(
        "A partition's stream at most, every message counted as message_bytes; a full one refuses what is new.",
        {
          minimum: megabyte,
          maximum: 64 * 1024 * gigabyte,
          default: gigabyte,
        },
      ),
      message_bytes: bytes('Largest message; the servers must take it (max_payload).', {
        minimum: 64 * 1024,
        maximum: 64 * megabyte,
        default: megabyte / 4,
      }),
      window_bytes: bytes('Messages on their way that are not confirmed yet, at most.', {
        minimum: megabyte,
        maximum: gigabyte,
        default: 16 * megabyte,
      }),
      spool_dir: file(
        'Folder in which a capturing probe keeps messages while the bus is away; empty = spool/<probe.id> in storage.data_dir.',
      ),
      spool_bytes: bytes('Most bytes in that folder; what comes beyond is dropped and counted. 0 = no spool.', {
        minimum: 0,
        maximum: 64 * 1024 * gigabyte,
        default: gigabyte,
      }),
    }),
    engine: section('What is computed, and how much it may use.', {
      id: Type.String({
        description: 'Name of an engine on the bus, unlike any other; empty = host name, process and a random part.',
        pattern: '^[A-Za-z0-9_-]{0,96}$',
        expected: 'at most 96 letters, digits, dashes and underscores',
        default: '',
      }),
      listen: Type.String({
        description:
          'Address and port of /metrics, /healthz and /readyz of `netspectra engine`; loopback unless changed. Port 0 takes a free one.',
        pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[^:\\[\\]\\s]+):\\d{1,5}$',
        expected: 'host:port like 127.0.0.1:8082 or [::1]:8082',
        default: '127.0.0.1:8082',
      }),
      lease: seconds('On the bus: an engine that is silent for so long loses its partitions to the others.', {
        minimum: 1,
        maximum: 300,
        default: 10,
      }),
      hole_timeout: seconds('On the bus: a message that is missing is waited for so long while later ones are there.', {
        minimum: 1,
        maximum: 3_600,
        default: 30,
      }),
      drain_timeout: seconds('When an engine is stopped, it waits so long for the store to take what it has.', {
        minimum: 0,
        maximum: 600,
        default: 20,
      }),
      max_streams: whole(
        'On the bus: probes (and starts of probes) of a partition that are remembered at once, at most; the one that was silent longest goes.',
        { minimum: 1, maximum: 65_536, default: 256 },
      ),
      workers: whole('Threads that work on packets; 0 = one per processor core.', {
        minimum: 0,
        maximum: 256,
        default: 0,
      }),
      max_fragments: whole('IP datagrams that wait for missing fragments at most, per worker.', {
        minimum: 16,
        maximum: 1_048_576,
        default: 4_096,
      }),
      flow_table: section('The table of live flows of each worker.', {
        max_flows: whole('Most live flows per worker; the smallest fold into "other", and are counted.', {
          minimum: 1_024,
          maximum: 67_108_864,
          default: 1_048_576,
        }),
        idle_timeout: seconds('A flow without packets for so long (by packet time) is over.', {
          minimum: 1,
          maximum: day,
          default: 60,
        }),
      }),
      duplicates: section('On the bus: packets that several probes bring.', {
        window: seconds(
          'A packet that several probes bring to the bus within so long of each other counts once; the same for all engines. 0 = each probe counts what it sees.',
          { minimum: 0, maximum: 3_600, default: 0 },
        ),
        max_packets: whole('Packets that a partition remembers to recognise copies, at most; 64 to 128 bytes each.', {
          minimum: 1_024,
          maximum: 67_108_864,
          default: 524_288,
        }),
      }),
      windows: section('Spans of packet time that rows stand for.', {
        counter_seconds: windowSeconds('Width of the windows of counters (traffic, TCP health).', 1),
        flow_seconds: windowSeconds('Width of the windows of flow records.', 10),
        sketch_seconds: windowSeconds('Width of the windows of sketches and top keys.', 60),
      }),
      flush: section('When gathered rows are handed to the store.', {
        max_bytes: bytes('Rows held back at most, per worker, in bytes of text.', {
          minimum: 64 * 1024,
          maximum: gigabyte,
          default: 16 * megabyte,
        }),
        interval: seconds('Time between flushes at most.', { minimum: 0.05, maximum: 60, default: 1 }),
      }),
      tasks: Type.Array(
        Type.Object(
          { type: Type.String({ description: 'What to compute.' }) },
          { additionalProperties: true, description: 'A task: its type, and the options of that type.' },
        ),
        { description: 'What is computed; without this key every task type, with its default options.', maxItems: 100 },
      ),
    }),
    networks: Type.Array(
      Type.Object(
        {
          name: Type.String({
            description: 'What it is called in answers and filters.',
            pattern: '^[A-Za-z0-9][A-Za-z0-9._ -]{0,62}$',
            expected: '1 to 63 letters, digits, spaces, dots, dashes and underscores, a letter or digit first',
          }),
          cidr: Type.Union(
            [
              Type.String({ maxLength: 64 }),
              Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 4_096 }),
            ],
            { description: 'Its addresses.', expected: 'a network like 10.0.0.0/8, or a list of networks' },
          ),
          local: Type.Boolean({ description: 'It is ours: inside, for `traffic_direction`.', default: true }),
        },
        { additionalProperties: false, description: 'A network.' },
      ),
      {
        description:
          'Names for networks: name, cidr (one or a list), local (default true). Of nested ones the longest prefix counts.',
        maxItems: 4_096,
        default: [],
      },
    ),
    enrichment: section('What rows say about addresses besides the networks they are in.', {
      country_file: file('MMDB file with countries (GeoLite2-Country, DB-IP, IPinfo, ip-location-db ...).'),
      asn_file: file('MMDB file with autonomous systems; may be the same file.'),
      check_interval: seconds('How often the files are looked at; a changed one is read again.', {
        minimum: 1,
        maximum: day,
        default: 30,
      }),
      reverse_dns: section('Names of addresses by reverse DNS, for hosts in answers; rows never wait for them.', {
        enabled: Type.Boolean({ description: 'Ask at all.', default: false }),
        scope: Type.Unsafe<'local' | 'all'>(
          Type.String({
            description:
              'Which addresses: only those of local networks, or all (their DNS servers then see who is looked at).',
            enum: ['local', 'all'],
            default: 'local',
          }),
        ),
        servers: Type.Array(
          Type.String({
            pattern:
              '^(\\d{1,3}(\\.\\d{1,3}){3}(:\\d{1,5})?|\\[[0-9A-Fa-f:.]+\\](:\\d{1,5})?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$',
            expected: 'an address like 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353',
          }),
          { description: "DNS servers to ask; none = the system's.", maxItems: 16, default: [] },
        ),
        timeout: seconds('Wait for an answer.', { minimum: 0.05, maximum: 30, default: 1 }),
        budget: seconds('How long a request for hosts waits for names at most; later ones are for the next.', {
          minimum: 0,
          maximum: 10,
          default: 0.3,
        }),
        cache_size: whole('Names remembered at most.', { minimum: 16, maximum: 10_000_000, default: 65_536 }),
        ttl: seconds('How long a name is remembered.', { minimum: 1, maximum: 30 * day, default: 3_600 }),
        negative_ttl: seconds('How long it is remembered that an address has no name.', {
          minimum: 1,
          maximum: day,
          default: 300,
        }),
        concurrency: whole('Questions under way at once; a hundred times as many may wait.', {
          minimum: 1,
          maximum: 1_024,
          default: 16,
        }),
      }),
    }),
    storage: section('Where results are kept.', {
      data_dir: Type.String({
        description: 'Folder of the embedded database; made when missing. One process may have it open.',
        minLength: 1,
        maxLength: 4_096,
        default: './netspectra-data',
      }),
      query_memory: bytes('Memory one query may use.', {
        minimum: 16 * megabyte,
        maximum: 1024 * gigabyte,
        default: 2 * gigabyte,
      }),
      clickhouse: section('A ClickHouse server, in place of the embedded database.', {
        url: Type.String({
          description: 'URL of its HTTP interface, http://host:8123 or https://host:8443; empty = embedded.',
          pattern: '^$|^https?://[^\\s/@?#]+/?$',
          expected: 'http://host:port or https://host:port, without user and password, or nothing',
          maxLength: 2_048,
          default: '',
        }),
        user: Type.String({ description: 'User name.', minLength: 1, maxLength: 256, default: 'default' }),
        password: secret('Password.'),
        database: Type.String({
          description: 'Database; made when missing and the user may.',
          pattern: '^[A-Za-z_][A-Za-z0-9_]{0,62}$',
          expected: 'letters, digits and underscores, no digit first',
          default: 'netspectra',
        }),
        cluster: Type.String({
          description: 'Cluster of the server, as in its remote_servers; empty = it stands alone.',
          pattern: '^$|^[A-Za-z_][A-Za-z0-9_.-]{0,62}$',
          expected: 'letters, digits, underscores, dots and dashes, a letter first, or nothing',
          default: '',
        }),
        sharded: Type.Boolean({
          description: "Spread rows over the cluster's shards; false = each of its servers has them all.",
          default: false,
        }),
        replica_path: Type.String({
          description: "Where in Keeper a table's replicas find each other, with the servers' macros.",
          pattern: '^/[A-Za-z0-9_.{}/-]{1,254}$',
          expected: 'a path with {shard}, {database} and {table}',
          default: '/clickhouse/tables/{shard}/{database}/{table}',
        }),
        insert_quorum: whole(
          'Replicas that must have a block before its insert counts as done; 0 or 1 = the one that took it.',
          {
            minimum: 0,
            maximum: 16,
            default: 0,
          },
        ),
        tls: section('Certificates for an https URL (PEM files).', {
          ca_file: file('Authority to trust besides the usual ones; empty = the usual ones.'),
          cert_file: file('Client certificate; needs key_file.'),
          key_file: file("The client certificate's key."),
        }),
      }),
      victoria_metrics: section('VictoriaMetrics, for counters beside the store.', {
        url: Type.String({
          description: 'URL of the server, with the path of a tenant where there is one; empty = off.',
          pattern: '^$|^https?://[^\\s/@?#]+(/[^\\s?#]*)?$',
          expected: 'http://host:8428 or https://host/insert/0/prometheus, without user and password, or nothing',
          maxLength: 2_048,
          default: '',
        }),
        user: Type.String({ description: 'User of basic authentication; empty = none.', maxLength: 256, default: '' }),
        password: secret('Password.'),
        token: secret('Bearer token, in place of user and password.'),
        tls: section('Certificates for an https URL (PEM files).', {
          ca_file: file('Authority to trust besides the usual ones; empty = the usual ones.'),
          cert_file: file('Client certificate; needs key_file.'),
          key_file: file("The client certificate's key."),
        }),
        labels: Type.Array(
          Type.String({
            pattern: '^(?!__)[A-Za-z_][A-Za-z0-9_]*=[^\\s].*$',
            expected: 'name=value, like site=berlin',
            maxLength: 512,
          }),
          { description: 'Labels on every series besides its own, like site=berlin.', maxItems: 32, default: [] },
        ),
        vlan: Type.Boolean({ description: 'Series also by VLAN.', default: false }),
        interval: seconds('Time between samples.', { minimum: 0.1, maximum: 300, default: 10 }),
        max_series: whole('Most series; what comes beyond is added to series with the label other="1".', {
          minimum: 100,
          maximum: 1_000_000,
          default: 20_000,
        }),
        queue_bytes: bytes('Samples that wait for the server, compressed; the oldest are dropped beyond.', {
          minimum: 64 * 1024,
          maximum: gigabyte,
          default: 16 * megabyte,
        }),
      }),
      files: section('NDJSON files, beside the store.', {
        dir: file('Folder of the files; made when missing. One process may have it open. Empty = off.'),
        tables: Type.Array(
          Type.Unsafe<(typeof fileTables)[number]>(
            Type.String({ enum: [...fileTables], expected: `a table: ${fileTables.join(', ')}` }),
          ),
          {
            description: 'Tables that are written.',
            minItems: 1,
            maxItems: fileTables.length,
            default: ['flows', 'dns', 'http', 'tls', 'probe_stats'],
          },
        ),
        rotate_bytes: bytes('A file is closed when it is so large.', {
          minimum: 64 * 1024,
          maximum: 64 * gigabyte,
          default: 256 * megabyte,
        }),
        rotate_interval: seconds('A file is closed when it is so old.', {
          minimum: 1,
          maximum: 30 * day,
          default: 3_600,
        }),
        compress: Type.Boolean({ description: 'Compress closed files (gzip).', default: true }),
        max_files: whole('Closed files that are kept, of all tables together; the oldest are deleted.', {
          minimum: 0,
          maximum: 1_000_000,
          default: 1_000,
        }),
        max_bytes: bytes('Bytes of all files together; the oldest closed ones are deleted.', {
          minimum: megabyte,
          maximum: 1024 * 1024 * gigabyte,
          default: 10 * gigabyte,
        }),
        queue_bytes: bytes('Rows that wait for the disk; the oldest are dropped beyond.', {
          minimum: megabyte,
          maximum: 16 * gigabyte,
          default: 64 * megabyte,
        }),
      }),
      ttl: section('Retention by table.', {
        flows: ttl('flow records', 30),
        flows_1m: ttl('conversations by the minute (rollup)', 90),
        flows_1h: ttl('conversations by the hour (rollup)', 730),
        traffic: ttl('traffic counters', 400),
        tcp_health: ttl('TCP health counters', 90),
        sketches: ttl('sketches', 90),
        top_keys: ttl('top keys', 400),
        dns: ttl('DNS transactions', 30),
        http: ttl('HTTP transactions', 30),
        tls: ttl('TLS handshakes', 30),
        probe_stats: ttl('accounts of what was captured and lost', 400),
      }),
    }),
    redis: section(
      'Redis: what happens now, shared by engines and API processes. Not needed; nothing is lost with it.',
      {
        url: Type.String({
          description: 'redis://host:6379 or rediss://host:6379 (TLS), perhaps with /database; empty = none.',
          pattern: '^$|^rediss?://[^\\s/@?#]+(/\\d{1,5})?$',
          expected: 'redis://host:6379 or rediss://host:6379, without user and password, or nothing',
          maxLength: 2_048,
          default: '',
        }),
        user: Type.String({ description: "User name; empty = Redis' default user.", maxLength: 256, default: '' }),
        password: secret('Password.'),
        prefix: Type.String({
          description: 'Begins all keys, so that several installations may share a server.',
          pattern: '^[A-Za-z0-9{][A-Za-z0-9._{}-]{0,62}$',
          expected: '1 to 63 letters, digits, dots, dashes, underscores and braces',
          default: 'netspectra',
        }),
        tls: section('Certificates for rediss:// (PEM files).', {
          ca_file: file('Authority to trust in place of the usual ones; empty = the usual ones.'),
          cert_file: file('Client certificate; needs key_file.'),
          key_file: file("The client certificate's key."),
        }),
      },
    ),
    api: section('The HTTP interface.', {
      bus: Type.Boolean({
        description:
          'Also connect to the bus: capture rules reach probes, and /api/v1/probes says how each of them is.',
        default: false,
      }),
      listen: Type.String({
        description: 'Address and port to listen on; loopback unless changed. Port 0 takes a free one.',
        pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[^:\\[\\]\\s]+):\\d{1,5}$',
        expected: 'host:port like 127.0.0.1:8080 or [::1]:8080',
        default: '127.0.0.1:8080',
      }),
      auth: Type.Unsafe<(typeof authModes)[number]>(
        Type.String({
          description:
            'Who needs a token: loopback-open = everybody but those on this machine, who may do what an editor may; token = everybody.',
          enum: [...authModes],
          default: 'loopback-open',
        }),
      ),
      admin_token: secret(
        "An administrator's token, 16 characters at least, besides those made through the API; empty = none.",
      ),
      failures_per_minute: whole('Wrong tokens from one address in a minute before it is told to wait.', {
        minimum: 1,
        maximum: 10_000,
        default: 10,
      }),
      trusted_proxies: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
        description: 'Networks of proxies whose X-Forwarded-For tells where a request comes from.',
        maxItems: 100,
        default: [],
      }),
      tls: section('Encryption of the API (PEM files, read again when they change).', {
        cert_file: file('Certificate, with those between it and its authority; empty = no TLS.'),
        key_file: file("The certificate's key."),
        client_ca_file: file('Authority of client certificates.'),
        client_certificate: Type.Unsafe<(typeof clientCertificateModes)[number]>(
          Type.String({
            description: 'Whether clients show a certificate.',
            enum: [...clientCertificateModes],
            default: 'none',
          }),
        ),
        client_roles: Type.Array(
          Type.Object(
            {
              match: Type.String({
                description: 'A name in the certificate.',
                pattern: '^(CN|DNS|URI|EMAIL):.{1,512}$',
                expected: 'CN:name, DNS:name, URI:name or EMAIL:name',
              }),
              role: Type.Unsafe<(typeof grantedRoles)[number]>(
                Type.String({ description: 'What its holder may do.', enum: [...grantedRoles] }),
              ),
            },
            { additionalProperties: false },
          ),
          {
            description: 'Roles of client certificates, by a name in them, in place of tokens.',
            maxItems: 1_000,
            default: [],
          },
        ),
        insecure_plain: Type.Boolean({
          description: 'Listen on more than loopback without TLS, where something else encrypts.',
          default: false,
        }),
      }),
      max_rows: whole('Rows in one answer at most.', { minimum: 1, maximum: 1_000_000, default: 50_000 }),
      max_flow_rows: whole(
        'Flow records that one query adds up; beyond, rollups by the minute or hour answer where they can.',
        { minimum: 1_000, maximum: 100_000_000_000, default: 50_000_000 },
      ),
      max_export_rows: whole('Flows in one export (CSV or NDJSON) at most.', {
        minimum: 1,
        maximum: 100_000_000,
        default: 1_000_000,
      }),
      max_range: seconds('Longest time range of a query.', {
        minimum: 60,
        maximum: 36_500 * day,
        default: 400 * day,
      }),
      query_timeout: seconds('A query that runs longer is given up.', { minimum: 0.1, maximum: 3_600, default: 30 }),
      concurrency: whole('Queries that run at once; one client has at most three quarters of them.', {
        minimum: 1,
        maximum: 256,
        default: 4,
      }),
    }),
    log: section('The log, on standard error.', {
      level: Type.Unsafe<(typeof logLevels)[number]>(
        Type.String({ description: 'How much is logged.', enum: [...logLevels], default: 'info' }),
      ),
    }),
  },
  { additionalProperties: false, description: 'NetSpectra configuration.' },
);

/** A loaded configuration: complete, checked, durations in seconds, sizes in bytes. */
export type Config = Static<typeof configSchema>;

/** A task type's options, as the engine declares them. */
export interface TaskSchema {
  readonly type: string;
  /** an object schema without `type` */
  readonly schema: TSchema;
}

/** The parts of a schema that checks, messages and pages look at. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly SchemaNode[];
  readonly const?: unknown;
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  /** the value may be written with a unit */
  readonly unit?: Unit;
  /** never printed; may come from a file */
  readonly secret?: boolean;
  /** what to write, where the other keywords do not say it well */
  readonly expected?: string;
}

/** One key that holds a value, not a section. */
export interface Leaf {
  /** keys from the root */
  readonly path: readonly string[];
  /** environment variable that overrides it; null where a text cannot say it (lists of objects) */
  readonly variable: string | null;
  readonly schema: SchemaNode;
}

/** Variables with a short name of their own. */
const shortNames: Readonly<Record<string, string>> = {
  'storage.data_dir': 'NETSPECTRA_DATA_DIR',
  'api.admin_token': 'NETSPECTRA_ADMIN_TOKEN',
};

export const variablePrefix = 'NETSPECTRA_';

/** Every key of the configuration, in the schema's order. */
export function configLeaves(): Leaf[] {
  const leaves: Leaf[] = [];
  const walk = (schema: SchemaNode, path: readonly string[]): void => {
    if (schema.type === 'object' && schema.properties) {
      for (const [key, child] of Object.entries(schema.properties)) walk(child, [...path, key]);
      return;
    }
    const long = variablePrefix + path.join('_').toUpperCase();
    const objects = schema.items?.type === 'object';
    leaves.push({ path, variable: objects ? null : (shortNames[path.join('.')] ?? long), schema });
  };
  walk(configSchema as SchemaNode, []);
  return leaves;
}

/** What a value must be, in words. */
export function expectedText(schema: SchemaNode): string {
  const choices = schema.enum ?? schema.anyOf?.map((option) => option.const).filter((value) => value !== undefined);
  if (choices?.length) return `one of ${choices.join(', ')}`;
  if (schema.expected) return schema.expected;
  const amount = (value: number): string => (schema.unit ? formatUnit(value, schema.unit) : String(value));
  const { minimum, maximum } = schema;
  const range =
    minimum !== undefined && maximum !== undefined
      ? ` from ${amount(minimum)} to ${amount(maximum)}`
      : minimum !== undefined
        ? ` of at least ${amount(minimum)}`
        : maximum !== undefined
          ? ` of at most ${amount(maximum)}`
          : '';
  if (schema.unit) return `${schema.unit === 'bytes' ? 'a size' : 'a duration'}${range}`;
  switch (schema.type) {
    case 'integer':
      return `a whole number${range}`;
    case 'number':
      return `a number${range}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return schema.items?.type === 'object' ? 'a list' : `a list of ${schema.items?.type ?? 'value'}s`;
    case 'object':
      return 'a section with keys';
    default:
      return schema.minLength ? 'a text that is not empty' : 'a text';
  }
}
