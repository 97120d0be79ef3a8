/**
 * Compares what clients saw with the log. Pure: histories in, violations out. Its tests contain a history for each violation that it looks
 * for.
 */

/** One message that a user tried to send. */
export interface SendRecord {
  readonly userId: string;
  readonly roomId: string;
  readonly clientId: string;
  readonly text: string;
  /** Order in which the sends of one user in one room began. */
  readonly order: number;
  /** The acks; empty if it was never answered. */
  readonly acks: readonly { readonly messageId: string; readonly seq: number; readonly atMs?: number }[];
  /** It was definitely refused, so it must not be in the log. */
  readonly refused?: string;
  readonly refusedMs?: number;
  /** Milliseconds by one clock: the start of the first attempt, and the ack. */
  readonly startedMs?: number;
  readonly ackedMs?: number;
}

export interface SeenEvent {
  readonly seq: number;
  readonly type: string;
  /** Identity of the event. */
  readonly id: string;
}

export interface Interval {
  readonly from: number;
  readonly to: number;
}

export interface Run {
  readonly after: number;
  readonly events: readonly SeenEvent[];
  /** It began with `room.joined`, so it must begin with the event of joining. */
  readonly joined?: boolean;
  /** When it began. */
  readonly atMs?: number;
}

/** What one reader got of one room: runs of events, with a new run after each reset and each absence. */
export interface ReaderRecord {
  readonly reader: string;
  readonly roomId: string;
  readonly runs: readonly Run[];
  /** Seqs that this reader may see; undefined: all. */
  readonly entitled?: readonly Interval[];
  /** The history of the room begins with joining: events about earlier messages come without content, as `message.hidden`. */
  readonly hides?: boolean;
  /** It disconnected on purpose and need not have reached the head. */
  readonly gone?: boolean;
}

export interface LoggedEvent extends SeenEvent {
  /** The message that the event creates or is about. */
  readonly messageId?: string;
  readonly clientId?: string;
  readonly userId?: string;
  readonly text?: string;
}

export interface Histories {
  readonly sends: readonly SendRecord[];
  readonly readers: readonly ReaderRecord[];
  /** The whole log of each room at the end. */
  readonly logs: ReadonlyMap<string, readonly LoggedEvent[]>;
}

export interface Violation {
  readonly kind: 'lost' | 'duplicated' | 'reordered' | 'gap' | 'leak' | 'diverged' | 'refused but stored';
  readonly what: string;
}

export function checkHistories({ sends, readers, logs }: Histories): Violation[] {
  const found: Violation[] = [];
  const report = (kind: Violation['kind'], what: string) => found.push({ kind, what });
  checkLogs(logs, report);
  checkSends(sends, logs, report);
  for (const reader of readers) checkReader(reader, logs.get(reader.roomId) ?? [], report);
  return found;
}

type Report = (kind: Violation['kind'], what: string) => void;

function checkLogs(logs: Histories['logs'], report: Report): void {
  for (const [roomId, log] of logs) {
    for (const [at, event] of log.entries()) {
      if (event.seq !== at + 1) {
        report('gap', `the log of ${roomId} has ${event.seq} at place ${at + 1}`);
        break;
      }
    }
    const keys = new Map<string, number>();
    for (const { clientId, userId, seq } of log) {
      if (clientId === undefined) continue;
      const key = `${userId} ${clientId}`;
      if (keys.has(key)) report('duplicated', `${key} is ${keys.get(key)} and ${seq} of ${roomId}`);
      keys.set(key, seq);
    }
  }
}

function checkSends(sends: readonly SendRecord[], logs: Histories['logs'], report: Report): void {
  const lines = new Map<string, { order: number; seq: number; clientId: string }[]>();
  for (const { userId, roomId, clientId, text, order, acks, refused } of sends) {
    const stored = logs.get(roomId)?.find((event) => event.clientId === clientId && event.userId === userId);
    if (refused !== undefined && stored) report('refused but stored', `${clientId} (${refused})`);
    for (const ack of acks) {
      if (!stored || stored.seq !== ack.seq || stored.id !== ack.messageId)
        report('lost', `${clientId} was acked as ${ack.seq} of ${roomId}, the log has ${stored?.seq ?? 'nothing'}`);
      else if (stored.text !== undefined && stored.text !== text)
        report('diverged', `${clientId} is stored with another text`);
    }
    if (stored && acks.length > 0) {
      const key = `${userId} ${roomId}`;
      lines.set(key, [...(lines.get(key) ?? []), { order, seq: stored.seq, clientId }]);
    }
  }
  for (const line of lines.values()) {
    const sorted = line.toSorted((left, right) => left.order - right.order);
    for (let at = 1; at < sorted.length; at++) {
      if (sorted[at]!.seq < sorted[at - 1]!.seq)
        report('reordered', `${sorted[at]!.clientId} overtook ${sorted[at - 1]!.clientId}`);
    }
  }
}

/** @returns whether an event is about a message from before the membership in which it came */
function findHidden(log: readonly LoggedEvent[], entitled: readonly Interval[]): (event: LoggedEvent) => boolean {
  const created = log.filter(({ type }) => type === 'message.created');
  const createdAt = new Map(created.map(({ messageId, seq }) => [messageId, seq]));
  return ({ seq, type, messageId }) => {
    const about = type === 'message.created' || messageId === undefined ? undefined : createdAt.get(messageId);
    const membership = entitled.find(({ from, to }) => seq >= from && seq <= to);
    return about !== undefined && membership !== undefined && about < membership.from;
  };
}

function checkReader(
  { reader, roomId, runs, entitled, gone, hides = false }: ReaderRecord,
  log: readonly LoggedEvent[],
  report: Report,
): void {
  const may = (seq: number) => !entitled || entitled.some(({ from, to }) => seq >= from && seq <= to);
  const isHidden = hides && entitled ? findHidden(log, entitled) : () => false;
  const seen = new Set<number>();
  for (const { after, events, joined } of runs) {
    let position = after;
    if (joined && events[0]!.type !== 'member.joined')
      report('gap', `${reader} joined ${roomId} and first got ${events[0]!.type} ${events[0]!.seq}`);
    for (const { seq, id, type } of events) {
      if (!may(seq)) report('leak', `${reader} got ${seq} of ${roomId}`);
      if (seen.has(seq)) report('duplicated', `${reader} got ${seq} of ${roomId} twice`);
      seen.add(seq);
      if (seq <= position) report('reordered', `${reader} got ${seq} after ${position} of ${roomId}`);
      else if (hasBetween(position, seq, may)) report('gap', `${reader} got ${seq} after ${position} of ${roomId}`);
      position = Math.max(position, seq);
      const logged = log[seq - 1];
      if (logged && isHidden(logged)) {
        if (type !== 'message.hidden') report('leak', `${reader} got ${seq} of ${roomId}, about an earlier message`);
      } else if (!logged || logged.id !== id || logged.type !== type)
        report('diverged', `${reader} got another ${seq} of ${roomId} than the log has`);
    }
  }
  const last = runs.at(-1);
  const reached = last ? (last.events.at(-1)?.seq ?? last.after) : 0;
  const head = log.length;
  if (!gone && may(head) && reached < head)
    report('gap', `${reader} ended at ${reached} of ${roomId}, the head is ${head}`);
}

/** Whether the reader should have seen anything between two seqs, both excluded. */
function hasBetween(after: number, before: number, may: (seq: number) => boolean): boolean {
  for (let seq = after + 1; seq < before; seq++) if (may(seq)) return true;
  return false;
}
