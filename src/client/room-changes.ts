/** How events change a room in the user's list: who is in it, its last message, its settings. What is unread: unread-counts.ts. */
import { isInRoom } from './message-log.ts';
import type { MemberChange, Message, OwnRoom, Room, RoomEvent } from './types.ts';

/** Applies an event to its room. A room that was read after the event contains it already, and does not change. */
export function changeRoom(room: OwnRoom, event: RoomEvent, me: string | undefined): OwnRoom {
  if (event.seq <= room.seq) return room;
  return { ...room, ...changeBy(room, event, me), seq: event.seq };
}

function changeBy(room: OwnRoom, event: RoomEvent, me: string | undefined): Partial<OwnRoom> {
  switch (event.type) {
    case 'message.created':
      return isInRoom(event.data.message) ? { lastMessage: event.data.message } : {};
    case 'message.updated':
      return changeLast(room, event.data.message);
    case 'message.deleted':
      return deleteLast(room, event.data.messageId, event.at);
    case 'member.joined':
      return { memberCount: room.memberCount + 1, ...ownRole(event.data, me) };
    case 'member.left':
      return { memberCount: room.memberCount - 1 };
    case 'member.updated':
      return ownRole(event.data, me);
    case 'room.updated':
      return settingsOf(event.data.room, room);
    default:
      return {};
  }
}

/** The user may have left and joined again while nothing was connected: with another role. */
function ownRole({ user, role }: MemberChange, me: string | undefined): Partial<OwnRoom> {
  return user.id === me ? { role } : {};
}

function changeLast({ lastMessage }: OwnRoom, message: Message): Partial<OwnRoom> {
  return lastMessage?.id === message.id ? { lastMessage: { ...message, replyCount: lastMessage.replyCount } } : {};
}

function deleteLast({ lastMessage }: OwnRoom, messageId: string, deletedAt: string): Partial<OwnRoom> {
  if (lastMessage?.id !== messageId) return {};
  return { lastMessage: { ...lastMessage, text: '', html: '', deletedAt } };
}

/** A direct message is named after the other people: the event, which is the same for everybody, has no name. */
function settingsOf(settings: Room, before: OwnRoom): Partial<OwnRoom> {
  const { name, topic, visibility, history, slowModeSeconds, pins, receipts } = settings;
  return { name: name || before.name, topic, visibility, history, slowModeSeconds, pins, receipts };
}
