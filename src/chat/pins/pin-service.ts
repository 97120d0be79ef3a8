/** Pins: the messages that a room keeps at hand. */
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Contact } from '../membership/contact.ts';
import type { MessageReading } from '../messages/message-reading.ts';
import type { Message } from '../state/message-shape.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import { countPins, deletePins, lockPinned, type PinPlace, readPins, storePin } from './pin-repository.ts';

/** A pinned message and the seq of its pin. */
export interface Pin {
  readonly message: Message;
  readonly pinnedSeq: number;
}

export interface PinService {
  /**
   * @returns the seq of the pin's event; of the first one if the message was pinned already
   * @throws Failure `not_found`, `forbidden`, `banned`, `muted`, `conflict`
   */
  readonly pin: (actor: Actor, place: PinPlace) => Promise<{ seq: number }>;
  /** @returns the seq of the event; if the message was not pinned, the newest seq of the room */
  readonly unpin: (actor: Actor, place: PinPlace) => Promise<{ seq: number }>;
  /** Newest pin first, of pins before a seq. */
  readonly list: (
    actor: Actor,
    roomId: string,
    page: { readonly before: number; readonly limit: number },
  ) => Promise<Pin[]>;
}

export interface PinServiceOptions {
  readonly db: Database;
  readonly eventLog: Pick<EventLog, 'transact' | 'nowMs'>;
  /** A room at its head as of now, for somebody who may read it. @throws Failure `not_found`, `banned` */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  readonly findMessages: MessageReading['findAt'];
  readonly contact: Pick<Contact, 'requireConversation'>;
  readonly counters: RateCounters;
  readonly settings: {
    /** Pins of a room. */
    readonly pinsMax: number;
    /** Pins that one user sets or takes away. */
    readonly perMinute: number;
  };
}

const minuteMs = 60_000;

export function createPinService(options: PinServiceOptions): PinService {
  const { db, eventLog, followToRead, findMessages, contact, counters, settings } = options;

  async function pin(actor: Actor, place: PinPlace): Promise<{ seq: number }> {
    await requireAllowed(actor, place.roomId);
    const { answer, seq } = await eventLog.transact(place.roomId, async ({ tx, state, nextSeq }) => {
      requirePinning(state, actor);
      const message = await lockPinned(tx, place);
      if (!message || message.seq < state.firstReadable(actor)) throw new Failure('not_found', 'no such message');
      if (message.pinnedSeq !== undefined) return { events: [], answer: message.pinnedSeq };
      if ((await countPins(tx, place.roomId)) >= settings.pinsMax)
        throw new Failure('conflict', `at most ${settings.pinsMax} pinned messages in a room`);
      await storePin(tx, place, { userId: actor.userId, seq: nextSeq });
      return { events: [toEvent('message.pinned', actor, place)], answer: undefined };
    });
    return { seq: answer ?? seq };
  }

  async function unpin(actor: Actor, place: PinPlace): Promise<{ seq: number }> {
    await requireAllowed(actor, place.roomId);
    const { answer, seq } = await eventLog.transact(place.roomId, async ({ tx, state, nextSeq }) => {
      requirePinning(state, actor);
      const message = await lockPinned(tx, place);
      if (!message || message.seq < state.firstReadable(actor)) throw new Failure('not_found', 'no such message');
      if (message.pinnedSeq === undefined) return { events: [], answer: nextSeq - 1 };
      await deletePins(tx, [place.messageId]);
      return { events: [toEvent('message.unpinned', actor, place)], answer: undefined };
    });
    return { seq: answer ?? seq };
  }

  /** Refuses early what the transaction would refuse. */
  async function requireAllowed(actor: Actor, roomId: string): Promise<void> {
    const { state } = await followToRead(actor, roomId);
    requirePinning(state, actor);
    // The other person of a conversation of two sees the pin, as they would see a message.
    await contact.requireConversation(state, actor.userId);
    const window = { max: settings.perMinute, windowMs: minuteMs };
    await requireRate(counters, `pins ${actor.userId}`, window, 'too many pins');
  }

  function requirePinning(state: RoomState, actor: Actor): void {
    state.requirePin(actor);
    state.requireUnmuted(actor.userId, eventLog.nowMs());
  }

  async function list(
    actor: Actor,
    roomId: string,
    { before, limit }: { readonly before: number; readonly limit: number },
  ): Promise<Pin[]> {
    const feed = await followToRead(actor, roomId);
    const from = feed.state.firstReadable(actor);
    // The right to read was checked up to this position.
    const pins = await readPins(db, roomId, { from, to: feed.position, before, limit });
    const messages = await findMessages(
      actor.userId,
      pins.map(({ seq }) => ({ roomId, seq })),
    );
    const bySeq = new Map(messages.map((message) => [message.seq, message]));
    return pins.flatMap(({ seq, pinnedSeq }) => {
      const message = bySeq.get(seq);
      // It may have been deleted or unpinned since the pins were read.
      return message?.pinned ? [{ message, pinnedSeq }] : [];
    });
  }

  return { pin, unpin, list };
}

function toEvent(type: 'message.pinned' | 'message.unpinned', { userId }: Actor, { messageId }: PinPlace) {
  return { type, actorId: userId, messageId, data: { messageId, by: userId } };
}
