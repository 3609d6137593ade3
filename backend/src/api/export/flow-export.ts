/**
 * GET /flows as CSV or NDJSON: all pages, one after the other. The first page is asked for before anything is sent, so that
 * mistakes and a store that fails are problems; what fails later breaks the connection off, which no reader takes for an end.
 *
 * Memory does not grow with the export: the next page is asked for when the socket has taken the one before. A client that
 * goes away cancels the statement that runs; one that stops reading is cut off; and so many exports run at once.
 */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { whenClosed } from '../connections.js';
import type { FlowColumns } from '../planner/index.js';
import { ApiError } from '../problem.js';
import { answerForms } from './negotiate.js';
import { csvHeader, encodeRows } from './encode.js';

/**
 * Flows of one statement, some 40 MB while it is worked on. Every statement finds its page among all flows of the range, so
 * larger pages make an export of many of them quicker: of 1M flows, 0.28 s a page, of which 0.13 s to find it.
 */
export const exportPageRows = 50_000;
/** Flows that become text at a time. */
const rowsPerPiece = 1_000;
/** A reader that takes nothing for so long is gone. */
const stalledMillisMax = 60_000;

export interface FlowExport {
  readonly form: 'csv' | 'ndjson';
  /** flows at most */
  readonly limit: number;
  /** Ask for a page of so many flows. */
  readonly page: (cursor: string | undefined, limit: number) => Promise<FlowColumns>;
}

/** A bound on exports at once; each may keep the store busy for minutes. */
export class ExportSlots {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Take a place until the reply is over. Throws `overloaded` when there is none. */
  take(reply: FastifyReply): void {
    if (this.#taken >= this.#max) {
      throw new ApiError('overloaded', `${this.#taken} exports run already; try again later`);
    }
    this.#taken += 1;
    whenClosed(reply, () => void (this.#taken -= 1));
  }
}

async function* text({ form, limit, page }: FlowExport, first: FlowColumns): AsyncGenerator<string> {
  if (form === 'csv') yield csvHeader(first.columns);
  let left = limit;
  let current = first;
  for (;;) {
    const rows = Math.min(current.rows, left);
    for (let from = 0; from < rows; from += rowsPerPiece) {
      yield encodeRows(form, current.columns, current, from, Math.min(rows, from + rowsPerPiece));
    }
    left -= rows;
    if (current.next === null || left <= 0) return;
    current = await page(current.next, Math.min(exportPageRows, left));
  }
}

/** Send the flows as a stream. Rejects with ApiErrors as long as nothing is sent. */
export async function sendFlows(reply: FastifyReply, slots: ExportSlots, job: FlowExport): Promise<FastifyReply> {
  slots.take(reply);
  const first = await job.page(undefined, Math.min(exportPageRows, job.limit));
  reply.raw.setTimeout(stalledMillisMax, () => reply.raw.destroy());
  return reply
    .type(`${answerForms[job.form]}; charset=utf-8`)
    .header('content-disposition', `attachment; filename="flows.${job.form}"`)
    .send(Readable.from(text(job, first), { objectMode: false, highWaterMark: 256 * 1024 }));
}
