/** Who sends a request, as it was proven. */
import type { FastifyRequest } from 'fastify';
import type { Actor, GrantedRole } from '../../management/index.js';

export interface Identity {
  readonly kind: Actor['kind'];
  /** id of the token, name in the certificate, '' for others */
  readonly id: string;
  readonly name: string;
  readonly role: GrantedRole;
  /** the Grafana user for whom a token that may say so acts; '' when there is none */
  readonly onBehalfOf: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** null on public routes */
    identity: Identity | null;
    /** network address of the client, see originOf */
    clientAddress: string;
  }
}

/** The request's sender, as it is written beside a change. */
export function actorOf(request: FastifyRequest): Actor {
  const identity = request.identity;
  return {
    kind: identity?.kind ?? 'unknown',
    id: identity?.id ?? '',
    name: identity?.name ?? '',
    role: identity?.role ?? '',
    onBehalfOf: identity?.onBehalfOf ?? '',
    address: request.clientAddress,
    requestId: request.id,
  };
}

/** Who shares the work of the server with others: a token or certificate, else an address. */
export function clientKey(request: FastifyRequest): string {
  const identity = request.identity;
  return identity && identity.id !== '' ? `${identity.kind}:${identity.id}` : `address:${request.clientAddress}`;
}
