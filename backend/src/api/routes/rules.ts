/** /api/v1/rules: alert rules, their history, and what they would have done. */
import { randomUUID } from 'node:crypto';
import type { RuleBody, Version } from '../../management/index.js';
import type { QueryParam } from '../../storage/index.js';
import { actorOf } from '../access/index.js';
import { ApiError } from '../problem.js';
import { backTest } from '../rules/back-test.js';
import { checkRule, compileRule } from '../rules/rule.js';
import type { RuleEvaluation } from '../rules/rule.js';
import { answers } from '../schemas/index.js';
import { changeHeaders, deletedAnswers, idParams, managedAnswers } from '../schemas/managed.js';
import {
  historyQuerystring,
  ruleBodySchema,
  ruleHistorySchema,
  ruleKeys,
  ruleListQuerystring,
  ruleListSchema,
  ruleSchema,
  ruleTestResponseSchema,
  ruleTestSchema,
} from '../schemas/rules.js';
import { parseRange } from '../time.js';
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
import { askTrust } from './meta.js';

const firingsListed = 1_000;
const url = '/api/v1/rules';
const tags = ['management'];

const answerOf = (version: Version<RuleBody>) => ({ ...keptOf(version), ...version.body });

export function rulesRoutes(app: App, context: RouteContext): void {
  const rules = () => managementOf(context).rules;
  app.get(
    url,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'Alert rules, by name',
        querystring: ruleListQuerystring,
        response: answers('A page of rules', ruleListSchema),
      },
    },
    async (request, reply) => {
      const { search, enabled, severity, limit = 100, cursor } = request.query;
      const position = positionOf(cursor, ['string', 'string']);
      const where: string[] = [];
      const params: Record<string, QueryParam> = {};
      if (enabled !== undefined) {
        // A rule that does not say is enabled.
        where.push(
          `(JSONExtractString(body, 'name') != '' AND JSONExtractRaw(body, 'enabled') != 'false') = {on:Bool}`,
        );
        params['on'] = enabled;
      }
      if (severity !== undefined) {
        where.push(`JSONExtractString(body, 'severity') = {severity:String}`);
        params['severity'] = severity;
      }
      const after = position && { name: String(position[0]), id: String(position[1]) };
      const page = await managing(() =>
        rules().list({ limit, after, where, params, ...(search === undefined ? {} : { search }) }),
      );
      const next = page.next && [page.next.name, page.next.id];
      return reply.send({ rules: page.versions.map(answerOf), next: cursorOf(next) });
    },
  );
  app.post(
    url,
    {
      config: { role: 'editor', change: 'rule.create' },
      schema: {
        tags,
        summary: 'Make an alert rule',
        body: ruleBodySchema,
        response: managedAnswers('The rule', ruleSchema, 201),
      },
    },
    async (request, reply) => {
      const body = ownKeys(request.body as RuleBody, ruleKeys);
      await checkRule(body, context);
      const made = await managing(() => rules().create(randomUUID(), body, actorOf(request), 'rule.create'));
      return sendVersion(reply, made).code(201).header('location', `${url}/${made.id}`).send(answerOf(made));
    },
  );
  app.get(
    `${url}/:id`,
    {
      config: { role: 'viewer' },
      schema: { tags, summary: 'An alert rule', params: idParams, response: managedAnswers('The rule', ruleSchema) },
    },
    async (request, reply) => {
      const found = await managing(() => rules().get(request.params.id));
      if (!found) throw missing('rule');
      return sendVersion(reply, found).send(answerOf(found));
    },
  );
  app.put(
    `${url}/:id`,
    {
      config: { role: 'editor', change: 'rule.update' },
      schema: {
        tags,
        summary: 'Replace an alert rule',
        params: idParams,
        headers: changeHeaders,
        body: ruleBodySchema,
        response: managedAnswers('The rule', ruleSchema),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      const body = ownKeys(request.body as RuleBody, ruleKeys);
      await checkRule(body, context);
      const { id } = request.params;
      const made = await managing(() => rules().update(id, expected, body, actorOf(request), 'rule.update'));
      return sendVersion(reply, made).send(answerOf(made));
    },
  );
  app.delete(
    `${url}/:id`,
    {
      config: { role: 'editor', change: 'rule.delete' },
      schema: {
        tags,
        summary: 'Delete an alert rule; its history stays',
        params: idParams,
        headers: changeHeaders,
        response: deletedAnswers('Deleted'),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      await managing(() => rules().remove(request.params.id, expected, actorOf(request), 'rule.delete'));
      return reply.code(204).send();
    },
  );
  app.get(
    `${url}/:id/history`,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'All versions of an alert rule, also of a deleted one',
        params: idParams,
        querystring: historyQuerystring,
        response: answers('Its versions', ruleHistorySchema),
      },
    },
    async (request, reply) => {
      const { limit = 100, before } = request.query;
      const versions = await managing(() => rules().history(request.params.id, limit, before));
      if (versions.length === 0 && before === undefined) throw missing('rule');
      return reply.send(historyOf(versions, limit));
    },
  );
  app.post(
    `${url}/test`,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'What a rule would have done in a past range',
        description:
          'Evaluates the rule at the end of each whole interval of the range. Changes nothing and tells nobody. ' +
          '`quietThreshold` says with which threshold nothing would have fired.',
        body: ruleTestSchema,
        response: answers('The firings, by start', ruleTestResponseSchema),
      },
    },
    async (request, reply) => {
      const { runner, windows, limits } = context;
      const { from, to, rule } = request.body;
      const range = parseRange(from, to, limits.rangeSecondsMax);
      const compiled = await compileRule(rule as RuleEvaluation, context).catch((error: unknown) => {
        throw error instanceof ApiError ? error.under('#/rule') : error;
      });
      const signal = runner.signalOf(reply);
      const { watermarkMs } = await askTrust(context, range, signal);
      const asking = {
        run: (table: string, statement: Parameters<typeof runner.run>[1]) => runner.run(table, statement, signal),
        windows,
        limits,
        watermarkMs,
      };
      const result = await backTest(compiled, range, asking, limits.rangeSecondsMax);
      return reply.send({
        firings: result.firings.slice(0, firingsListed).map((firing) => ({
          labels: firing.labels,
          pendingSinceMs: firing.pendingSince,
          startMs: firing.start,
          endMs: firing.end,
          peak: firing.peak,
          peakAtMs: firing.peakAt,
          lower: firing.lower,
          upper: firing.upper,
        })),
        firingsInAll: result.firings.length,
        groups: result.groups,
        truncated: result.truncated,
        evaluations: result.evaluations,
        ...result.range,
        summary: result.summary,
        quietThreshold: result.quietThreshold,
        unit: compiled.measure.unit,
      });
    },
  );
}
