/**
 * Who may do what: the one table, asked by every route, frame and RPC. A caller has a kind in the deployment and a standing in
 * each room; both are looked up here and nowhere else. What an outsider may not know of answers `not_found` (see
 * chat/state/room-state.ts); the rest is `forbidden`.
 */
import { Failure } from './errors.ts';

// ── The deployment ────────────────────────────────────────────────────────────────────────────────

/** `server`: another server with an API key; its scopes narrow what stands here (auth/host-app/api-keys.ts). */
export type DeploymentRole = 'user' | 'moderator' | 'admin' | 'server';
export type CallerKind = DeploymentRole | 'guest';

export type DeploymentAction =
  /** Come in, see people and public rooms, be a member. */
  | 'chat'
  | 'create_room'
  | 'start_direct_message'
  /** One's own account: profile, settings, blocks, export, erasure. */
  | 'keep_account'
  /** One's own password, address and second factors. */
  | 'secure_account'
  /** Ways to log in besides a password. */
  | 'link_identity'
  /** Queue, rules, bans and audit of all rooms. */
  | 'moderate'
  | 'manage_api_keys'
  /** Create accounts for others, open and end their logins, erase them. */
  | 'manage_users';

const guest: readonly DeploymentAction[] = ['chat', 'create_room', 'start_direct_message', 'keep_account'];
const user: readonly DeploymentAction[] = [...guest, 'secure_account', 'link_identity'];

const inDeployment: Readonly<Record<CallerKind, ReadonlySet<DeploymentAction>>> = {
  guest: new Set(guest),
  user: new Set(user),
  moderator: new Set([...user, 'moderate']),
  admin: new Set([...user, 'moderate', 'manage_api_keys']),
  // A server is nobody's account: it says who is meant.
  server: new Set(['create_room', 'manage_users', 'chat']),
};

/** What the table is asked about; `http/caller/caller.ts` has the whole caller. */
export interface Asking {
  readonly role: DeploymentRole;
  readonly kind: 'user' | 'guest' | 'host' | 'server';
}

export function kindOf({ role, kind }: Asking): CallerKind {
  return kind === 'guest' ? 'guest' : role;
}

/** @throws Failure `forbidden` */
export function requireDeployment(caller: Asking, action: DeploymentAction): void {
  const kind = kindOf(caller);
  if (!inDeployment[kind].has(action)) throw new Failure('forbidden', `a ${kind} may not do that`);
}

// ── The processing port ───────────────────────────────────────────────────────────────────────────

/** `instance`: has the token that the deployment's own processes share; `stranger`: has another, or none. */
export type ProcessingInstance = 'instance' | 'stranger';

/** Services by their full name; null: all of them. Any prober may ask about health. */
const onProcessingPort: Readonly<Record<ProcessingInstance, ReadonlySet<string> | null>> = {
  instance: null,
  stranger: new Set(['grpc.health.v1.Health']),
};

export function mayCall(peer: ProcessingInstance, service: string): boolean {
  return onProcessingPort[peer]?.has(service) ?? true;
}

// ── A room ────────────────────────────────────────────────────────────────────────────────────────

export type MemberRole = 'owner' | 'moderator' | 'member';
/**
 * Somebody's standing in a room. `staff`: a deployment admin or moderator who is no member, of a private room; `admin`: the
 * same where they may read, since the room is public or they have opened it; `banned`: a person whom the room has shut out;
 * `outsider`: anybody else.
 */
export type Standing = MemberRole | 'outsider' | 'staff' | 'admin' | 'server' | 'banned';

export type RoomAction =
  | 'read'
  | 'post'
  | 'edit_own'
  | 'delete_own'
  | 'delete_any'
  | 'pin'
  | 'invite'
  | 'add_member'
  | 'remove_member'
  | 'change_role'
  | 'change_room'
  | 'delete_room'
  | 'mute'
  | 'moderate';

const member: readonly RoomAction[] = ['read', 'post', 'edit_own', 'delete_own', 'invite'];
const moderator: readonly RoomAction[] = [
  ...member,
  'delete_any',
  'pin',
  'add_member',
  'remove_member',
  'mute',
  'moderate',
  'change_room',
];
const owner: readonly RoomAction[] = [...moderator, 'change_role', 'delete_room'];
// Deployment staff keeps order in rooms it is no member of, and every act is on record; it does not talk there.
const staff: readonly RoomAction[] = [
  'delete_any',
  'remove_member',
  'mute',
  'moderate',
  'change_room',
  'delete_room',
  'change_role',
];

const inRoom: Readonly<Record<Standing, ReadonlySet<RoomAction>>> = {
  owner: new Set(owner),
  moderator: new Set(moderator),
  member: new Set(member),
  outsider: new Set(),
  banned: new Set(),
  staff: new Set(staff),
  admin: new Set([...staff, 'read']),
  server: new Set([...staff, 'read', 'add_member', 'invite']),
};

export function may(standing: Standing, action: RoomAction): boolean {
  return inRoom[standing].has(action);
}

/** Higher ranks act on lower ones only; an owner may act on owners. */
const rank: Readonly<Record<Standing, number>> = {
  banned: 0,
  outsider: 0,
  member: 1,
  moderator: 2,
  owner: 3,
  staff: 4,
  admin: 4,
  server: 5,
};

export function outranks(actor: Standing, target: Standing): boolean {
  return rank[actor] > rank[target] || (actor === 'owner' && target === 'owner');
}
