/** Who does something, as it is written beside every change. */

/** From the least to the most; each includes those before it. */
export const grantedRoles = ['viewer', 'editor', 'admin'] as const;
export type GrantedRole = (typeof grantedRoles)[number];

export interface Actor {
  /** how the caller proved who it is; `loopback`: not at all, `system`: this program itself, `unknown`: it could not */
  readonly kind: 'token' | 'configured' | 'certificate' | 'loopback' | 'system' | 'unknown';
  /** id of the token, name in the certificate, or '' */
  readonly id: string;
  readonly name: string;
  readonly role: GrantedRole | '';
  /** the Grafana user for whom the caller says it acts; '' when it may not say so, or does not */
  readonly onBehalfOf: string;
  /** network address of the caller */
  readonly address: string;
  readonly requestId: string;
}

/** The program itself. */
export const systemActor: Actor = {
  kind: 'system',
  id: '',
  name: 'netspectra',
  role: 'admin',
  onBehalfOf: '',
  address: '',
  requestId: '',
};

/** Columns of the tables for an actor and what it did, in this order. */
export const actorColumns = [
  'actor_kind',
  'actor_id',
  'actor_name',
  'actor_role',
  'on_behalf_of',
  'address',
  'request_id',
  'action',
] as const;

export const actorValues = (actor: Actor, action: string): string[] => [
  actor.kind,
  actor.id,
  actor.name,
  actor.role,
  actor.onBehalfOf,
  actor.address,
  actor.requestId,
  action,
];
