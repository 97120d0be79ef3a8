/** What moderators decide about messages. A decision is a state: it can be repeated, and turned round. */
import { eq, sql } from 'drizzle-orm';
import type { AppendContext, EventLog } from '../../chat/events/event-log.ts';
import { giveBack, withdraw } from '../../chat/messages/message-removal.ts';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Transaction } from '../../database/connect.ts';
import { moderationQueue } from '../../database/tables/moderation-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { BanService } from '../bans/ban-service.ts';
import type { Place } from '../scope/moderation-schemas.ts';
import type { ModeratorAccess, Scope } from '../scope/moderator-access.ts';
import type { QueueEntry, QueueLabel, QueueRepository, QueueState } from './queue-repository.ts';

export interface Decision {
  readonly decision: 'approve' | 'remove';
  readonly note?: string;
  /** Keeps the author out of the entry's room. */
  readonly ban?: { readonly seconds?: number };
}

/** A moderator's word on a text, for the engine to learn from. */
export interface TaughtExample {
  readonly text: string;
  readonly label: 'spam' | 'ham' | 'offensive' | 'clean';
  readonly moderatorId: string;
  readonly origin: { readonly authorId: string; readonly roomId: string; readonly messageId: string };
}

export interface QueueService {
  readonly list: (
    caller: Caller,
    filter: { roomId: string | undefined; state: QueueState; after: Place | undefined; limit: number },
  ) => Promise<QueueEntry[]>;
  readonly get: (caller: Caller, id: string) => Promise<QueueEntry>;
  /**
   * `remove` takes the message from every reader and keeps it for moderators; `approve` leaves it, or gives it back.
   * @throws Failure `not_found`, `forbidden`, `conflict` for a ban in a direct message, `unavailable`, `outcome_unknown` (repeat it)
   */
  readonly decide: (caller: Caller, id: string, decision: Decision) => Promise<QueueEntry>;
}

const states = { approve: 'approved', remove: 'removed' } as const;
const offensive = new Set(['profanity', 'slur', 'sexual', 'threat', 'toxicity']);
const spammy = (name: string): boolean => name === 'spam' || name === 'flood' || name.startsWith('link');

export function createQueueService({
  access,
  repository,
  eventLog,
  bans,
  recordAct,
  teach,
}: {
  access: ModeratorAccess;
  repository: QueueRepository;
  eventLog: EventLog;
  bans: BanService;
  recordAct: RecordAct;
  /** Stores what the decision teaches, in its transaction. */
  teach: (tx: Transaction, example: TaughtExample) => Promise<void>;
}): QueueService {
  /** What is outside the caller's reach and what does not exist answer alike. */
  async function requirePlace(caller: Caller, id: string) {
    const place = await repository.place(id);
    if (!place) throw new Failure('not_found', 'no such entry');
    const scope = await access.require(caller, place.roomId).catch((error: unknown) => {
      const hidden = error instanceof Failure && error.code === 'not_found';
      throw hidden ? new Failure('not_found', 'no such entry') : error;
    });
    if (place.seq < scope.from) throw new Failure('not_found', 'no such entry');
    return { ...place, scope };
  }

  async function requireEntry(id: string, scope: Scope): Promise<QueueEntry> {
    const entry = await repository.find(id, scope);
    if (!entry) throw new Failure('not_found', 'no such entry');
    return entry;
  }

  async function decide(caller: Caller, id: string, decision: Decision): Promise<QueueEntry> {
    const place = await requirePlace(caller, id);
    const before = await requireEntry(id, place.scope);
    if (decision.ban && before.room.kind === 'dm')
      throw new Failure('conflict', 'a direct message has no bans; ban the account instead');
    const authorId = before.author.user.id;
    await eventLog.transact(place.roomId, async (context) => {
      const events = [];
      // An erasure locks the account first and then what is kept of it: in the same order, neither waits for the other in a ring.
      await context.tx.select({ id: users.id }).from(users).where(eq(users.id, authorId)).for('key share');
      const isNew = await store(context.tx, id, caller.userId, decision);
      if (isNew) {
        events.push(...(await carryOut(context, place, caller.userId, decision.decision)));
        if (before.message.text !== '')
          await teach(context.tx, {
            text: before.message.text,
            label: learnedLabel(before, decision.decision),
            moderatorId: caller.userId,
            origin: { authorId, roomId: place.roomId, messageId: place.messageId },
          });
        await recordAct(context.tx, {
          action: `message.${decision.decision}`,
          actorId: caller.userId,
          roomId: place.roomId,
          targetId: place.messageId,
          details: { queueId: id, authorId, ...(decision.note === undefined ? {} : { note: decision.note }) },
        });
      }
      if (decision.ban)
        events.push(
          ...(await bans.banInside(
            { ...context, nextSeq: context.nextSeq + events.length },
            {
              actor: caller,
              roomId: place.roomId,
              userId: authorId,
              seconds: decision.ban.seconds,
              reason: decision.note,
            },
          )),
        );
      return { events, answer: undefined };
    });
    if (decision.ban) await bans.endLateMembership(caller, place.roomId, authorId);
    return requireEntry(id, place.scope);
  }

  /** @returns whether the entry's state is another one now */
  async function store(tx: Transaction, id: string, by: string, { decision, note }: Decision): Promise<boolean> {
    const [row] = await tx
      .select({ state: moderationQueue.state })
      .from(moderationQueue)
      .where(eq(moderationQueue.id, id))
      .for('update');
    if (!row) throw new Failure('not_found', 'no such entry');
    if (row.state === states[decision]) return false;
    await tx
      .update(moderationQueue)
      .set({ state: states[decision], decidedBy: by, decidedAt: sql`now()`, note: note ?? null })
      .where(eq(moderationQueue.id, id));
    return true;
  }

  function carryOut(
    context: AppendContext,
    place: { roomId: string; messageId: string },
    by: string,
    decision: 'approve' | 'remove',
  ) {
    const { roomId, messageId } = place;
    return (decision === 'remove' ? withdraw : giveBack)(context, { roomId, messageId }, by);
  }

  return {
    list: async (caller, { roomId, ...filter }) =>
      repository.list({ scope: await access.require(caller, roomId), ...filter }),
    get: async (caller, id) => {
      const { scope } = await requirePlace(caller, id);
      return requireEntry(id, scope);
    },
    decide,
  };
}

/** Which lesson a decision is: about offence where the engine or a reader spoke of it, else about spam. */
export function learnedLabel(
  { labels, reports }: { labels: readonly Pick<QueueLabel, 'name'>[]; reports: readonly { reason: string }[] },
  decision: 'approve' | 'remove',
): TaughtExample['label'] {
  const names = labels.map(({ name }) => name);
  const said = reports.map(({ reason }) => reason).join(' ');
  const spam = names.some(spammy) || /\b(?:spam|scam|advert|phish|fraud)/i.test(said);
  const aboutOffence = names.some((name) => offensive.has(name)) || (!spam && reports.length > 0);
  if (decision === 'remove') return aboutOffence && !spam ? 'offensive' : 'spam';
  return aboutOffence && !spam ? 'clean' : 'ham';
}
