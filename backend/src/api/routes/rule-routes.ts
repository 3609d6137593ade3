/** What a kind of rule (alert rules, capture rules) offers: a list, one by its id, changes by version, and its history. */
import { randomUUID } from 'node:crypto';
import type { Static, TObject, TSchema } from '@sinclair/typebox';
import type { Version, VersionStore } from '../../management/index.js';
import type { QueryParam } from '../../storage/index.js';
import { actorOf } from '../access/index.js';
import { answers } from '../schemas/index.js';
import { changeHeaders, deletedAnswers, idParams, managedAnswers } from '../schemas/managed.js';
import { historyQuerystring } from '../schemas/rules.js';
import type { App } from './context.js';
import {
  cursorOf,
  expectedVersion,
  historyOf,
  keptOf,
  managing,
  missing,
  ownKeys,
  positionOf,
  sendVersion,
} from './managed.js';

/** What every list can be asked for. */
interface ListQuery {
  readonly search?: string;
  readonly enabled?: boolean;
  readonly limit?: number;
  readonly cursor?: string;
}

export interface RuleKind<Body extends { readonly name: string }, Query extends TObject> {
  readonly url: string;
  /** before the dot of what the audit calls a change */
  readonly action: 'rule' | 'capture_rule';
  /** `rule` */
  readonly noun: string;
  /** `an alert rule` */
  readonly one: string;
  /** of the list's answer, where the rules stand */
  readonly listKey: string;
  /** of making one */
  readonly description?: string;
  readonly schemas: {
    readonly body: TSchema;
    readonly answer: TSchema;
    readonly list: TSchema;
    readonly history: TSchema;
    readonly listQuery: Query;
  };
  /** keys of a body */
  readonly keys: readonly string[];
  /** Throws `unavailable` in a process that keeps none. */
  store(): VersionStore<Body>;
  /** Throws ApiErrors for what the schema cannot say. */
  check(body: Body): void;
  /** Told after each change that was made. Must not throw. */
  changed?(): void;
  /** what answers say besides the body */
  more?(body: Body): object;
  /** conditions of the list besides the usual ones, with their bound parameters */
  where?(query: Static<Query>): { readonly conditions: readonly string[]; readonly params: Record<string, QueryParam> };
}

/** The routes of a kind of rule: GET and POST of the list, GET, PUT and DELETE of one, GET of its history. */
export function ruleRoutes<Body extends { readonly name: string }, Query extends TObject>(
  app: App,
  kind: RuleKind<Body, Query>,
): void {
  const { url, action, noun, one, schemas } = kind;
  const tags = ['management'];
  const plain = one.replace(/^an? /, '');
  const title = plain.charAt(0).toUpperCase() + plain.slice(1);
  const answerOf = (version: Version<Body>): object => ({
    ...keptOf(version),
    ...version.body,
    ...kind.more?.(version.body),
  });
  const checkedBody = (given: unknown): Body => {
    const body = ownKeys(given as Body, kind.keys);
    kind.check(body);
    return body;
  };

  app.get(
    url,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: `${title}s, by name`,
        querystring: schemas.listQuery,
        response: answers(`A page of ${noun}s`, schemas.list),
      },
    },
    async (request, reply) => {
      const query = request.query as Static<Query>;
      const { search, enabled, limit = 100, cursor } = query as ListQuery;
      const position = positionOf(cursor, ['string', 'string']);
      const after = position && { name: String(position[0]), id: String(position[1]) };
      const { conditions = [], params = {} } = kind.where?.(query) ?? {};
      // A rule that does not say is enabled.
      const byEnabled = enabled === undefined ? [] : [`(JSONExtractRaw(body, 'enabled') != 'false') = {on:Bool}`];
      const page = await managing(() =>
        kind.store().list({
          limit,
          after,
          where: [...byEnabled, ...conditions],
          params: { ...params, ...(enabled === undefined ? {} : { on: enabled }) },
          ...(search === undefined ? {} : { search }),
        }),
      );
      const next = page.next && [page.next.name, page.next.id];
      return reply.send({ [kind.listKey]: page.versions.map(answerOf), next: cursorOf(next) });
    },
  );
  app.post(
    url,
    {
      config: { role: 'editor', change: `${action}.create` },
      schema: {
        tags,
        summary: `Make ${one}`,
        ...(kind.description === undefined ? {} : { description: kind.description }),
        body: schemas.body,
        response: managedAnswers(`The ${noun}`, schemas.answer, 201),
      },
    },
    async (request, reply) => {
      const body = checkedBody(request.body);
      const made = await managing(() => kind.store().create(randomUUID(), body, actorOf(request), `${action}.create`));
      kind.changed?.();
      return sendVersion(reply, made).code(201).header('location', `${url}/${made.id}`).send(answerOf(made));
    },
  );
  app.get(
    `${url}/:id`,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: one.charAt(0).toUpperCase() + one.slice(1),
        params: idParams,
        response: managedAnswers(`The ${noun}`, schemas.answer),
      },
    },
    async (request, reply) => {
      const found = await managing(() => kind.store().get(request.params.id));
      if (!found) throw missing(noun);
      return sendVersion(reply, found).send(answerOf(found));
    },
  );
  app.put(
    `${url}/:id`,
    {
      config: { role: 'editor', change: `${action}.update` },
      schema: {
        tags,
        summary: `Replace ${one}`,
        params: idParams,
        headers: changeHeaders,
        body: schemas.body,
        response: managedAnswers(`The ${noun}`, schemas.answer),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      const body = checkedBody(request.body);
      const { id } = request.params;
      const made = await managing(() => kind.store().update(id, expected, body, actorOf(request), `${action}.update`));
      kind.changed?.();
      return sendVersion(reply, made).send(answerOf(made));
    },
  );
  app.delete(
    `${url}/:id`,
    {
      config: { role: 'editor', change: `${action}.delete` },
      schema: {
        tags,
        summary: `Delete ${one}; its history stays`,
        params: idParams,
        headers: changeHeaders,
        response: deletedAnswers('Deleted'),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      await managing(() => kind.store().remove(request.params.id, expected, actorOf(request), `${action}.delete`));
      kind.changed?.();
      return reply.code(204).send();
    },
  );
  app.get(
    `${url}/:id/history`,
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: `All versions of ${one}, also of a deleted one`,
        params: idParams,
        querystring: historyQuerystring,
        response: answers('Its versions', schemas.history),
      },
    },
    async (request, reply) => {
      const { limit = 100, before } = request.query;
      const versions = await managing(() => kind.store().history(request.params.id, limit, before));
      if (versions.length === 0 && before === undefined) throw missing(noun);
      return reply.send(historyOf(versions, limit));
    },
  );
}
