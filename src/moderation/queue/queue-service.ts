/** Moderators decide about messages. A decision is a state of its entry: repeating it changes nothing, and it can be reversed. */
import type { AppendContext, AppendPlan, EventLog } from '../../chat/events/event-log.ts';
import type { ExtrasLoader } from '../../chat/messages/extras-loader.ts';
import { giveBack, withdraw } from '../../chat/messages/message-removal.ts';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { RoomBans } from '../bans/room-bans.ts';
import type { Place } from '../scope/list-place.ts';
import { hideFailure, type ModeratorAccess, type Scope } from '../scope/moderator-access.ts';
import { lockAuthor, storeDecision } from './decision-repository.ts';
import { type LearnedLabel, learnedLabel } from './learned-label.ts';
import type { QueueEntry, QueueState } from './queue-entry.ts';
import type { EntryPlace, QueueRepository } from './queue-repository.ts';

export interface Decision {
  readonly decision: 'approve' | 'remove';
  readonly note?: string;
  /** Bans the author from the entry's room; without `seconds` until the ban is lifted. */
  readonly ban?: { readonly seconds?: number };
}

/** A text and what a moderator says of it, for the engine to learn from. */
export interface TaughtExample {
  readonly text: string;
  readonly label: LearnedLabel;
  readonly moderatorId: string;
  readonly origin: { readonly authorId: string; readonly roomId: string; readonly messageId: string };
}

export interface QueueService {
  readonly list: (
    caller: Caller,
    filter: { roomId: string | undefined; state: QueueState; after: Place | undefined; limit: number },
  ) => Promise<QueueEntry[]>;
  /** @throws Failure `not_found`, `forbidden` */
  readonly get: (caller: Caller, id: string) => Promise<QueueEntry>;
  /**
   * `remove` redacts the message and keeps its text for moderators; `approve` leaves it, or restores it.
   * @throws Failure `not_found`, `forbidden`, `conflict` for a ban in a direct message, `unavailable`, `outcome_unknown` (repeat it)
   */
  readonly decide: (caller: Caller, id: string, decision: Decision) => Promise<QueueEntry>;
}

export interface QueueServiceParts {
  readonly access: ModeratorAccess;
  readonly repository: QueueRepository;
  readonly eventLog: EventLog;
  readonly roomBans: RoomBans;
  readonly recordAct: RecordAct;
  /** Stores what the decision teaches, in its transaction. */
  readonly teach: (tx: Transaction, example: TaughtExample) => Promise<void>;
  readonly snapshot: ExtrasLoader['snapshot'];
}

export function createQueueService(parts: QueueServiceParts): QueueService {
  const { access, repository, eventLog, roomBans } = parts;

  /** @throws Failure `not_found` also for an entry that the caller may not see */
  async function requirePlace(caller: Caller, id: string): Promise<EntryPlace & { scope: Scope }> {
    const place = await repository.place(id);
    if (!place) throw noSuchEntry();
    const isHidden = ({ code }: Failure) => code === 'not_found';
    const scope = await hideFailure(access.require(caller, place.roomId), isHidden, noSuchEntry);
    if (place.seq < scope.from) throw noSuchEntry();
    return { ...place, scope };
  }

  async function requireEntry(id: string, scope: Scope): Promise<QueueEntry> {
    const entry = await repository.find(id, scope);
    if (!entry) throw noSuchEntry();
    return entry;
  }

  async function decide(caller: Caller, id: string, decision: Decision): Promise<QueueEntry> {
    const { scope, roomId } = await requirePlace(caller, id);
    const entry = await requireEntry(id, scope);
    if (decision.ban && entry.room.kind === 'dm')
      throw new Failure('conflict', 'a direct message has no bans; ban the account instead');
    await eventLog.transact(roomId, (context) => planDecision(parts, context, { caller, entry, decision }));
    if (decision.ban) await roomBans.finish({ actor: caller, roomId, userId: entry.author.user.id });
    return requireEntry(id, scope);
  }

  return {
    list: async (caller, { roomId, ...filter }) =>
      repository.list({ scope: await access.require(caller, roomId), ...filter }),
    get: async (caller, id) => requireEntry(id, (await requirePlace(caller, id)).scope),
    decide,
  };
}

interface DecisionOrder {
  readonly caller: Caller;
  /** As it was before the transaction. */
  readonly entry: QueueEntry;
  readonly decision: Decision;
}

const states = { approve: 'approved', remove: 'removed' } as const;

/** The decision, what follows from it, and the ban are one transaction of the room's log. */
async function planDecision(
  parts: QueueServiceParts,
  context: AppendContext,
  order: DecisionOrder,
): Promise<AppendPlan<undefined>> {
  const { caller, entry, decision } = order;
  const { tx } = context;
  const authorId = entry.author.user.id;
  const lock = await lockAuthor(tx, authorId);
  const state = states[decision.decision];
  const isNew = await storeDecision(tx, lock, { id: entry.id, state, decidedBy: caller.userId, note: decision.note });
  const events = isNew ? await carryOut(parts, context, order) : [];
  if (decision.ban) {
    const next = { ...context, nextSeq: context.nextSeq + events.length };
    const ban = { actor: caller, roomId: entry.room.id, userId: authorId, reason: decision.note };
    events.push(...(await parts.roomBans.banInside(next, { ...ban, seconds: decision.ban.seconds })));
  }
  return { events, answer: undefined };
}

/** What follows from a new decision: the message goes or comes back, the engine learns, and the audit log has an entry. */
async function carryOut(
  { teach, recordAct, snapshot }: QueueServiceParts,
  context: AppendContext,
  { caller, entry, decision: { decision, note } }: DecisionOrder,
) {
  const { tx } = context;
  const place = { roomId: entry.room.id, messageId: entry.message.id };
  const events =
    decision === 'remove'
      ? await withdraw(context, place, caller.userId)
      : await giveBack(context, place, caller.userId, snapshot);
  const { text } = entry.message;
  const authorId = entry.author.user.id;
  if (text !== '') {
    const origin = { authorId, ...place };
    await teach(tx, { text, label: learnedLabel(entry, decision), moderatorId: caller.userId, origin });
  }
  await recordAct(tx, {
    action: `message.${decision}`,
    actorId: caller.userId,
    roomId: place.roomId,
    targetId: place.messageId,
    details: { queueId: entry.id, authorId, ...(note === undefined ? {} : { note }) },
  });
  return events;
}

function noSuchEntry(): Failure {
  return new Failure('not_found', 'no such entry');
}
