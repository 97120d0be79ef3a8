/**
 * Checks a room some time after a message, and owes a mail to every member who has not read it.
 *
 * Senders add this job at most once per room and delay. So a run schedules another one for messages that are too young, and
 * for messages whose senders believe that this run covers them. A job that is added while one with the same key starts can
 * be lost (see database/queue.ts), so a run that a sender added always schedules one more, under a key that no sender uses.
 */
import { sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { addJob } from '../../database/queue.ts';
import type { MailLedger } from './mail-ledger.ts';
import { type MailClock, mailDueAt } from './mail-schedule.ts';
import { unreadInRoom } from './unread-query.ts';

export interface RoomUnreadSettings {
  readonly clock: MailClock;
  readonly bouncesMax: number;
}

/** Members per query. */
const pageSize = 2000;
/** Shortest interval between two runs for a busy room. */
const restMaxMs = 30_000;

export function createRoomUnread({
  db,
  ledger,
  settings: { clock, bouncesMax },
}: {
  db: Database;
  ledger: MailLedger;
  settings: RoomUnreadSettings;
}): (room: { roomId: string; again?: boolean }) => Promise<void> {
  /** @returns when the oldest of what is unread but too young will have waited long enough */
  async function oweMembers(roomId: string): Promise<number | undefined> {
    let nextMs: number | undefined;
    for (let afterUserId = '00000000-0000-0000-0000-000000000000'; ; ) {
      const from = afterUserId;
      const people = await db.transaction((tx) =>
        unreadInRoom(tx, { roomId, afterUserId: from, limit: pageSize, bouncesMax }),
      );
      const ripe = people.filter(({ oldestMs, nowMs }) => oldestMs + clock.delayMs <= nowMs);
      await ledger.owe(
        db,
        ripe.map((person) => ({ userId: person.userId, dueMs: mailDueAt(person.settings, person, clock) })),
      );
      for (const { oldestMs, nowMs } of people) {
        const ripeMs = oldestMs + clock.delayMs;
        if (ripeMs > nowMs) nextMs = Math.min(nextMs ?? ripeMs, ripeMs);
      }
      if (people.length < pageSize) return nextMs;
      afterUserId = people.at(-1)!.userId;
    }
  }

  return async ({ roomId, again = false }) => {
    const pendingMs = await oweMembers(roomId);
    const [newest] = await db.execute<{ atMs: number | null; nowMs: number }>(sql`
      select (extract(epoch from (select at from events where room_id = ${roomId} and type = 'message.created'
          order by seq desc limit 1)) * 1000)::float8 as "atMs",
        (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"`);
    const { atMs, nowMs } = newest!;
    const coveredMs = atMs !== null && atMs + clock.delayMs > nowMs ? atMs + clock.delayMs : undefined;
    const nextMs = pendingMs ?? coveredMs ?? (again ? undefined : nowMs + clock.delayMs);
    if (nextMs === undefined) return;
    const restMs = Math.max(1, Math.min(restMaxMs, clock.delayMs / 2));
    const runMs = Math.max(nextMs, nowMs + restMs);
    // One look per room and rest: the keys of later looks differ from the one that is running.
    await addJob(
      db,
      'room_unread',
      { roomId, again: true },
      {
        key: `room-unread:${roomId}:${Math.floor(runMs / restMs)}`,
        runAt: sql`to_timestamp(${runMs}::float8 / 1000)`,
      },
    );
  };
}
