/** The task types. A new one is a file beside this and a line here. */
import type { TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { TaskType } from '../task.js';
import { cardinalityTask } from './cardinality.js';
import { dnsTask } from './dns.js';
import { flowTask } from './flow.js';
import { frequencyTask } from './frequency.js';
import { httpTask } from './http.js';
import { tcpHealthTask } from './tcp_health.js';
import { tlsTask } from './tls.js';
import { trafficTask } from './traffic.js';

const list = [
  flowTask,
  trafficTask,
  tcpHealthTask,
  cardinalityTask,
  frequencyTask,
  dnsTask,
  httpTask,
  tlsTask,
] as unknown as readonly TaskType[];

/** Task type by the `type` of a configuration entry. */
export const taskTypes: ReadonlyMap<string, TaskType> = new Map(list.map((task) => [task.type, task]));

/** Every task with its defaults: what `analyze` runs, and what a configuration without tasks means. */
export function allTasks(): { type: string; options: unknown }[] {
  return list.map(({ type, schema }) => ({ type, options: Value.Create(schema) }));
}

/** Type and options schema of every task, for checking a configuration. */
export function taskSchemas(): { type: string; schema: TSchema }[] {
  return list.map(({ type, schema }) => ({ type, schema }));
}
