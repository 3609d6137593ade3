/** /api/v1/rules: alert rules, their history, and what they would have done. */
import { ApiError } from '../problem.js';
import { backTest } from '../rules/back-test.js';
import { checkRule, compileRule } from '../rules/rule.js';
import type { CompiledRule, RuleEvaluation } from '../rules/rule.js';
import { answers } from '../schemas/index.js';
import {
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
import { managementOf } from './managed.js';
import { askTrust } from './meta.js';
import { ruleRoutes } from './rule-routes.js';

const firingsListed = 1_000;
const url = '/api/v1/rules';

function compiledUnder(pointer: string, rule: RuleEvaluation, context: RouteContext): CompiledRule {
  try {
    return compileRule(rule, context);
  } catch (error) {
    throw error instanceof ApiError ? error.under(pointer) : error;
  }
}

export function rulesRoutes(app: App, context: RouteContext): void {
  ruleRoutes(app, {
    url,
    action: 'rule',
    noun: 'rule',
    one: 'an alert rule',
    listKey: 'rules',
    schemas: {
      body: ruleBodySchema,
      answer: ruleSchema,
      list: ruleListSchema,
      history: ruleHistorySchema,
      listQuery: ruleListQuerystring,
    },
    keys: ruleKeys,
    store: () => managementOf(context).rules,
    check: (body) => checkRule(body, context),
    where: ({ severity }) =>
      severity === undefined
        ? { conditions: [], params: {} }
        : { conditions: [`JSONExtractString(body, 'severity') = {severity:String}`], params: { severity } },
  });
  app.post(
    `${url}/test`,
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['management'],
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
      const compiled = compiledUnder('#/rule', rule as RuleEvaluation, context);
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
