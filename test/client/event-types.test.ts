/** The types of the client and the schemas of the server are the same thing said twice: the compiler holds them together. */
import type { Static, TSchema } from 'typebox';
import { expect, test } from 'vitest';
import type { ListedRoomShape, RoomShape } from '../../src/chat/rooms/room-schemas.ts';
import { durableEvents, ephemeralFrames } from '../../src/chat/state/event-schemas.ts';
import type * as extras from '../../src/chat/state/message-extras.ts';
import type { MessageShape } from '../../src/chat/state/message-shape.ts';
import type * as client from '../../src/client/index.ts';

type DeepReadonly<Value> = Value extends (infer Each)[]
  ? readonly DeepReadonly<Each>[]
  : Value extends object
    ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> }
    : Value;
type Of<Schema extends TSchema> = DeepReadonly<Static<Schema>>;
/** Whether every value of the first type is one of the second. */
type Fits<Given, Wanted> = [Given] extends [Wanted] ? true : { readonly misfit: Given; readonly wanted: Wanted };
type SameKeys<Left, Right> = [keyof Left] extends [keyof Right]
  ? [keyof Right] extends [keyof Left]
    ? true
    : { readonly unknownToServer: Exclude<keyof Right, keyof Left> }
  : { readonly unknownToClient: Exclude<keyof Left, keyof Right> };
/** Both ways: nothing that the server sends is missing in the client, and nothing in the client is invented. */
type Same<Schema extends TSchema, Type> = [
  Fits<Of<Schema>, Type>,
  Fits<Type, Of<Schema>>,
  SameKeys<Of<Schema>, Type>,
] extends [true, true, true]
  ? true
  : [Fits<Of<Schema>, Type>, Fits<Type, Of<Schema>>, SameKeys<Of<Schema>, Type>];

type ServerEvents = typeof durableEvents;
/** What the client says of each event is what the schema allows. */
type EventsFit = {
  readonly [Type in keyof ServerEvents]: Type extends keyof client.RoomEventData
    ? Fits<client.RoomEventData[Type], Of<ServerEvents[Type]['data']>>
    : 'the client does not know it';
};
/** The other way, without those whose schemas leave something open. */
type Open = 'member.joined' | 'member.updated' | 'room.updated' | 'message.deleted' | 'member.left' | 'room.deleted';
type EventsAreRead = {
  readonly [Type in Exclude<keyof ServerEvents, Open>]: Fits<
    Of<ServerEvents[Type]['data']>,
    client.RoomEventData[Type]
  >;
};
type AllTrue<Checks> = { readonly [Key in keyof Checks]: true };
type NotSignals = 'resumed' | 'room.reset';

/** Compiles only while all of them hold. The compiler's message names what parts. */
const held: {
  readonly message: Same<typeof MessageShape, client.Message & { readonly duplicate?: boolean }>;
  readonly room: Same<typeof RoomShape, client.Room>;
  readonly listedRoom: SameKeys<Of<typeof ListedRoomShape>, client.OwnRoom>;
  readonly attachment: Same<typeof extras.AttachmentShape, client.Attachment>;
  readonly poll: Same<typeof extras.PollShape, client.Poll>;
  readonly preview: Same<typeof extras.PreviewShape, client.Preview>;
  readonly reaction: Same<typeof extras.ReactionShape, client.Reaction>;
  readonly thread: Same<typeof extras.ThreadShape, client.ThreadSummary>;
  readonly eventNames: SameKeys<ServerEvents, client.RoomEventData>;
  readonly signalNames: SameKeys<Omit<typeof ephemeralFrames, NotSignals>, client.SignalFields>;
  readonly events: EventsFit extends AllTrue<EventsFit> ? true : EventsFit;
  readonly eventsRead: EventsAreRead extends AllTrue<EventsAreRead> ? true : EventsAreRead;
} = {
  ...{ message: true, room: true, listedRoom: true, attachment: true, poll: true, preview: true },
  ...{ reaction: true, thread: true, eventNames: true, signalNames: true, events: true, eventsRead: true },
};

test('the client knows each event and each frame of the server by its type', () => {
  expect(Object.values(held)).not.toContain(false);
  const names = { ...durableEvents, ...ephemeralFrames };
  expect(Object.keys(names).filter((name) => !/^[a-z]+(\.[a-z]+)?$/.test(name))).toEqual([]);
});
