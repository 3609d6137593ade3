/** /api/v1/capture-rules: what probes take, leave out, sample or keep more of. */
import { captureFilter } from '@netspectra/query';
import { compileFilter, filterErrors } from '../planner/index.js';
import { ApiError } from '../problem.js';
import {
  captureRuleBodySchema,
  captureRuleHistorySchema,
  captureRuleKeys,
  captureRuleListQuerystring,
  captureRuleListSchema,
  captureRuleSchema,
} from '../schemas/capture-rules.js';
import type { App, RouteContext } from './context.js';
import { managementOf } from './managed.js';
import { ruleRoutes } from './rule-routes.js';

/** Whether the kernel can do the filter, and how. */
function kernelOf(filter: string) {
  const result = captureFilter(filter);
  return result.ok
    ? { ok: true, text: result.text, exact: result.exact, reasons: result.notes }
    : { ok: false, reasons: result.reasons.map(({ message }) => message) };
}

export function captureRulesRoutes(app: App, context: RouteContext): void {
  ruleRoutes(app, {
    url: '/api/v1/capture-rules',
    action: 'capture_rule',
    noun: 'capture rule',
    one: 'a capture rule',
    listKey: 'captureRules',
    description:
      'Probes on the bus have it a moment later (`api.bus`); `GET /api/v1/probes` says which do. A filter that a single ' +
      'packet cannot answer is refused. `kernel` says what of the filter runs in the kernel.',
    schemas: {
      body: captureRuleBodySchema,
      answer: captureRuleSchema,
      list: captureRuleListSchema,
      history: captureRuleHistorySchema,
      listQuery: captureRuleListQuerystring,
    },
    keys: captureRuleKeys,
    store: () => managementOf(context).captureRules,
    check: ({ filter }) => {
      void compileFilter(filter, '#/filter');
      const result = captureFilter(filter);
      if (!result.ok) {
        const errors = filterErrors(result.reasons, '#/filter');
        throw new ApiError('filter', `the filter is none for packets: ${errors[0]?.detail ?? ''}`, errors);
      }
    },
    changed: () => void context.captureControl?.changed(),
    more: ({ filter }) => ({ kernel: kernelOf(filter) }),
  });
}
