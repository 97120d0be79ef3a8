/** The places of the page: each has an address of its own, so that links, the back button and new tabs work. */

/** A room, and what is open beside its messages or pointed at in them. */
export interface Place {
  readonly roomId: string;
  readonly messageId?: string;
  readonly threadId?: string;
  readonly pane?: 'pins';
}

const id = '([0-9a-f-]{36})';
const room = new RegExp(`^#/rooms/${id}(?:/messages/${id}|/threads/${id}(?:/messages/${id})?|/(pins))?`);

/** @param hash of the address */
export function readPlace(hash: string): Place | undefined {
  const [, roomId, messageId, threadId, inThread, pane] = room.exec(hash) ?? [];
  if (roomId === undefined) return undefined;
  const pointed = messageId ?? inThread;
  return {
    roomId,
    ...(pointed ? { messageId: pointed } : {}),
    ...(threadId ? { threadId } : {}),
    ...(pane === 'pins' ? { pane } : {}),
  };
}

export const placeOf = {
  room: (roomId: string) => `#/rooms/${roomId}`,
  message: (roomId: string, messageId: string) => `#/rooms/${roomId}/messages/${messageId}`,
  thread: (roomId: string, threadId: string) => `#/rooms/${roomId}/threads/${threadId}`,
  inThread: (roomId: string, threadId: string, messageId: string) =>
    `#/rooms/${roomId}/threads/${threadId}/messages/${messageId}`,
  pins: (roomId: string) => `#/rooms/${roomId}/pins`,
} as const;
