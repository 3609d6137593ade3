/**
 * Task `http`: HTTP/1.x exchanges, requests and responses paired in their order on the connection, with latency.
 *
 * Latency runs from the packet that completed the request to the one that completed the response's head. Interim
 * responses (1xx) and messages whose partner was not captured are rows of their own. Byte counts are whole messages as
 * they stood in the stream: head, body and chunk framing.
 */
import type { HttpMessage } from '@netspectra/collector/decode';
import { Type } from '@sinclair/typebox';
import { Application } from '../flow-table/index.js';
import { defineTask } from '../task.js';
import type { TaskContext } from '../task.js';
import { applicationTrackerOf } from './application.js';
import type { Connection, HttpListener, HttpTransaction } from './application.js';
import { NameCounter, countsObject, mergeFrameCounts, mergeNameCounts } from './application-count.js';
import type { FrameCount } from './application-count.js';

const schema = Type.Object(
  {
    hosts_max: Type.Integer({
      default: 100_000,
      minimum: 1,
      maximum: 10_000_000,
      description: 'most host names that `analyze` counts one by one, per worker',
    }),
  },
  { additionalProperties: false, description: 'HTTP/1.x transactions' },
);

/** Counts messages whose end was captured, as tshark does; rows also tell of those that were cut. */
export interface HttpReport {
  readonly requests: number;
  /** interim ones (1xx) too */
  readonly responses: number;
  readonly methods: Readonly<Record<string, number>>;
  /** requests by Host header (else the target's authority), most frequent first; without any: not in here */
  readonly hosts: readonly { readonly host: string; readonly count: number }[];
  /** requests whose hosts were beyond hosts_max */
  readonly hosts_other: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** frames that completed a message or held bytes outside any, under `http` */
  readonly protocols: Readonly<Record<string, FrameCount>>;
}

class HttpTask implements HttpListener {
  private readonly context: TaskContext;
  private readonly hosts: NameCounter;
  private readonly methods = new NameCounter(256);
  private readonly statuses = new NameCounter(1_024);
  private requests = 0;
  private responses = 0;

  constructor(options: { readonly hosts_max: number }, context: TaskContext) {
    this.context = context;
    this.hosts = new NameCounter(options.hosts_max);
  }

  httpMessage(message: HttpMessage): void {
    if (!this.context.report) return;
    if (message.isRequest) {
      this.requests += 1;
      this.methods.add(message.method);
      if (message.host !== '') this.hosts.add(message.host);
    } else {
      this.responses += 1;
      this.statuses.add(String(message.status));
    }
  }

  httpTransaction(connection: Connection, transaction: HttpTransaction): void {
    if (!this.context.windows) return;
    const row = this.context.rows.table('http');
    connection.stamp.begin(row, transaction.seconds, transaction.nanoseconds);
    row.number(transaction.requests);
    row.number(transaction.responses);
    row.text(transaction.method);
    row.text(transaction.host);
    row.text(transaction.target);
    row.number(transaction.status);
    row.text(transaction.userAgent);
    row.text(transaction.contentType);
    row.number(transaction.requestBytes);
    row.number(transaction.responseBytes);
    row.number(transaction.latencyNanoseconds);
    connection.stamp.end(row);
  }

  readReport(protocols: Record<string, FrameCount>): HttpReport {
    const hosts = this.hosts.read();
    return {
      requests: this.requests,
      responses: this.responses,
      methods: countsObject(this.methods.read()),
      hosts: hosts.entries.map(([host, count]) => ({ host, count })),
      hosts_other: hosts.other,
      statuses: countsObject(this.statuses.read()),
      protocols,
    };
  }
}

export const httpTask = defineTask({
  type: 'http',
  schema,
  create(options, context) {
    const tracker = applicationTrackerOf(context);
    const task = new HttpTask(options, context);
    tracker.onHttp(task);
    return {
      process() {
        // The tracker has told of this selection's messages already.
      },
      flush() {
        // Rows were written as the exchanges ended.
      },
      finish() {
        tracker.finish();
      },
      report: (): HttpReport => task.readReport(tracker.frameCounts([Application.Http])),
    };
  },
  merge(reports: HttpReport[]): HttpReport {
    const hosts = mergeNameCounts(
      reports.map((report) => ({
        entries: report.hosts.map(({ host, count }) => [host, count] as const),
        other: report.hosts_other,
      })),
    );
    const add = (pick: (report: HttpReport) => Readonly<Record<string, number>>): Record<string, number> =>
      countsObject(mergeNameCounts(reports.map((report) => ({ entries: Object.entries(pick(report)), other: 0 }))));
    return {
      requests: reports.reduce((sum, report) => sum + report.requests, 0),
      responses: reports.reduce((sum, report) => sum + report.responses, 0),
      methods: add((report) => report.methods),
      hosts: hosts.entries.map(([host, count]) => ({ host, count })),
      hosts_other: hosts.other,
      statuses: add((report) => report.statuses),
      protocols: mergeFrameCounts(reports.map((report) => report.protocols)),
    };
  },
});
