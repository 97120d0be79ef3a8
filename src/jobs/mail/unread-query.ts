/**
 * Who has messages unread that no mail has covered yet, and may be told of them by mail. One place decides, so that
 * what is owed and what is sent at last agree.
 *
 * Never counted: one's own, deleted and already mailed messages, those read in their thread, senders one has blocked, what was said before one
 * joined; rooms that are muted, silenced, deleted or closed to one by a ban; people without a verified address, with
 * unread mail switched off, banned, erased, or whose server refuses them.
 */
import { type SQL, sql } from 'drizzle-orm';
import { isUnread, isUnreadWhereItIs, mentions } from '../../chat/reads/unread-rule.ts';
import type { Transaction } from '../../database/connect.ts';
import { type NotificationSettings, readNotifications } from '../../user/notifications/notification-settings.ts';
import type { UnreadSince } from './mail-schedule.ts';

/** A member with something unread in a room. */
export interface UnreadMember extends UnreadSince {
  readonly userId: string;
  readonly settings: NotificationSettings;
}

export interface UnreadMessage {
  readonly sender: string;
  readonly text: string;
  readonly mention: boolean;
}

/** A room as it goes into a mail: the seqs that the mail covers, and the first words of some messages. */
export interface UnreadRoom {
  readonly roomId: string;
  readonly kind: 'room' | 'dm';
  /** Of a direct message: the other people's names. */
  readonly name: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  /** Counted up to `countMax`. */
  readonly unread: number;
  readonly mentions: number;
  readonly messages: readonly UnreadMessage[];
}

export interface Unread extends UnreadMember {
  /** The verified address as of now. */
  readonly email: string;
  readonly displayName: string;
  readonly rooms: readonly UnreadRoom[];
}

export interface UnreadLimits {
  /** An address whose server refused this many mails for good gets no more. */
  readonly bouncesMax: number;
  /** Messages of a room that are quoted. */
  readonly messagesMax: number;
}

/** Messages of a room that are counted; more are "more". */
export const countMax = 1000;
/** Code points of a message that are read for a mail. */
const excerptMax = 1000;

const milliseconds = (time: SQL) => sql`(extract(epoch from ${time}) * 1000)::float8`;

/** Is event `e` a message that counts for membership `m`? */
const counts = sql`e.room_id = m.room_id and ${sql.raw(isUnread('e', 'm.user_id', 'm.after_seq'))}
  and ${sql.raw(isUnreadWhereItIs('e', 'm.user_id'))} and e.actor_id <> all(m.blocked)
  and (m.level is distinct from 'mentions' or ${sql.raw(mentions('e', 'm.user_id'))})`;

const since = sql`m.user_id as "userId", m.settings, ${milliseconds(sql`oldest.at`)} as "oldestMs",
  ${milliseconds(sql`(select max(finished_at) from mails done where done.user_id = m.user_id and done.kind = 'unread'
    and done.state in ('sent', 'maybe_sent'))`)} as "lastMailMs",
  ${milliseconds(sql`clock_timestamp()`)} as "nowMs"`;

/** `with m as (memberships that may be mailed about) …`; the condition `scope` says which. */
function memberships(scope: SQL, bouncesMax: number): SQL {
  return sql`with m as materialized (
    select m.user_id, m.room_id, r.kind, r.name, u.email, u.display_name, ns.settings, rn.level,
      greatest(m.joined_seq, coalesce(rs.last_read_seq, 0), coalesce(mm.mailed_seq, 0)) as after_seq,
      array(select blocked_id from blocks b where b.user_id = m.user_id) as blocked
    from members m
    join rooms r on r.id = m.room_id and r.deleted_at is null
    join users u on u.id = m.user_id and u.email is not null and u.email_verified_at is not null and u.erased_at is null
    left join notification_settings ns on ns.user_id = m.user_id
    left join room_notifications rn on rn.user_id = m.user_id and rn.room_id = m.room_id
    left join read_states rs on rs.user_id = m.user_id and rs.room_id = m.room_id
    left join mail_marks mm on mm.user_id = m.user_id and mm.room_id = m.room_id
    where ${scope}
      and rn.level is distinct from 'none' and (rn.muted_until is null or rn.muted_until <= now())
      and (ns.settings #> '{email,enabled}') is distinct from 'false'::jsonb
      and not exists (select from moderation_bans b where b.user_id = m.user_id and b.lifted_at is null
        and (b.expires_at is null or b.expires_at > now()) and (b.room_id is null or b.room_id = m.room_id))
      and not exists (select from mail_suppressions s where s.user_id = m.user_id
        and (s.reason = 'unsubscribed' or (s.failures >= ${bouncesMax} and s.created_at >= u.email_verified_at)))
  )`;
}

const oldest = sql`cross join lateral (select e.seq, e.at from events e where ${counts} order by e.seq limit 1) oldest`;

