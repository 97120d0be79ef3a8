/**
 * Hints as texts on Redis. The first line is `origin kind` and up to four words; the rest is what the kind says. JSON holds no line
 * breaks, so an event is one line. Kinds and words that a build does not know are ignored, so builds of two versions work together.
 */
import type { EventHint, HintListener, JoinHint, RoomSignal } from './hints.ts';

/** `origin` is the instance that publishes the hint. */
export const hintTexts = {
  /** For each room a line `roomId firstSeq count`, then its events. @param logId names the log that the events are of */
  events: (origin: string, logId: string, hints: readonly EventHint[]): string => {
    const lines = [`${origin} events ${logId}`];
    for (const { roomId, firstSeq, events } of hints) lines.push(`${roomId} ${firstSeq} ${events.length}`, ...events);
    return lines.join('\n');
  },
  joined: (origin: string, { userId, roomId, seq }: JoinHint): string => `${origin} joined ${userId} ${roomId} ${seq}`,
  /** The first user is a word of its own, because instances of an older build read no others. */
  roomSignal: (origin: string, { roomId, json, exceptUserIds, afterSeq }: RoomSignal): string => {
    const [first = '', ...others] = exceptUserIds;
    return `${origin} room ${roomId} ${first} ${others.join(',')} ${afterSeq}\n${json}`;
  },
  userSignal: (origin: string, userId: string, json: string): string => `${origin} user ${userId}\n${json}`,
  revoked: (origin: string): string => `${origin} revoked`,
  healthy: (origin: string): string => `${origin} healthy`,
  presence: (origin: string, instance: string, text: string): string => `${origin} presence ${instance}\n${text}`,
};

export interface HintReceiver {
  /** The hints of this instance itself are ignored. */
  readonly origin: string;
  /** Events of another log are ignored. */
  readonly logId: () => string;
  readonly listener: HintListener;
  /** Another instance reaches Postgres. */
  readonly onInstanceHealth: () => void;
  readonly onPresence: (instance: string, text: string) => void;
}

/** Calls the listener for a hint of another instance. @returns whether it was of another instance */
export function receiveHint(text: string, receiver: HintReceiver): boolean {
  const { origin, logId, listener } = receiver;
  const [head = '', ...lines] = text.split('\n');
  const [from = '', kind = '', first = '', second = '', third = '', fourth = ''] = head.split(' ');
  if (from === origin) return false;
  if (kind === 'events') {
    // Older builds do not name their log.
    if (first === '' || first === logId()) receiveEvents(lines, listener);
  } else if (kind === 'joined') listener.onJoin({ userId: first, roomId: second, seq: Number(third) });
  else if (kind === 'room')
    listener.onRoomSignal({
      roomId: first,
      json: lines.join('\n'),
      exceptUserIds: [second, ...third.split(',')].filter(Boolean),
      // Older builds do not say it.
      afterSeq: Number(fourth) || 0,
    });
  else if (kind === 'user') listener.onUserSignal(first, lines.join('\n'));
  else if (kind === 'revoked') listener.onRevocation();
  else if (kind === 'healthy') receiver.onInstanceHealth();
  else if (kind === 'presence') receiver.onPresence(first, lines.join('\n'));
  return true;
}

/** A text that ends early is read up to there: the log has the rest. */
function receiveEvents(lines: readonly string[], { onEvents }: HintListener): void {
  for (let at = 0; at < lines.length; ) {
    const [roomId = '', firstSeq = '', count = ''] = lines[at]!.split(' ');
    const end = at + 1 + Number(count);
    if (!(end <= lines.length) || !(Number(firstSeq) > 0)) return;
    onEvents({ roomId, firstSeq: Number(firstSeq), events: lines.slice(at + 1, end) });
    at = end;
  }
}
