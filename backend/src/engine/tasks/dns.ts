/**
 * Task `dns`: queries and responses (DNS, mDNS, LLMNR), paired by flow, id and first name, with latency.
 *
 * A query sent again while its response is awaited belongs to the same row (queries = 2 ...), latency counts from the
 * first. mDNS messages are not paired: many ask and many answer on one address. A query whose response does not come
 * within `timeout_seconds`, and a response nobody asked for, are rows of their own.
 * In the report names[].count counts questions in queries: what was asked for, how often.
 */
import { dnsRcodeName, dnsTypeName, questionSlots } from '@netspectra/collector/decode';
import { Type } from '@sinclair/typebox';
import { Application, applicationNames } from '../flow-table/index.js';
import { defineTask } from '../task.js';
import type { TaskContext } from '../task.js';
import { applicationTrackerOf } from './application.js';
import type { DnsEvent, DnsListener } from './application.js';
import { NameCounter, countsObject, mergeFrameCounts, mergeNameCounts } from './application-count.js';
import type { FrameCount } from './application-count.js';
import { FlowStamp, nanosecondsBetween } from './application-flow.js';

/** Answers kept per row: more than a resolver returns, so that only hostile messages lose any. */
const answersMax = 32;

const schema = Type.Object(
  {
    timeout_seconds: Type.Integer({
      default: 10,
      minimum: 1,
      maximum: 300,
      description: 'how long a query waits for its response, in seconds of event time',
    }),
    pending_max: Type.Integer({
      default: 65_536,
      minimum: 16,
      maximum: 4_194_304,
      description: 'most queries that wait for their responses at a time, per worker',
    }),
    names_max: Type.Integer({
      default: 100_000,
      minimum: 1,
      maximum: 10_000_000,
      description: 'most names that `analyze` counts one by one, per worker',
    }),
  },
  { additionalProperties: false, description: 'DNS, mDNS and LLMNR transactions' },
);

export interface DnsReport {
  readonly queries: number;
  readonly responses: number;
  /** questions in queries, most frequent first */
  readonly names: readonly { readonly name: string; readonly count: number }[];
  /** questions whose names were beyond names_max */
  readonly names_other: number;
  /** responses by code */
  readonly rcodes: Readonly<Record<string, number>>;
  /** frames that held a message, by protocol: dns, mdns, llmnr */
  readonly protocols: Readonly<Record<string, FrameCount>>;
}

/** A query that waits. */
class Pending {
  generation = 0;
  key = 0;
  service = 0;
  tcp = false;
  queries = 0;
  name = '';
  type = 0;
  seconds = 0;
  nanoseconds = 0;
  readonly stamp = new FlowStamp();
}

/** Used again by all tasks of a thread, so many of them at most: an engine has a task for each stream. */
const free: Pending[] = [];
const freeMax = 1_024;

function release(pending: Pending): void {
  pending.name = '';
  if (free.length < freeMax) free.push(pending);
}

class DnsTask implements DnsListener {
  private readonly context: TaskContext;
  private readonly timeoutSeconds: number;
  private readonly pendingMax: number;
  private readonly names: NameCounter;
  /** responses by code (twelve bits); only with context.report */
  private readonly rcodes: Float64Array;
  private queries = 0;
  private responses = 0;
  /** by flow and id, oldest first (a Map keeps the order of insertion) */
  private readonly pending = new Map<number, Pending>();
  private readonly stamp = new FlowStamp();

  constructor(
    options: { readonly timeout_seconds: number; readonly pending_max: number; readonly names_max: number },
    context: TaskContext,
  ) {
    this.context = context;
    this.timeoutSeconds = options.timeout_seconds;
    this.pendingMax = options.pending_max;
    this.names = new NameCounter(options.names_max, context.report ? questionSlots : 0);
    this.rcodes = new Float64Array(context.report ? 4_096 : 0);
  }

  dnsMessage(event: DnsEvent): void {
    const { message } = event;
    if (this.context.report) {
      if (message.isResponse) {
        this.responses += 1;
        const rcode = message.rcode();
        this.rcodes[rcode] = this.rcodes[rcode]! + 1;
      } else {
        this.queries += 1;
        for (let i = 0; i < message.questionsRead; i += 1) {
          this.names.addAgain(message.questionNames[i]!, message.questionSlots[i]!);
        }
      }
    }
    if (this.context.windows) this.pair(event);
  }

  /** Queries older than the timeout at `seconds` become rows. */
  expire(seconds: number): void {
    for (const pending of this.pending.values()) {
      if (seconds - pending.seconds <= this.timeoutSeconds) return;
      this.unanswered(pending);
    }
  }

  /** Every waiting query becomes a row. */
  giveUp(): void {
    for (const pending of this.pending.values()) this.unanswered(pending);
  }

  readReport(protocols: Record<string, FrameCount>): DnsReport {
    const names = this.names.read();
    return {
      queries: this.queries,
      responses: this.responses,
      names: names.entries.map(([name, count]) => ({ name, count })),
      names_other: names.other,
      rcodes: this.rcodeCounts(),
      protocols,
    };
  }

