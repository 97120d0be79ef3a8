/** A room in memory and messages on their way into it, for unit tests of chat. */
import type { QueuedSend } from '../../src/chat/events/queued-send.ts';
import type { CheckedDraft, ModeratedDraft, SendOutcome } from '../../src/chat/state/message-draft.ts';
import { type MemberState, type RoomSettings, RoomState } from '../../src/chat/state/room-state.ts';
import { Feed } from '../../src/realtime/feed/feed.ts';

/** A private room at seq 5, in which `ana` and `ben` are members. */
export function roomFeed(roomId = 'room', settings: Partial<RoomSettings> = {}): Feed<RoomState> {
  const member = (role: MemberState['role'], joinedSeq: number): MemberState => ({ role, joinedSeq, mutedUntil: 0 });
  const members = new Map([
    ['ana', member('owner', 1)],
    ['ben', member('member', 2)],
  ]);
  const plain: RoomSettings = {
    id: roomId,
    kind: 'room',
    name: 'Room',
    topic: '',
    visibility: 'private',
    history: 'all',
    slowModeSeconds: 0,
    pins: 'members' as const,
    receipts: false,
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  return new Feed(roomId, 5, new RoomState({ ...plain, ...settings }, members, false));
}

/** Takes a `member.updated` event that mutes the user until then (milliseconds since the epoch; 0: not muted any more). */
export function takeMute(feed: Feed<RoomState>, userId: string, untilMs: number): void {
  const mutedUntil = untilMs === 0 ? null : new Date(untilMs).toISOString();
  const event = { type: 'member.updated', data: { user: { id: userId }, role: 'member', mutedUntil } };
  feed.take({ seq: feed.position + 1, json: JSON.stringify(event) }, { recentEvents: 10, recentBytes: 10_000 });
}

export function checkedDraft(overrides: Partial<CheckedDraft> = {}): CheckedDraft {
  return {
    messageId: 'message',
    roomId: 'room',
    authorId: 'ben',
    clientId: 'key',
    digest: 1n,
    text: 'hello',
    replyTo: null,
    threadId: null,
    alsoInRoom: false,
    parts: undefined,
    ...overrides,
  };
}

export function moderatedDraft(feed: Feed<RoomState>, overrides: Partial<ModeratedDraft> = {}): ModeratedDraft {
  const draft = checkedDraft({ roomId: feed.roomId, ...overrides });
  return {
    ...draft,
    feed,
    actor: { userId: draft.authorId, role: 'user' },
    sessionId: undefined,
    allowedAt: feed.position,
    epoch: 'log',
    admittedMs: performance.now(),
    isOpen: () => true,
    sender: { id: draft.authorId, username: 'ben', displayName: 'Ben', avatarUrl: null },
    html: '<p>hello</p>',
    mentions: [],
    mentionsAll: null,
    flag: undefined,
    ...overrides,
  };
}

/** A send in a room's queue, and what its client is told: `ok`, a failure code, or nothing yet. */
export function queuedSend(
  feed: Feed<RoomState>,
  overrides: Partial<QueuedSend> = {},
): { readonly send: QueuedSend; readonly answers: string[] } {
  const answers: string[] = [];
  const send: QueuedSend = {
    ...moderatedDraft(feed, overrides),
    kind: 'send',
    seq: 0,
    deadlineMs: performance.now() + 60_000,
    maybeStored: false,
    resolve: ({ duplicate }: SendOutcome) => void answers.push(duplicate ? 'duplicate' : 'ok'),
    reject: (error) => void answers.push((error as { code?: string }).code ?? String(error)),
    ...overrides,
  };
  return { send, answers };
}
