/** How events change a room in the user's list: what is unread, who is in it, its settings. */
import { isInRoom } from './message-log.ts';
import type { Message, OwnRoom, Room, RoomEvent } from './types.ts';

export interface CountContext {
  /** The list's user. */
  readonly me: string | undefined;
  /** The message that the event changes, as it was before; undefined: not known. */
  readonly before: Message | undefined;
}

export interface RoomAfter {
  readonly room: OwnRoom;
  /** The event does not tell how many messages are unread now: the room is to be read again. */
  readonly uncertain: boolean;
}

/** Applies an event to its room. A room that was read after the event contains it already, and does not change. */
export function countInRoom(room: OwnRoom, event: RoomEvent, context: CountContext): RoomAfter {
  if (event.seq <= room.seq) return { room, uncertain: false };
  const { uncertain = false, ...change } = changeBy(room, event, context);
  return { room: { ...room, ...change, seq: event.seq }, uncertain };
}

type Change = Partial<OwnRoom> & { readonly uncertain?: boolean };

function changeBy(room: OwnRoom, event: RoomEvent, context: CountContext): Change {
  switch (event.type) {
    case 'message.created':
      return countMessage(room, event.data.message, context.me);
    case 'message.updated':
      return { ...recount(room, event.data.message, context), ...changeLast(room, event.data.message) };
    case 'message.deleted':
      return { ...discount(room, event.data.messageId, context), ...deleteLast(room, event.data.messageId, event.at) };
    case 'member.joined':
      return { memberCount: room.memberCount + 1 };
    case 'member.left':
      return { memberCount: room.memberCount - 1 };
    case 'member.updated':
      return event.data.user.id === context.me ? { role: event.data.role } : {};
    case 'room.updated':
      return settingsOf(event.data.room, room);
    default:
      return {};
  }
}

/** What a message adds to the room's counts: those of the server's one definition of unread. */
function weightOf(message: Message, me: string | undefined): { unread: number; mentions: number } {
  if (message.sender.id === me || message.deletedAt) return { unread: 0, mentions: 0 };
  const mentioned = (message.mentionsAll ?? null) !== null || (me !== undefined && message.mentions.includes(me));
  return { unread: isInRoom(message) ? 1 : 0, mentions: mentioned ? 1 : 0 };
}

function countMessage(room: OwnRoom, message: Message, me: string | undefined): Change {
  const last = isInRoom(message) ? { lastMessage: message } : {};
  if (message.seq <= room.lastReadSeq) return last;
  const { unread, mentions } = weightOf(message, me);
  return { ...last, unread: room.unread + unread, mentions: room.mentions + mentions };
}

function recount(room: OwnRoom, message: Message, { me, before }: CountContext): Change {
  if (message.seq <= room.lastReadSeq || message.sender.id === me) return {};
  if (!before) return { uncertain: true };
  const [was, is] = [weightOf(before, me), weightOf(message, me)];
  return { unread: room.unread + is.unread - was.unread, mentions: room.mentions + is.mentions - was.mentions };
}

function discount(room: OwnRoom, _messageId: string, { me, before }: CountContext): Change {
  if (!before) return { uncertain: room.unread + room.mentions > 0 };
  if (before.seq <= room.lastReadSeq) return {};
  const { unread, mentions } = weightOf(before, me);
  return { unread: Math.max(0, room.unread - unread), mentions: Math.max(0, room.mentions - mentions) };
}

function changeLast({ lastMessage }: OwnRoom, message: Message): Change {
  return lastMessage?.id === message.id ? { lastMessage: { ...message, replyCount: lastMessage.replyCount } } : {};
}

function deleteLast({ lastMessage }: OwnRoom, messageId: string, deletedAt: string): Change {
  if (lastMessage?.id !== messageId) return {};
  return { lastMessage: { ...lastMessage, text: '', html: '', deletedAt } };
}

/** A direct message is named after the other people: the event, which is the same for everybody, has no name. */
function settingsOf(settings: Room, before: OwnRoom): Change {
  const { name, topic, visibility, history, slowModeSeconds, pins, receipts } = settings;
  return { name: name || before.name, topic, visibility, history, slowModeSeconds, pins, receipts };
}
