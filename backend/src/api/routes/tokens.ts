/** /api/v1/tokens: who may use the API. A secret is answered once, when it is made, and never again. */
import { parseOffset, parseTime } from '@netspectra/query';
import type { TokenSettings, TokenVersion } from '../../management/index.js';
import { actorOf, parseNetwork } from '../access/index.js';
import { invalid } from '../problem.js';
import { answers } from '../schemas/index.js';
import { changeHeaders, deletedAnswers, idParams, managedAnswers } from '../schemas/managed.js';
import {
  mintedTokenSchema,
  tokenBodySchema,
  tokenListQuerystring,
  tokenListSchema,
  tokenRotateSchema,
  tokenSchema,
} from '../schemas/tokens.js';
import type { App, RouteContext } from './context.js';
import {
  cursorOf,
  expectedVersion,
  keptOf,
  managementOf,
  managing,
  missing,
  positionOf,
  sendVersion,
} from './managed.js';

const url = '/api/v1/tokens';
const tags = ['management'];
const graceMsMax = 30 * 86_400_000;

interface TokenInput {
  readonly name: string;
  readonly role: TokenSettings['role'];
  readonly networks?: readonly string[];
  readonly onBehalfOf?: boolean;
  readonly expiresAt?: string | number | null;
  /** as it is answered: counts where `expiresAt` is not there, so that what was read can be written back */
  readonly expiresAtMs?: unknown;
}

function settingsOf(input: TokenInput, now: number): TokenSettings {
  const { name, role, networks = [], onBehalfOf = false } = input;
  networks.forEach((network, i) => {
    if (parseNetwork(network) === null) {
      throw invalid(`#/networks/${i}`, 'must be a network: 10.0.0.0/8, 2001:db8::/32, or one address');
    }
  });
  const pointer = input.expiresAt === undefined ? '#/expiresAtMs' : '#/expiresAt';
  const wanted = input.expiresAt === undefined ? (input.expiresAtMs ?? null) : input.expiresAt;
  if (wanted === null) return { name, role, networks, onBehalfOf, expiresAt: null };
  const expiresAt = typeof wanted === 'number' || typeof wanted === 'string' ? parseTime(wanted) : undefined;
  if (expiresAt === undefined || expiresAt <= now) {
    throw invalid(pointer, 'must be a time to come: 2030-01-31T12:00:00Z, or milliseconds since 1970');
  }
  return { name, role, networks, onBehalfOf, expiresAt: Math.floor(expiresAt) };
}

interface Use {
  readonly usedAt: number;
  readonly address: string;
}

function answerOf(version: TokenVersion, use: Use | undefined) {
  const { name, role, networks, onBehalfOf, expiresAt, secrets } = version.body;
  return {
    ...keptOf(version),
    name,
    role,
    networks,
    onBehalfOf,
    expiresAtMs: expiresAt,
    prefix: `nst_${version.id}_`,
    lastUsedMs: use?.usedAt ?? null,
    lastUsedFrom: use?.address ?? null,
    previousValidUntilMs: secrets.length > 1 ? (secrets[0]?.validUntil ?? null) : null,
  };
}

export function tokensRoutes(app: App, context: RouteContext): void {
  const tokens = () => managementOf(context).tokens;
  const shown = async (version: TokenVersion) =>
    answerOf(version, (await managing(() => tokens().uses([version.id]))).get(version.id));
  app.get(
    url,
    {
      config: { role: 'admin' },
      schema: {
        tags,
        summary: 'Tokens, by name, without their secrets',
        querystring: tokenListQuerystring,
        response: answers('A page of tokens', tokenListSchema),
      },
    },
    async (request, reply) => {
      const { limit = 100, cursor } = request.query;
      const position = positionOf(cursor, ['string', 'string']);
      const after = position && { name: String(position[0]), id: String(position[1]) };
      const page = await managing(() => tokens().list(limit, after));
      const uses = await managing(() => tokens().uses(page.versions.map(({ id }) => id)));
      const next = page.next && [page.next.name, page.next.id];
      return reply.send({
        tokens: page.versions.map((version) => answerOf(version, uses.get(version.id))),
        next: cursorOf(next),
      });
    },
  );
  app.post(
    url,
    {
      config: { role: 'admin', change: 'token.create' },
      schema: {
        tags,
        summary: 'Make a token',
        description: 'The answer holds the token itself. Nobody can show it again: only its hash is stored.',
        body: tokenBodySchema,
        response: managedAnswers('The token with its secret', mintedTokenSchema, 201),
      },
    },
    async (request, reply) => {
      const settings = settingsOf(request.body as TokenInput, Date.now());
      const made = await managing(() => tokens().create(settings, actorOf(request)));
      const { version, text } = made;
      return sendVersion(reply, version)
        .code(201)
        .header('location', `${url}/${version.id}`)
        .send({ ...answerOf(version, undefined), token: text });
    },
  );
  app.get(
    `${url}/:id`,
    {
      config: { role: 'admin' },
      schema: {
        tags,
        summary: 'A token without its secret',
        params: idParams,
        response: managedAnswers('The token', tokenSchema),
      },
    },
    async (request, reply) => {
      const found = await managing(() => tokens().get(request.params.id));
      if (!found) throw missing('token');
      return sendVersion(reply, found).send(await shown(found));
    },
  );
  app.put(
    `${url}/:id`,
    {
      config: { role: 'admin', change: 'token.update' },
      schema: {
        tags,
        summary: 'Change a token, not its secret',
        params: idParams,
        headers: changeHeaders,
        body: tokenBodySchema,
        response: managedAnswers('The token', tokenSchema),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      const settings = settingsOf(request.body as TokenInput, Date.now());
      const made = await managing(() => tokens().update(request.params.id, expected, settings, actorOf(request)));
      return sendVersion(reply, made).send(await shown(made));
    },
  );
  app.post(
    `${url}/:id/rotate`,
    {
      config: { role: 'admin', change: 'token.rotate' },
      schema: {
        tags,
        summary: 'Give a token a new secret',
        description: 'The secret before stays valid for `grace`, at most 30 days; of earlier rotations none does.',
        params: idParams,
        headers: changeHeaders,
        body: tokenRotateSchema,
        response: managedAnswers('The token with its new secret', mintedTokenSchema),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      const { grace = '0s' } = request.body;
      const graceMs = /^0/.test(grace) ? 0 : parseOffset(grace);
      if (graceMs === undefined || graceMs > graceMsMax) throw invalid('#/grace', 'at most 30d');
      const { version, text } = await managing(() =>
        tokens().rotate(request.params.id, expected, graceMs, actorOf(request)),
      );
      return sendVersion(reply, version).send({ ...(await shown(version)), token: text });
    },
  );
  app.delete(
    `${url}/:id`,
    {
      config: { role: 'admin', change: 'token.revoke' },
      schema: {
        tags,
        summary: 'Revoke a token',
        params: idParams,
        headers: changeHeaders,
        response: deletedAnswers('Revoked; every server knows within seconds'),
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request);
      await managing(() => tokens().revoke(request.params.id, expected, actorOf(request)));
      return reply.code(204).send();
    },
  );
}
