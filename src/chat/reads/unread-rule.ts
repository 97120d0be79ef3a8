/**
 * What is unread, in one place: the messages of others after the read marker and after joining that are not deleted.
 * A message that is in a thread alone is unread in its thread, not in the room. A mention counts in both.
 * The texts are parts of SQL, to be used with `sql.unsafe` or `sql.raw`.
 */

/** A condition: the message counts in the room's `unread`. @param message alias of a row of `events` */
export function countsInRoom(message: string): string {
  return `(${message}.thread_id is null or ${message}.also_in_room is true)`;
}

/**
 * A condition: the message mentions the user, by name or with everybody. `@here` counts for every member too: who was connected when
 * it was sent is not stored. A mention of everybody does not reach people who block its author, as one by name does not.
 * @param user an expression for the user's id
 */
export function mentions(message: string, user: string): string {
  // A scalar query and not `exists`, for which Postgres may read the whole table to hash it.
  const isBlocked = `select true from blocks b where b.user_id = ${user} and b.blocked_id = ${message}.actor_id`;
  return `((${message}.mentions_all is not null and (${isBlocked}) is null) or (${user} = any(${message}.mentions)) is true)`;
}

/** A condition: the message counts in the room's `unread`, in its `mentions`, or in both. */
function countsAtAll(message: string, user: string): string {
  return `(${countsInRoom(message)} or ${mentions(message, user)})`;
}

/**
 * A condition: the message is unread in its thread. There is no difference between messages that are in the room as well and
 * those that are not.
 * @param message alias of a row of `events`
 * @param user an expression for the user's id
 * @param after an expression for the later of the thread's read marker and the seq at which the user joined
 */
export function isUnreadInThread(message: string, user: string, after: string): string {
  return `${message}.seq > ${after} and ${message}.type = 'message.created' and ${message}.actor_id <> ${user} and ${message}.deleted_at is null`;
}

/** A condition: the message is in no thread, or the user has not read it there. Somebody who has seen it gets no mail about it. */
export function isUnreadWhereItIs(message: string, user: string): string {
  return `(${message}.thread_id is null or (select f.last_read_seq from thread_follows f
    where f.thread_id = ${message}.thread_id and f.user_id = ${user}) >= ${message}.seq is not true)`;
}

/** Two columns, `unread` and `mentions`, over rows that are unread in a thread. They need `countedColumns`. */
export function threadCountColumns(message: string, user: string): string {
  return `count(*)::int as unread, (count(*) filter (where ${mentions(message, user)}))::int as mentions`;
}

/**
 * A condition: the user has not read the message. It does not name the room, which the query does in its own way.
 * @param after an expression for the seq up to which the user has read, or joined
 */
export function isUnread(message: string, user: string, after: string): string {
  return `(${message}.seq > ${after} and ${message}.type = 'message.created' and ${message}.actor_id <> ${user}
    and ${message}.deleted_at is null and ${countsAtAll(message, user)})`;
}

/** The columns that the two counts need. */
export const countedColumns = 'e.actor_id, e.mentions, e.mentions_all, e.thread_id, e.also_in_room';

/** Two columns, `unread` and `mentions`, over rows of `countedColumns`. */
export function countColumns(message: string, user: string): string {
  return `(count(*) filter (where ${countsInRoom(message)}))::int as unread,
    (count(*) filter (where ${mentions(message, user)}))::int as mentions`;
}
