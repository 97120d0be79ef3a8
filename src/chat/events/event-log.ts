/**
 * The room log's writer. Every durable event of every room enters here: messages in group commits, everything else
 * in a transaction of its own. seq is position + 1 by this instance's view of the room; the primary key decides, and
 * who loses reads on, asks again whether the author may, and tries the next seq.
 */
import { sql as drizzleSql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Counter, Histogram } from 'prom-client';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { isTornBatch, isUniqueViolation, linkLoss, logLevelOf } from '../../database/database-errors.ts';
import { events as eventsTable } from '../../database/tables/event-tables.ts';
import { Failure, toFailure } from '../../errors.ts';
import type { Outage } from '../../logger/outages.ts';
import type { LogEpoch } from '../../realtime/cluster/log-epoch.ts';
import { eraExpression } from '../../realtime/cluster/log-witnesses.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { ModeratedDraft, SendOutcome } from '../state/message-draft.ts';
import { createdEventJson } from '../state/message-shape.ts';
import type { RoomState } from '../state/room-state.ts';
import {
  type AppendBatch,
  type AppendOutcome,
  type AppendRow,
  appendCarefully,
  appendFresh,
  type RevocationHorizon,
} from './append-statement.ts';
import type { LogReader } from './log-reader.ts';
import { createSendQueue, type PendingSend, type Portion } from './send-queue.ts';

/** An event about to be appended; `data` is stored, and shown as `LogReader` makes it. */
export interface DraftEvent {
  readonly type: string;
  readonly actorId: string;
  readonly messageId?: string;
  readonly data: Record<string, unknown>;
}

export interface AppendPlan<Answer> {
  /** In order; they get the seqs from `nextSeq` on. None: there was nothing to change. */
  readonly events: readonly DraftEvent[];
  readonly answer: Answer;
}

/** What a transaction may rely on: the room as of the seq before `nextSeq`. */
export interface AppendContext {
  readonly tx: Transaction;
  readonly state: RoomState;
  readonly nextSeq: number;
}

export interface EventLogSettings {
  readonly lanes: number;
  readonly batchMax: number;
  readonly perRoomMax: number;
  readonly sendQueueMax: number;
  readonly sendTimeout: number;
  /** A lane's connection that is silent for longer is thrown away. */
  readonly commitTimeout: number;
  /** Said with each statement of a lane; undefined: the lanes' sessions say it. */
  readonly lockTimeoutMs: number | undefined;
  /** Unread mail is due this long after a message; undefined: no mail. */
  readonly mailDelay: number | undefined;
}

export interface EventLogMetrics {
  readonly batches: Histogram;
  readonly commitSeconds: Histogram;
  readonly conflicts: Counter;
  readonly sends: Counter<'outcome'>;
}

/** Logins that ended, as far as this instance knows. */
export interface RevocationView {
  readonly horizon: () => RevocationHorizon;
  readonly sync: () => Promise<void>;
  readonly isRevoked: (caller: { userId: string; sessionId: string | undefined; issuedAt?: number }) => boolean;
}

interface NumberedPortion extends Portion {
  /** The seq that the first send was given. */
  readonly firstSeq: number;
}