  private rcodeCounts(): Record<string, number> {
    const counts: Record<string, number> = {};
    this.rcodes.forEach((count, rcode) => {
      if (count > 0) counts[dnsRcodeName(rcode)] = (counts[dnsRcodeName(rcode)] ?? 0) + count;
    });
    return counts;
  }

  private pair(event: DnsEvent): void {
    const { message, flow } = event;
    const { flowTable } = this.context;
    if (event.service === Application.Mdns) {
      this.stamp.read(flowTable, flow);
      this.alone(event);
      return;
    }
    const key = flow * 65_536 + message.id;
    const generation = flowTable.generation(flow);
    let pending = this.pending.get(key);
    if (pending !== undefined && (pending.generation !== generation || !sameName(pending.name, message.name))) {
      // The flow's index or the id is in use for something else now; a response without a question fits any.
      if (pending.generation === generation && message.isResponse) {
        if (message.questionCount > 0) pending = undefined;
      } else {
        this.unanswered(pending);
        pending = undefined;
      }
    }
    if (message.isResponse) {
      if (pending === undefined) {
        this.stamp.read(flowTable, flow);
        this.alone(event);
        return;
      }
      this.row(
        pending,
        1,
        event,
        nanosecondsBetween(pending.seconds, pending.nanoseconds, event.seconds, event.nanoseconds),
      );
      this.drop(pending);
      return;
    }
    if (pending !== undefined) {
      pending.queries += 1;
      return;
    }
    if (this.pending.size >= this.pendingMax) {
      for (const oldest of this.pending.values()) {
        this.unanswered(oldest);
        break;
      }
    }
    pending = free.pop() ?? new Pending();
    pending.generation = generation;
    pending.key = key;
    pending.service = event.service;
    pending.tcp = event.tcp;
    pending.queries = 1;
    pending.name = message.name;
    pending.type = message.type;
    pending.seconds = event.seconds;
    pending.nanoseconds = event.nanoseconds;
    pending.stamp.read(flowTable, flow);
    this.pending.set(key, pending);
  }

  private drop(pending: Pending): void {
    this.pending.delete(pending.key);
    release(pending);
  }

  private unanswered(pending: Pending): void {
    this.row(pending, 0, undefined, 0);
    this.drop(pending);
  }

  private alone(event: DnsEvent): void {
    const { message } = event;
    const pending = free.pop() ?? new Pending();
    pending.service = event.service;
    pending.tcp = event.tcp;
    pending.queries = message.isResponse ? 0 : 1;
    pending.name = message.name;
    pending.type = message.type;
    pending.seconds = event.seconds;
    pending.nanoseconds = event.nanoseconds;
    this.row(pending, message.isResponse ? 1 : 0, message.isResponse ? event : undefined, 0, this.stamp);
    release(pending);
  }

  private row(
    query: Pending,
    responses: number,
    response: DnsEvent | undefined,
    latency: number,
    stamp = query.stamp,
  ): void {
    const row = this.context.rows.table('dns');
    stamp.begin(row, query.seconds, query.nanoseconds);
    row.text(query.tcp ? 'tcp' : 'udp');
    row.text(applicationNames[query.service]!);
    row.number(query.queries);
    row.number(responses);
    row.text(query.name);
    row.text(query.type === 0 ? '' : dnsTypeName(query.type));
    row.text(response === undefined ? '' : dnsRcodeName(response.message.rcode()));
    row.number(response?.message.answerCount ?? 0);
    row.texts(response?.message.answers(answersMax) ?? []);
    row.number(latency);
    stamp.end(row);
  }
}

/** Names are compared without regard to case (RFC 4343): servers may answer in another. */
function sameName(a: string, b: string): boolean {
  return a === b || (a.length === b.length && a.toLowerCase() === b.toLowerCase());
}

export const dnsTask = defineTask({
  type: 'dns',
  schema,
  create(options, context) {
    const tracker = applicationTrackerOf(context);
    const task = new DnsTask(options, context);
    tracker.onDns(task);
    return {
      process(selection) {
        if (!context.windows || selection.count === 0) return;
        task.expire(selection.batch.timestampSeconds[selection.rows[selection.count - 1]!]!);
      },
      flush() {
        // Rows were written as the messages came.
      },
      finish() {
        tracker.finish();
        task.giveUp();
      },
      report: (): DnsReport =>
        task.readReport(tracker.frameCounts([Application.Dns, Application.Mdns, Application.Llmnr])),
    };
  },
  merge(reports: DnsReport[]): DnsReport {
    const names = mergeNameCounts(
      reports.map((report) => ({
        entries: report.names.map(({ name, count }) => [name, count] as const),
        other: report.names_other,
      })),
    );
    return {
      queries: reports.reduce((sum, report) => sum + report.queries, 0),
      responses: reports.reduce((sum, report) => sum + report.responses, 0),
      names: names.entries.map(([name, count]) => ({ name, count })),
      names_other: names.other,
      rcodes: countsObject(
        mergeNameCounts(reports.map((report) => ({ entries: Object.entries(report.rcodes), other: 0 }))),
      ),
      protocols: mergeFrameCounts(reports.map((report) => report.protocols)),
    };
  },
});
