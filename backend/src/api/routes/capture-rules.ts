/** /api/v1/capture-rules: what probes take, leave out, sample or keep more of. */
import { randomUUID } from 'node:crypto';
import { captureFilter } from '@netspectra/query';
import type { CaptureRuleBody, Version } from '../../management/index.js';
import type { QueryParam } from '../../storage/index.js';
import { actorOf } from '../access/index.js';
import { compileFilter } from '../planner/index.js';
import { answers } from '../schemas/index.js';
import {
  captureRuleBodySchema,
  captureRuleHistorySchema,
  captureRuleKeys,
  captureRuleListQuerystring,
  captureRuleListSchema,
  captureRuleSchema,
} from '../schemas/capture-rules.js';
import { changeHeaders, deletedAnswers, idParams, managedAnswers } from '../schemas/managed.js';
import { historyQuerystring } from '../schemas/rules.js';
import type { App, RouteContext } from './context.js';
import {
  cursorOf,
  expectedVersion,
  historyOf,
  keptOf,
  managementOf,
  managing,
  missing,
  ownKeys,
  positionOf,
  sendVersion,
} from './managed.js';

const url = '/api/v1/capture-rules';
const tags = ['management'];

/** Whether the kernel can do the filter, and how. */
function kernelOf(filter: string) {
  const result = captureFilter(filter);
  return result.ok
    ? { ok: true, text: result.text, exact: result.exact, reasons: result.notes }
    : { ok: false, reasons: result.reasons.map(({ message }) => message) };
}

const answerOf = (version: Version<CaptureRuleBody>) => ({
  ...keptOf(version),
  ...version.body,
  kernel: kernelOf(version.body.filter),
});

export function captureRulesRoutes(app: App, context: RouteContext): void {
  const rules = () => managementOf(context).captureRules;
  app.get(
    url,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'Capture rules, by name',
        querystring: captureRuleListQuerystring,
        response: answers('A page of capture rules', captureRuleListSchema),
      },
    },
    async (request, reply) => {
      const { search, enabled, limit = 100, cursor } = request.query;
      const position = positionOf(cursor, ['string', 'string']);
      const after = position && { name: String(position[0]), id: String(position[1]) };
      const where = enabled === undefined ? [] : [`(JSONExtractRaw(body, 'enabled') != 'false') = {on:Bool}`];
      const params: Record<string, QueryParam> = enabled === undefined ? {} : { on: enabled };
      const page = await managing(() =>
        rules().list({ limit, after, where, params, ...(search === undefined ? {} : { search }) }),
      );
      const next = page.next && [page.next.name, page.next.id];
      return reply.send({ captureRules: page.versions.map(answerOf), next: cursorOf(next) });
    },
  );
  app.post(
    url,
    {
      config: { role: 'editor', change: 'capture_rule.create' },
      schema: {
        tags,
        summary: 'Make a capture rule',
        description: '`kernel` of the answer says whether the filter can run in the kernel, and if not, why.',
        body: captureRuleBodySchema,
        response: managedAnswers('The capture rule', captureRuleSchema, 201),
      },
    },
    async (request, reply) => {
      const body = ownKeys(request.body as CaptureRuleBody, captureRuleKeys);
      compileFilter(body.filter, '#/filter');
      const made = await managing(() => rules().create(randomUUID(), body, actorOf(request), 'capture_rule.create'));
      return sendVersion(reply, made).code(201).header('location', `${url}/${made.id}`).send(answerOf(made));
    },
  );
  app.get(
    `${url}/:id`,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'A capture rule',
        params: idParams,
        response: managedAnswers('The capture rule', captureRuleSchema),
      },
    },
    async (request, reply) => {
      const found = await managing(() => rules().get(request.params.id));
      if (!found) throw missing('capture rule');
      return sendVersion(reply, found).send(answerOf(found));
    },
  );
  app.put(
    `${url}/:id`,
    {
      config: { role: 'editor', change: 'capture_rule.update' },
      schema: {
        tags,
        summary: 'Replace a capture rule',
        params: idParams,
        headers: changeHeaders,
        body: captureRuleBodySchema,
        response: managedAnswers('The capture rule', captureRuleSchema),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      const body = ownKeys(request.body as CaptureRuleBody, captureRuleKeys);
      compileFilter(body.filter, '#/filter');
      const { id } = request.params;
      const made = await managing(() => rules().update(id, expected, body, actorOf(request), 'capture_rule.update'));
      return sendVersion(reply, made).send(answerOf(made));
    },
  );
  app.delete(
    `${url}/:id`,
    {
      config: { role: 'editor', change: 'capture_rule.delete' },
      schema: {
        tags,
        summary: 'Delete a capture rule; its history stays',
        params: idParams,
        headers: changeHeaders,
        response: deletedAnswers('Deleted'),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      await managing(() => rules().remove(request.params.id, expected, actorOf(request), 'capture_rule.delete'));
      return reply.code(204).send();
    },
  );
  app.get(
    `${url}/:id/history`,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'All versions of a capture rule, also of a deleted one',
        params: idParams,
        querystring: historyQuerystring,
        response: answers('Its versions', captureRuleHistorySchema),
      },
    },
    async (request, reply) => {
      const { limit = 100, before } = request.query;
      const versions = await managing(() => rules().history(request.params.id, limit, before));
      if (versions.length === 0 && before === undefined) throw missing('capture rule');
      return reply.send(historyOf(versions, limit));
    },
  );
}