export interface EventLog {
  /** Appends one message. Those of one author to one room keep the order of the calls. @throws Failure of authority, `conflict`, `unavailable` or `outcome_unknown` */
  readonly append: (draft: ModeratedDraft) => Promise<SendOutcome>;
  /**
   * Appends what `work` plans, in one transaction with whatever else it writes. `work` runs again when another
   * instance appended first, so it decides by `state` alone and writes through `tx` only. It runs again, too, when a row that
   * it inserts was inserted by another instance's append, such as the same membership: with the state that follows it.
   * @returns its answer, and the seq of its last event: of an earlier one (`plan.events` empty) the caller knows itself
   */
  readonly transact: <Answer>(
    roomId: string,
    work: (context: AppendContext) => Promise<AppendPlan<Answer>>,
  ) => Promise<{ answer: Answer; seq: number }>;
  /** Postgres' clock, milliseconds, as far as the last commits told. */
  readonly nowMs: () => number;
  readonly waiting: () => number;
  /** The log was replaced: mail jobs that were queued with the one before may be gone. */
  readonly startOver: () => void;
  readonly drain: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** A mail job that is due sooner than this may be running already and not see a new message. */
const mailMarginMs = 30_000;
const attemptsMax = 50;
/** A database that was away or refused is asked again after this, with jitter. */
const retryPauseMs = () => 100 + Math.random() * 100;
/** A room where a seq or a key was used already is appended to carefully for this long. */
const carefulMs = 5000;

/** The room's position is of a log that is no more; nothing was stored. */
class LogReplaced extends Error {}
/** The event before the first one is missing in Postgres; nothing was stored. */
class EventMissing extends Error {}

export function createEventLog({
  db,
  openLane,
  hub,
  reader,
  revocations,
  identity,
  metrics,
  logger,
  outage,
  settings,
}: {
  db: Database;
  /** A client of one connection for a lane. */
  openLane: () => Sql;
  hub: Hub<RoomState>;
  reader: LogReader;
  revocations: RevocationView;
  identity: Pick<LogEpoch, 'era' | 'check' | 'remember' | 'suspect'>;
  metrics: EventLogMetrics;
  logger: Logger;
  /** Of the database. */
  outage: Outage;
  settings: EventLogSettings;
}): EventLog {
  const clients = Array.from({ length: settings.lanes }, openLane);
  const mailDueAt = new Map<string, number>();
  /** Rooms that another instance writes to or whose senders repeat themselves, and until when (monotonic) we expect it. */
  const contendedUntil = new Map<string, number>();
  let clockOffsetMs = Date.now() - performance.now();
  let stopped = false;

  const nowMs = () => performance.now() + clockOffsetMs;
  const queue = createSendQueue(settings, commitPortions);

  async function requireFeed(roomId: string): Promise<Feed<RoomState>> {
    const feed = await hub.feed(roomId);
    if (!feed) throw new Failure('not_found', 'no such room');
    return feed;
  }

  async function append(draft: ModeratedDraft): Promise<SendOutcome> {
    let { feed } = draft;
    try {
      // While the text was judged the room may have been put out of memory, or the log have been replaced.
      if (hub.loadedFeed(feed.roomId) !== feed) feed = await requireFeed(feed.roomId);
      const outcome = await new Promise<SendOutcome>((resolve, reject) => {
        if (stopped) throw new Failure('unavailable', 'the server is going down', { retryAfterMs: 1000 });
        const deadlineMs = performance.now() + settings.sendTimeout;
        queue.push(feed, { ...draft, kind: 'send', deadlineMs, tried: false, resolve, reject });
      });
      metrics.sends.inc({ outcome: outcome.duplicate ? 'duplicate' : 'ok' });
      return outcome;
    } catch (error) {
      metrics.sends.inc({ outcome: toFailure(error).code });
      throw error;
    } finally {
      feed.state.releasePost(draft.actor.userId, draft.messageId);
    }
  }

  // ── Batches ──

  async function commitPortions(lane: number, portions: readonly Portion[]): Promise<void> {
    const allowed = portions
      .map(({ line, sends }) => ({
        line,
        sends: sends.filter((item) => mayStill(line.feed, item)),
        firstSeq: line.feed.position + 1,
      }))
      .sort((left, right) => (left.line.feed.roomId < right.line.feed.roomId ? -1 : 1));
    for (const { line, sends } of allowed) if (sends.length === 0) queue.release(line);
    const sending = allowed.filter(({ sends }) => sends.length > 0);
    const now = performance.now();
    const isContended = ({ line }: Portion) => (contendedUntil.get(line.feed.roomId) ?? 0) > now;
    // Two statements, pipelined on the lane's connection: a contended room does not make the others' commit dearer.
    await Promise.all([
      commitTogether(
        lane,
        sending.filter((portion) => !isContended(portion)),
        appendFresh,
      ),
      commitTogether(lane, sending.filter(isContended), appendCarefully),
    ]);
  }

  async function commitTogether(
    lane: number,
    portions: readonly NumberedPortion[],
    append: (sql: Sql, batch: AppendBatch) => Promise<AppendOutcome>,
  ): Promise<void> {
    if (portions.length === 0) return;
    const rows = portions.flatMap(({ line, sends, firstSeq }) =>
      sends.map((item, index) => toRow(line.feed.roomId, item, firstSeq + index)),
    );
    const mailRooms = roomsOwingMail(portions);
    metrics.batches.observe(rows.length);
    const startedMs = performance.now();
    const { mailDelay: mailDelayMs = 0, lockTimeoutMs } = settings;
    const view = { horizon: revocations.horizon(), era: identity.era() };
    let outcome: AppendOutcome;
    try {
      outcome = await withinTime(lane, append(clients[lane]!, { rows, view, mailRooms, mailDelayMs, lockTimeoutMs }));
    } catch (error) {
      if (append === appendFresh && isUniqueViolation(error, 'events'))
        await commitTogether(lane, portions, appendCarefully);
      else await recover(lane, portions, error);
      return;
    }
    const doneMs = performance.now();
    metrics.commitSeconds.observe((doneMs - startedMs) / 1000);
    clockOffsetMs = outcome.atMs - startedMs;
    if (outcome.stale || outcome.replaced || outcome.orphaned !== undefined) {
      await updateView(outcome, rows).catch(async (error: unknown) => {
        logger[logLevelOf(error)]({ error }, 'what an append rests on could not be read again');
        await pause(100);
      });
      for (const { line, sends } of portions) queue.putBack(line, sends);
      return;
    }
    settle(portions, outcome);
    if (outcome.stored === undefined) {
      for (const roomId of mailRooms) mailDueAt.set(roomId, outcome.atMs + (settings.mailDelay ?? 0));
    }
  }

  /** Nothing was stored because of something that this instance does not know yet. */
  async function updateView({ replaced, orphaned }: AppendOutcome, rows: readonly AppendRow[]): Promise<void> {
    if (replaced) return identity.check();
    const first = orphaned === undefined ? undefined : rows.find(({ roomId }) => roomId === orphaned);
    return first ? identity.suspect(first.roomId, first.seq - 1) : revocations.sync();
  }

  /** Authority as of the position that this batch extends. */
  function mayStill(feed: Feed<RoomState>, item: PendingSend): boolean {
    try {
      if (revocations.isRevoked({ ...item.actor, sessionId: item.sessionId })) {
        throw new Failure('unauthenticated', 'this login has ended');
      }
      const now = nowMs();
      // A repeat of it may have been refused for certain while its author was muted or gone: then it is never stored.
      if (feed.state.barredUntilSeq(item.actor.userId) > item.allowedAt)
        throw new Failure('unavailable', 'the right to post changed meanwhile', { retryAfterMs: 500 });
      // Asked before every try: what another instance appended in between may have taken the right away.
      feed.state.requirePost(item.actor, now, item.messageId);
      feed.state.reservePost(item.actor.userId, { messageId: item.messageId, atMs: now });
      return true;
    } catch (error) {
      // What may be stored already is not refused for certain: the same key finds out.
      item.reject(item.tried ? lateFailure('outcome_unknown', error) : error);
      return false;
    }
  }

  function toRow(roomId: string, item: PendingSend, seq: number): AppendRow {
    const { messageId, authorId: actorId, clientId, digest, text, html, mentions, replyTo, flag } = item;
    return { roomId, seq, actorId, messageId, clientId, digest, text, html, mentions, replyTo, flag };
  }

  function roomsOwingMail(portions: readonly Portion[]): string[] {
    if (settings.mailDelay === undefined) return [];
    const now = nowMs();
    const margin = Math.min(mailMarginMs, settings.mailDelay / 2);
    return portions
      .filter(({ line }) => (mailDueAt.get(line.feed.roomId) ?? 0) < now + margin)
      .map(({ line }) => line.feed.roomId);
  }

  async function withinTime<Value>(lane: number, answer: Promise<Value>): Promise<Value> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        // A connection that does not answer is not used again; what it was asked may still happen.
        void clients[lane]!.end({ timeout: 0 }).catch((error: unknown) => logger.debug({ error }, 'lane ended'));
        clients[lane] = openLane();
        reject(new Failure('outcome_unknown', 'the database did not answer in time', { retryAfterMs: 1000 }));
      }, settings.commitTimeout);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
      answer.catch((error: unknown) => logger.trace({ error }, 'late answer of a lane'));
    }
  }

  function settle(portions: readonly NumberedPortion[], outcome: AppendOutcome): void {
    const repeated = new Map(outcome.repeated.map((each) => [each.triedId, each]));
    const announced = [];
    const at = new Date(outcome.atMs).toISOString();
    for (const { line, sends, firstSeq: first } of portions) {
      const { feed } = line;
      if (outcome.stored === undefined || outcome.stored.get(feed.roomId) === sends.length) {
        const events = sends.map((item, index) => ({
          seq: first + index,
          json: createdJson(feed.roomId, item, first + index, at),
        }));
        announced.push({ roomId: feed.roomId, firstSeq: first, events: events.map((event) => event.json) });
        identity.remember({ roomId: feed.roomId, seq: first + sends.length - 1, atMs: outcome.atMs });
        hub.take(feed.roomId, events);
        // A head check may have read these events already: taking them again does nothing.
        for (const [index, item] of sends.entries()) {
          item.resolve({ messageId: item.messageId, seq: first + index, atMs: outcome.atMs, duplicate: false });
        }
        queue.release(line);
        continue;
      }
      contendedUntil.set(feed.roomId, performance.now() + carefulMs);
      const rest = sends.filter((item) => !answerRepeat(item, repeated.get(item.messageId)));
      if (rest.length < sends.length) queue.putBack(line, rest);
      else void retryAfterReading(line, rest);
    }
    if (announced.length > 0) hub.announce(announced);
  }

  function createdJson(roomId: string, item: PendingSend, seq: number, at: string): string {
    const { messageId: id, text, html, mentions, replyTo, clientId } = item;
    return createdEventJson(
      {
        id,
        roomId,
        seq,
        text,
        html,
        mentions,
        replyTo,
        replyCount: 0,
        clientId,
        createdAt: at,
        editedAt: null,
        deletedAt: null,
      },
      item.sender,
    );
  }

  /** @returns whether the item was answered: it had been stored before, by an earlier try of ours or of the client's */
  function answerRepeat(item: PendingSend, first: AppendOutcome['repeated'][number] | undefined): boolean {
    if (!first) return false;
    const own = first.messageId === item.messageId;
    if (!own && first.digest !== item.digest) {
      item.reject(new Failure('conflict', 'this clientId was used for another message'));
    } else {
      item.resolve({ messageId: first.messageId, seq: first.seq, atMs: first.atMs, duplicate: !own });
    }
    return true;
  }

  /** Somebody else took the seq: see what it was, then try the next one. */
  async function retryAfterReading(line: Portion['line'], sends: readonly PendingSend[]): Promise<void> {
    metrics.conflicts.inc();
    await hub.catchUp(line.feed).catch((error: unknown) => {
      logger.debug({ error, roomId: line.feed.roomId }, 'reading on after a conflict failed');
      return pause(100);
    });
    queue.putBack(line, sends);
  }

  /** The statement failed: nothing was stored, or nobody knows. Asking again finds out, until the deadlines pass. */
  async function recover(lane: number, portions: readonly Portion[], error: unknown): Promise<void> {
    const nowMs = performance.now();
    const lost = linkLoss(error);
    if (lost === 'never-connected' || lost === 'in-flight') outage.failed(error);
    else logger.warn({ error: (error as Error).message, lane }, 'a batch failed and is tried again');
    const isRefused = lost === undefined && !isTornBatch(error) && !isUniqueViolation(error);
    // A room that is locked, or a row that makes the statement slow, is to hold up nobody else.
    if (isRefused || (lost === 'rolled-back' && portions.length > 1)) {
      await isolate(lane, portions, error);
      return;
    }
    await Promise.all(
      portions.map(async ({ line, sends }) => {
        const due = sends.filter((item) => item.deadlineMs > nowMs + 200);
        for (const item of sends) {
          // Once its outcome is unknown it stays so, whatever becomes of later tries, until Postgres answers.
          if (lost === 'in-flight') item.tried = true;
          if (!due.includes(item)) {
            item.reject(lateFailure(item.tried ? 'outcome_unknown' : 'unavailable', error));
          }
        }
        if (lost === undefined)
          await hub.catchUp(line.feed).catch((cause: unknown) => logger.debug({ cause }, 'catch-up failed'));
        if (lost === 'rolled-back') {
          // The room alone waits: the lane goes on with others, and does not take it into one statement with them again soon.
          contendedUntil.set(line.feed.roomId, nowMs + carefulMs);
          setTimeout(() => queue.putBack(line, due), retryPauseMs());
        } else queue.putBack(line, due);
      }),
    );
    // A dead database is asked again at a human pace; conflicts at once.
    if (lost !== undefined && lost !== 'rolled-back') await pause(retryPauseMs());
  }

  /** The database refuses something in the batch, for good or for now: halves find it, so that it fails alone. */
  async function isolate(lane: number, portions: readonly Portion[], error: unknown): Promise<void> {
    const [first] = portions;
    if (!first) return;
    if (portions.length > 1) {
      const middle = Math.ceil(portions.length / 2);
      await commitPortions(lane, portions.slice(0, middle));
      await commitPortions(lane, portions.slice(middle));
    } else if (first.sends.length > 1) {
      // Back in the line one by one: the line's order stays.
      queue.returnToLine(first.line, first.sends.slice(1));
      await commitPortions(lane, [{ line: first.line, sends: first.sends.slice(0, 1) }]);
    } else {
      for (const item of first.sends) item.reject(error);
      queue.release(first.line);
    }
  }

  // ── Transactions ──

  async function transact<Answer>(
    roomId: string,
    work: (context: AppendContext) => Promise<AppendPlan<Answer>>,
  ): Promise<{ answer: Answer; seq: number }> {
    const feed = await requireFeed(roomId);
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + settings.sendTimeout;
      queue.push(feed, {
        kind: 'transaction',
        deadlineMs,
        reject,
        run: async () => {
          try {
            resolve(await appendPlanned(feed, work, deadlineMs));
          } catch (error) {
            reject(error);
          }
        },
      });
    });
  }

  async function appendPlanned<Answer>(
    feed: Feed<RoomState>,
    work: (context: AppendContext) => Promise<AppendPlan<Answer>>,
    deadlineMs: number,
  ): Promise<{ answer: Answer; seq: number }> {
    /** An earlier try was lost on its way: it may have happened, so nothing that follows is a definite refusal. */
    let unknown = false;
    for (let attempt = 1; ; attempt++) {
      const nextSeq = feed.position + 1;
      try {
        const { plan, atMs } = await db.transaction(async (tx) => {
          const planned = await work({ tx, state: feed.state, nextSeq });
          if (planned.events.length === 0) return { plan: planned, atMs: undefined };
          return { plan: planned, atMs: await insertEvents(tx, feed.roomId, nextSeq, planned.events) };
        });
        const lastSeq = nextSeq + plan.events.length - 1;
        if (atMs !== undefined) {
          identity.remember({ roomId: feed.roomId, seq: lastSeq, atMs });
          await announceStored(feed, nextSeq, plan.events.length);
        }
        return { answer: plan.answer, seq: lastSeq };
      } catch (error) {
        const lost = error instanceof Failure ? undefined : linkLoss(error);
        if (lost === 'in-flight') unknown = true;
        const replaced = error instanceof LogReplaced || error instanceof EventMissing;
        if (replaced) {
          const update = error instanceof LogReplaced ? identity.check() : identity.suspect(feed.roomId, nextSeq - 1);
          await update.catch((cause: unknown) => {
            logger.warn({ cause }, 'the new log could not be read');
            return pause(100);
          });
        }
        const again = replaced || lost !== undefined || isUniqueViolation(error);
        if (!again || performance.now() > deadlineMs || attempt === attemptsMax) {
          if (unknown) throw lateFailure('outcome_unknown', error);
          throw again ? lateFailure('unavailable', error) : error;
        }
        metrics.conflicts.inc();
        if (lost) await pause(100 + Math.random() * 100);
        const isKnown = await hub.catchUp(feed).then(
          () => true,
          (cause: unknown) => {
            logger.debug({ cause }, 'catch-up failed');
            return false;
          },
        );
        // A key that no append has taken meanwhile would be found taken again.
        const isOther = isUniqueViolation(error) && !isUniqueViolation(error, 'events');
        if (isOther && isKnown && feed.position < nextSeq)
          throw unknown ? lateFailure('outcome_unknown', error) : error;
      }
    }
  }

  function lateFailure(code: 'outcome_unknown' | 'unavailable', cause: unknown): Failure {
    return new Failure(code, 'the database did not answer in time', { cause, retryAfterMs: 1000 });
  }

  /** @returns the events' time, milliseconds since the epoch */
  async function insertEvents(
    tx: Transaction,
    roomId: string,
    firstSeq: number,
    drafts: readonly DraftEvent[],
  ): Promise<number> {
    const [log] = await tx.execute<{ same: boolean; continued: boolean; at_ms: string }>(drizzleSql`
      select ${drizzleSql.raw(eraExpression)} = ${identity.era()} as same,
        ${firstSeq === 1} or exists (select 1 from events where room_id = ${roomId} and seq = ${firstSeq - 1}) as continued,
        (extract(epoch from date_trunc('milliseconds', now())) * 1000)::bigint::text as at_ms
      from log_identity`);
    if (!log?.same) throw new LogReplaced();
    if (!log.continued) throw new EventMissing();
    const at = drizzleSql`date_trunc('milliseconds', now())`;
    await tx.insert(eventsTable).values(
      drafts.map(({ type, actorId, messageId, data }, index) => ({
        roomId,
        seq: firstSeq + index,
        type,
        at,
        actorId,
        messageId,
        data,
      })),
    );
    return Number(log.at_ms);
  }

  /** Committed: whatever fails from here on only delays readers. */
  async function announceStored(feed: Feed<RoomState>, firstSeq: number, count: number): Promise<void> {
    try {
      const stored = await reader.read(feed.roomId, firstSeq - 1, count);
      hub.take(feed.roomId, stored);
      hub.announce([{ roomId: feed.roomId, firstSeq, events: stored.map((event) => event.json) }]);
    } catch (error) {
      logger[logLevelOf(error)](
        { error, roomId: feed.roomId },
        'stored events could not be announced; readers will read them',
      );
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Forgets rooms whose mail job is long due, and those that are contended no longer. */
  const sweeper = setInterval(() => {
    const now = nowMs();
    for (const [roomId, dueMs] of mailDueAt) if (dueMs < now) mailDueAt.delete(roomId);
    for (const [roomId, untilMs] of contendedUntil) if (untilMs < performance.now()) contendedUntil.delete(roomId);
  }, 10_000);

  return {
    append,
    transact,
    nowMs,
    waiting: queue.size,
    startOver: () => mailDueAt.clear(),
    drain: queue.idle,
    stop: async () => {
      stopped = true;
      clearInterval(sweeper);
      queue.stop();
      await Promise.all(clients.map((client) => client.end({ timeout: 5 })));
    },
  };
}
