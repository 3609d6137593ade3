/** Task `tls`: what ClientHellos ask for: server name, ALPN, highest version. One row each, retries included. */
import type { ClientHello } from '@netspectra/collector/decode';
import { Type } from '@sinclair/typebox';
import { Application } from '../flow-table/index.js';
import { defineTask } from '../task.js';
import type { TaskContext } from '../task.js';
import { applicationTrackerOf } from './application.js';
import type { Connection, TlsListener } from './application.js';
import { NameCounter, mergeFrameCounts, mergeNameCounts } from './application-count.js';
import type { FrameCount } from './application-count.js';

const schema = Type.Object(
  {
    names_max: Type.Integer({
      default: 100_000,
      minimum: 1,
      maximum: 10_000_000,
      description: 'most server names that `analyze` counts one by one, per worker',
    }),
  },
  { additionalProperties: false, description: 'TLS ClientHellos' },
);

export interface TlsReport {
  readonly client_hellos: number;
  /** ClientHellos by server name, most frequent first; without one: not in here */
  readonly server_names: readonly { readonly name: string; readonly count: number }[];
  /** ClientHellos whose names were beyond names_max */
  readonly server_names_other: number;
  /** frames in which a record began or ended, under `tls` */
  readonly protocols: Readonly<Record<string, FrameCount>>;
}

class TlsTask implements TlsListener {
  private readonly context: TaskContext;
  private readonly names: NameCounter;
  private hellos = 0;

  constructor(options: { readonly names_max: number }, context: TaskContext) {
    this.context = context;
    this.names = new NameCounter(options.names_max);
  }

  tlsClientHello(connection: Connection, hello: ClientHello, seconds: number, nanoseconds: number): void {
    if (this.context.report) {
      this.hellos += 1;
      if (hello.serverName !== '') this.names.add(hello.serverName);
    }
    if (!this.context.windows) return;
    const row = this.context.rows.table('tls');
    connection.stamp.begin(row, seconds, nanoseconds);
    row.text(hello.serverName);
    row.texts(hello.alpn);
    row.text(hello.versionName);
    connection.stamp.end(row);
  }

  readReport(protocols: Record<string, FrameCount>): TlsReport {
    const names = this.names.read();
    return {
      client_hellos: this.hellos,
      server_names: names.entries.map(([name, count]) => ({ name, count })),
      server_names_other: names.other,
      protocols,
    };
  }
}

export const tlsTask = defineTask({
  type: 'tls',
  schema,
  create(options, context) {
    const tracker = applicationTrackerOf(context);
    const task = new TlsTask(options, context);
    tracker.onTls(task);
    return {
      process() {
        // The tracker has told of this selection's messages already.
      },
      flush() {
        // Rows were written as the messages came.
      },
      finish() {
        tracker.finish();
      },
      report: (): TlsReport => task.readReport(tracker.frameCounts([Application.Tls])),
    };
  },
  merge(reports: TlsReport[]): TlsReport {
    const names = mergeNameCounts(
      reports.map((report) => ({
        entries: report.server_names.map(({ name, count }) => [name, count] as const),
        other: report.server_names_other,
      })),
    );
    return {
      client_hellos: reports.reduce((sum, report) => sum + report.client_hellos, 0),
      server_names: names.entries.map(([name, count]) => ({ name, count })),
      server_names_other: names.other,
      protocols: mergeFrameCounts(reports.map((report) => report.protocols)),
    };
  },
});
