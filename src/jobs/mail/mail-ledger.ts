/**
 * The states of a mail, each written before the step that it describes.
 *
 * `owed` → `claimed` when a worker commits to sending it now, with the seqs it covers → `sent`; `maybe_sent` when
 * nobody knows whether it arrived (it is not sent again); `failed` when it was refused for good; back to `owed` when it
 * certainly did not go out; `owed` → `cancelled` when there was nothing left to say.
 *
 * A claim is fenced: `hand`, just before the last byte, succeeds only for the worker that still holds the claim. So a
 * worker that was taken for dead and wakes up cannot send what another one took over.
 */
import { type SQL, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import type { mails } from '../../database/tables/mail-tables.ts';
import { type MailClock, mailDueAt } from './mail-schedule.ts';
import { oldestUnreadOf } from './unread-query.ts';

export type MailKind = 'unread' | 'account';
export type FinalState = 'sent' | 'maybe_sent' | 'failed' | 'cancelled';
type Covers = (typeof mails.$inferSelect)['covers'];

export interface OwedMail {
  readonly id: string;
  readonly userId: string;
  readonly kind: MailKind;
  readonly template: (typeof mails.$inferSelect)['template'];
  readonly recipient: string | null;
  readonly attempts: number;
  readonly due: boolean;
}

export interface Claim {
  readonly covers: Covers;
  readonly unsubscribeHash: Buffer | null;
}

export interface MailLedger {
  /** Locks an owed mail until the transaction ends; undefined: it is not owed, or somebody else is at it. */
  readonly lock: (tx: Transaction, mailId: string) => Promise<OwedMail | undefined>;
  readonly claim: (tx: Transaction, mailId: string, claim: Claim) => Promise<void>;
  readonly cancel: (tx: Transaction, mailId: string) => Promise<void>;
  /** Owed later. @param dueMs by Postgres' clock */
  readonly postpone: (tx: Transaction, mail: { id: string; kind: MailKind }, dueMs: number) => Promise<void>;
  /** From here on the mail may have arrived. @returns false when the claim was lost */
  readonly hand: (mailId: string) => Promise<boolean>;
  /** Gives a claim back: certainly not sent. @param attempt whether this was the mail's own fault */
  readonly release: (mailId: string, release: { pauseMs: number; attempt: boolean }) => Promise<void>;
  /** @param bounced the receiver's server refused it for good */
  readonly finish: (mailId: string, state: FinalState, bounced?: boolean) => Promise<void>;
  /** Owes the next unread mail of each person at its time, unless one is owed already. */
  readonly owe: (tx: Database | Transaction, people: readonly { userId: string; dueMs: number }[]) => Promise<void>;
  /** What workers left that are not alive: un-handed mails are owed again, handed ones may have arrived. */
  readonly recover: (deadAfterMs: number, claimMs: number) => Promise<number>;
}

export interface LedgerSettings {
  readonly clock: MailClock;
  readonly bouncesMax: number;
}

export function createMailLedger({
  db,
  workerId,
  settings,
  onFinished = () => {},
}: {
  db: Database;
  /** Names this process among those that claim. */
  workerId: string;
  settings: LedgerSettings;
  onFinished?: (state: FinalState, kind: MailKind) => void;
}): MailLedger {
  const mine = sql`claimed_by = ${workerId}`;
  const anybody = sql`true`;

  async function owe(tx: Database | Transaction, people: readonly { userId: string; dueMs: number }[]): Promise<void> {
    if (people.length === 0) return;
    const list = people.map(({ userId, dueMs }) => ({ id: uuidv7(), user_id: userId, due_ms: dueMs }));
    await tx.execute(sql`
      with owed as (
        insert into mails (id, user_id, kind, state, due_at)
        select id, user_id, 'unread', 'owed', to_timestamp(due_ms / 1000)
        from json_to_recordset(${JSON.stringify(list)}::json) as x(id uuid, user_id uuid, due_ms float8)
        order by user_id
        on conflict (user_id) where kind = 'unread' and state in ('owed', 'claimed') do nothing
        returning id, due_at
      )
      ${ringAll(sql`select 'unread_mail' as task, id, due_at as run_at from owed`)}`);
  }

  async function finish(
    tx: Transaction,
    mailId: string,
    { state, bounced, holder }: { state: FinalState; bounced: boolean; holder: SQL },
  ): Promise<void> {
    const [mail] = await tx.execute<{ user_id: string; kind: MailKind }>(sql`
      with done as (
        update mails set state = ${state}, finished_at = clock_timestamp()
        where id = ${mailId} and state = 'claimed' and ${holder} returning user_id, kind, covers
      ), marked as (
        insert into mail_marks (user_id, room_id, mailed_seq)
        select user_id, (c ->> 'roomId')::uuid, (c ->> 'toSeq')::bigint from done, jsonb_array_elements(covers) c order by 2
        on conflict (user_id, room_id) do update set mailed_seq = greatest(mail_marks.mailed_seq, excluded.mailed_seq)
      )
      select user_id, kind from done`);
    if (!mail) return;
    onFinished(state, mail.kind);
    if (mail.kind !== 'unread') return;
    if (bounced) await countBounce(tx, mail.user_id);
    if (state === 'sent') await forgetBounces(tx, mail.user_id);
    // Later messages wait for the next mail. It is owed in the same transaction, so that a crash loses nothing.
    const next = await oldestUnreadOf(tx, mail.user_id, settings.bouncesMax);
    if (next) await owe(tx, [{ userId: next.userId, dueMs: mailDueAt(next.settings, next, settings.clock) }]);
  }

  async function recover(deadAfterMs: number, claimMs: number): Promise<number> {
    return db.transaction(async (tx) => {
      const left = await tx.execute<{ id: string; handed: boolean }>(sql`
        select id, handed_at is not null as handed from mails
        where state = 'claimed' and (claimed_at < now() - ${claimMs} * interval '1 millisecond' or not exists (
          select from job_workers w where w.id = claimed_by and w.seen_at > now() - ${deadAfterMs} * interval '1 millisecond'))
        order by id limit 100 for update skip locked`);
      for (const { id, handed } of left) {
        if (handed) await finish(tx, id, { state: 'maybe_sent', bounced: false, holder: anybody });
        else await reown(tx, id, { pauseMs: 0, attempt: false, holder: anybody });
      }
      return left.length;
    });
  }

  return {
    lock: async (tx, mailId) => {
      const [mail] = await tx.execute<OwedMail & Record<string, unknown>>(sql`
        select id, user_id as "userId", kind, template, recipient, attempts, due_at <= clock_timestamp() as due
        from mails where id = ${mailId} and state = 'owed' for update skip locked`);
      return mail;
    },
    claim: async (tx, mailId, { covers, unsubscribeHash }) => {
      await tx.execute(sql`
        update mails set state = 'claimed', claimed_at = clock_timestamp(), claimed_by = ${workerId}, handed_at = null,
          covers = ${JSON.stringify(covers)}::jsonb, unsubscribe_hash = ${unsubscribeHash}
        where id = ${mailId}`);
    },
    cancel: async (tx, mailId) => {
      const [mail] = await tx.execute<{ kind: MailKind }>(
        sql`update mails set state = 'cancelled', finished_at = clock_timestamp() where id = ${mailId} returning kind`,
      );
      if (mail) onFinished('cancelled', mail.kind);
    },
    postpone: async (tx, { id, kind }, dueMs) => {
      await tx.execute(sql`
        with later as (update mails set due_at = to_timestamp(${dueMs}::float8 / 1000) where id = ${id} returning id, due_at)
        select ${ring(sql`${`${kind}_mail`}`, sql`id`, sql`due_at`)} from later`);
    },
    hand: async (mailId) => {
      const handed = await db.execute(sql`
        update mails set handed_at = clock_timestamp()
        where id = ${mailId} and state = 'claimed' and claimed_by = ${workerId} returning id`);
      return handed.length > 0;
    },
    release: (mailId, options) => db.transaction((tx) => reown(tx, mailId, { ...options, holder: mine })),
    finish: (mailId, state, bounced = false) =>
      db.transaction((tx) => finish(tx, mailId, { state, bounced, holder: mine })),
    owe,
    recover,
  };
}

/** Makes a claimed mail owed again. */
async function reown(
  tx: Transaction,
  mailId: string,
  { pauseMs, attempt, holder }: { pauseMs: number; attempt: boolean; holder: SQL },
): Promise<void> {
  await tx.execute(sql`
    with again as (
      update mails set state = 'owed', claimed_by = null, claimed_at = null, handed_at = null, unsubscribe_hash = null,
        covers = '[]', attempts = attempts + ${attempt ? 1 : 0},
        due_at = clock_timestamp() + ${pauseMs} * interval '1 millisecond'
      where id = ${mailId} and state = 'claimed' and ${holder} returning id, kind, due_at
    )
    select ${ring(sql`kind || '_mail'`, sql`id`, sql`due_at`)} from again`);
}

/** Queues the job of a mail, at most once under the key `mail:<id>`. */
export function ring(task: SQL, id: SQL, runAt: SQL): SQL {
  return sql`graphile_worker.add_job(${task}, json_build_object('mailId', ${id}), run_at => ${runAt}, job_key => 'mail:' || ${id})`;
}

/** The same for many, in one call: `mails` has the columns task, id and run_at. */
export function ringAll(mails: SQL): SQL {
  return sql`select count(*)::int as rung from (
    select array_agg(row(task, json_build_object('mailId', id), null, run_at, null, 'mail:' || id, null, null)
      ::graphile_worker.job_spec) as specs from (${mails}) m having count(*) > 0
  ) s cross join lateral graphile_worker.add_jobs(s.specs)`;
}

async function countBounce(tx: Transaction, userId: string): Promise<void> {
  await tx.execute(sql`
    insert into mail_suppressions as s (user_id, reason, failures) values (${userId}, 'bounced', 1)
    on conflict (user_id) do update set failures = s.failures + 1, created_at = now()`);
}

async function forgetBounces(tx: Transaction, userId: string): Promise<void> {
  await tx.execute(sql`delete from mail_suppressions where user_id = ${userId} and reason = 'bounced'`);
}