/**
 * Makes the rest of the transaction read the log in the order of its key. The planner's statistics do not show how much
 * of a room is unread for a member, so it would sort thousands of events to take the first (measured in a room with 3,000
 * events: 1.2 s for 500 members, this way 0.1 s for 5,000), or compile a query that takes less time than that.
 */
async function readInOrder(tx: Transaction): Promise<void> {
  await tx.execute(sql`select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
    set_config('jit', 'off', true)`);
}

interface SinceRow {
  readonly userId: string;
  readonly settings: Partial<NotificationSettings> | null;
  readonly oldestMs: number;
  readonly lastMailMs: number | null;
  readonly nowMs: number;
}

/** Members of a room with something unread and no unread mail owed yet, ordered by id. */
export async function unreadInRoom(
  tx: Transaction,
  {
    roomId,
    afterUserId,
    limit,
    bouncesMax,
  }: { roomId: string; afterUserId: string; limit: number; bouncesMax: number },
): Promise<UnreadMember[]> {
  const scope = sql`m.room_id = ${roomId} and m.user_id > ${afterUserId} and not exists (
    select from mails w where w.user_id = m.user_id and w.kind = 'unread' and w.state in ('owed', 'claimed'))`;
  await readInOrder(tx);
  const rows = await tx.execute<SinceRow & Record<string, unknown>>(
    sql`${memberships(scope, bouncesMax)} select ${since} from m ${oldest} order by m.user_id limit ${limit}`,
  );
  return rows.map(toMember);
}

/** The one room of a person that has waited longest, or undefined when nothing is unread. */
export async function oldestUnreadOf(
  tx: Transaction,
  userId: string,
  bouncesMax: number,
): Promise<UnreadMember | undefined> {
  await readInOrder(tx);
  const rows = await tx.execute<SinceRow & Record<string, unknown>>(
    sql`${memberships(sql`m.user_id = ${userId}`, bouncesMax)} select ${since} from m ${oldest} order by oldest.at limit 1`,
  );
  return rows.map(toMember)[0];
}

interface RoomRow extends SinceRow {
  readonly email: string;
  readonly displayName: string;
  readonly roomId: string;
  readonly kind: 'room' | 'dm';
  readonly name: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly unread: number;
  readonly mentions: number;
  readonly messages: UnreadMessage[];
}

/** All that a person has unread, read in one statement: nothing in it was read, deleted or left by then. */
export async function gatherUnread(
  tx: Transaction,
  userId: string,
  { bouncesMax, messagesMax }: UnreadLimits,
): Promise<Unread | undefined> {
  const details = sql`
    cross join lateral (select e.seq from events e where ${counts} order by e.seq desc limit 1) newest
    cross join lateral (
      select count(*)::int as unread, (count(*) filter (where ${sql.raw(mentions('c', 'm.user_id'))}))::int as mentions
      from (select e.actor_id, e.mentions, e.mentions_all from events e where ${counts} order by e.seq limit ${countMax}) c
    ) tally
    cross join lateral (
      select json_agg(json_build_object('sender', coalesce(p.display_name, ''), 'text', left(q.text, ${excerptMax}),
        'mention', q.mention) order by q.seq) as messages
      from (
        select c.*, ${sql.raw(mentions('c', 'm.user_id'))} as mention
        from (select e.seq, e.actor_id, e.text, e.mentions, e.mentions_all from events e where ${counts} order by e.seq limit ${countMax}) c
        order by mention desc, c.seq limit ${messagesMax}
      ) q left join users p on p.id = q.actor_id and p.erased_at is null
    ) quoted`;
  await readInOrder(tx);
  const rows = await tx.execute<RoomRow & Record<string, unknown>>(sql`
    ${memberships(sql`m.user_id = ${userId}`, bouncesMax)}
    select ${since}, m.email, m.display_name as "displayName", m.room_id as "roomId", m.kind,
      case when m.kind = 'dm' then coalesce((select string_agg(p.display_name, ', ' order by p.display_name)
        from members o join users p on p.id = o.user_id where o.room_id = m.room_id and o.user_id <> m.user_id), '')
      else m.name end as name,
      oldest.seq::float8 as "fromSeq", newest.seq::float8 as "toSeq", tally.unread, tally.mentions, quoted.messages
    from m ${oldest} ${details}
    order by (m.kind = 'dm') desc, (tally.mentions > 0) desc, oldest.at, m.room_id`);
  const [first] = rows;
  if (!first) return undefined;
  return {
    ...toMember(first),
    oldestMs: Math.min(...rows.map(({ oldestMs }) => oldestMs)),
    email: first.email,
    displayName: first.displayName,
    rooms: rows.map(({ roomId, kind, name, fromSeq, toSeq, unread, mentions, messages }) => ({
      roomId,
      kind,
      name,
      fromSeq,
      toSeq,
      unread,
      mentions,
      messages,
    })),
  };
}

function toMember({ userId, settings, oldestMs, lastMailMs, nowMs }: SinceRow): UnreadMember {
  return { userId, settings: readNotifications(settings), oldestMs, lastMailMs: lastMailMs ?? undefined, nowMs };
}
