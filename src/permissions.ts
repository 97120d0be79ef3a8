/**
 * Who may do what: the one table that every route, frame and RPC checks. A caller has a kind in the deployment and a standing
 * in each room; both are looked up here and nowhere else. A refusal is `forbidden`, or `not_found` where the caller may not
 * know that the thing exists (see chat/state/room-state.ts).
 */
import { Failure } from './errors.ts';

// ── The deployment ────────────────────────────────────────────────────────────────────────────────

/** `server`: another server with an API key; the scopes of the key narrow this table (auth/host-app/api-keys.ts). */
export type DeploymentRole = 'user' | 'moderator' | 'admin' | 'server';
export type CallerKind = DeploymentRole | 'guest';

export type DeploymentAction =
  /** Connect, see users and public rooms, be a member. */
  | 'chat'
  | 'create_room'
  | 'start_direct_message'
  /** The caller's own account: profile, settings, blocks, export, erasure. */
  | 'keep_account'
  /** The caller's own password, email address and second factors. */
  | 'secure_account'
  /** Login methods besides a password. */
  | 'link_identity'
  /** Queue, rules, bans and audit of all rooms. */
  | 'moderate'
  | 'manage_api_keys'
  /** Create accounts for other users, open and end their sessions, erase them. */
  | 'manage_users';

const guest: readonly DeploymentAction[] = ['chat', 'create_room', 'start_direct_message', 'keep_account'];
const user: readonly DeploymentAction[] = [...guest, 'secure_account', 'link_identity'];

const inDeployment: Readonly<Record<CallerKind, ReadonlySet<DeploymentAction>>> = {
  guest: new Set(guest),
  user: new Set(user),
  moderator: new Set([...user, 'moderate']),
  admin: new Set([...user, 'moderate', 'manage_api_keys']),
  // A server has no account: its requests name the user.
  server: new Set(['create_room', 'manage_users', 'chat']),
};

/** The part of a caller that the table needs; the whole is `Caller` in `http/caller/caller.ts`. */
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

/** `instance`: a caller with the token that the deployment's processes share; `stranger`: one with another token, or none. */
export type ProcessingInstance = 'instance' | 'stranger';

/** Services by their full name; null: all. Health checks are open to everybody. */
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
 * A user's standing in a room. A member has the standing of their role. For others: `staff` is a deployment moderator or admin
 * in a private room, `admin` is the same where they may also read, because the room is public or they have opened it,
 * `banned` is a user who is banned from the room, and `outsider` is everybody else.
 */
export type Standing = MemberRole | 'outsider' | 'staff' | 'admin' | 'server' | 'banned';

export type RoomAction =
  | 'read'
  | 'post'
  | 'edit_own'
  | 'delete_own'
  | 'delete_any'
  | 'pin'
  /** Where the room's setting lets members pin. */
  | 'pin_as_member'
  | 'react'
  | 'vote'
  /** Somebody else’s poll. */
  | 'close_poll'
  /** `@here` and `@room` in rooms of more than `room.mentionAllMax` members. */
  | 'mention_all'
  | 'invite'
  | 'add_member'
  | 'remove_member'
  | 'change_role'
  | 'change_room'
  | 'delete_room'
  | 'mute'
  | 'moderate';

const member: readonly RoomAction[] = [
  'read',
  'post',
  'edit_own',
  'delete_own',
  'invite',
  'react',
  'vote',
  'pin_as_member',
];
const moderator: readonly RoomAction[] = [
  ...member,
  'delete_any',
  'pin',
  'mention_all',
  'add_member',
  'remove_member',
  'mute',
  'moderate',
  'close_poll',
  'change_room',
];
const owner: readonly RoomAction[] = [...moderator, 'change_role', 'delete_room'];
// Staff moderate rooms that they are not members of, and every act is in the audit log. They do not post there.
const staff: readonly RoomAction[] = [
  'delete_any',
  'remove_member',
  'mute',
  'moderate',
  'close_poll',
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

/** A standing acts only on lower ranks; owners also act on owners. */
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
