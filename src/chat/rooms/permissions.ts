/** Who may do what in a room: one table, asked by every route, frame and command. */

export type MemberRole = 'owner' | 'moderator' | 'member';
/** Somebody's standing in a room; `outsider` is anybody else, `admin` a deployment admin or moderator who is no member. */
export type Standing = MemberRole | 'outsider' | 'admin';

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

const allowed: Readonly<Record<Standing, ReadonlySet<RoomAction>>> = {
  owner: new Set(owner),
  moderator: new Set(moderator),
  member: new Set(member),
  outsider: new Set(),
  // Deployment staff keeps order in rooms it is no member of; it does not talk there.
  admin: new Set([
    'read',
    'delete_any',
    'remove_member',
    'mute',
    'moderate',
    'change_room',
    'delete_room',
    'change_role',
  ]),
};

export function may(standing: Standing, action: RoomAction): boolean {
  return allowed[standing].has(action);
}

/** Higher ranks act on lower ones only; an owner may act on owners. */
const rank: Readonly<Record<Standing, number>> = { outsider: 0, member: 1, moderator: 2, owner: 3, admin: 4 };

export function outranks(actor: Standing, target: Standing): boolean {
  return rank[actor] > rank[target] || (actor === 'owner' && target === 'owner');
}
