/** How far this client has read each room's log, and from where the next connection resumes. */
import type { RoomEvent, WelcomeRoom } from '../types.ts';

export interface Resume {
  readonly logId: string;
  /** Seqs by room id. */
  readonly rooms: Readonly<Record<string, number>>;
}

/** Events were left out: the history of the room is to be read again, and live events go on after `seq`. */
export interface RoomReset {
  readonly roomId: string;
  readonly seq: number;
}

export interface LogPosition {
  /** The rooms that the next hello resumes; undefined before the first welcome. The next `welcome` answers it. */
  readonly resume: () => Resume | undefined;
  /** Takes the rooms as a welcome names them. @returns the rooms whose events were left out */
  readonly welcome: (logId: string, rooms: readonly WelcomeRoom[]) => readonly RoomReset[];
  /** Moves on to the event when it is the next one. @returns how it follows what came before; after a `gap` the client has to resume */
  readonly take: (event: Pick<RoomEvent, 'roomId' | 'seq'>) => 'next' | 'known' | 'gap';
  /** Where each room is now. */
  readonly all: () => Resume | undefined;
  /** Takes over where the rooms are from another tab. @returns the rooms of which this tab has missed events */
  readonly adopt: (from: Resume) => readonly RoomReset[];
  readonly reset: (reset: RoomReset) => void;
  readonly leave: (roomId: string) => void;
  readonly clear: () => void;
}

/** A hello may hold 8 kB, with its token. The rooms with the newest events are named. */
const resumeRoomsMax = 100;

export function createLogPosition(): LogPosition {
  /** Seqs by room; the rooms with the newest events last. */
  const positions = new Map<string, number>();
  let resumed: ReadonlySet<string> = new Set();
  let logId: string | undefined;

  function welcomeRoom({ id, seq, readableFrom }: WelcomeRoom): RoomReset | undefined {
    const position = positions.get(id);
    if (resumed.has(id)) {
      // The person left and joined again: events go on where the room may be read.
      if (position === undefined || position >= readableFrom - 1) return undefined;
      positions.set(id, readableFrom - 1);
      return { roomId: id, seq: readableFrom - 1 };
    }
    positions.set(id, seq);
    return position !== undefined && position < seq ? { roomId: id, seq } : undefined;
  }

  return {
    resume: () => {
      const rooms = new Map(logId === undefined ? [] : [...positions].slice(-resumeRoomsMax));
      resumed = new Set(rooms.keys());
      return logId === undefined ? undefined : { logId, rooms: Object.fromEntries(rooms) };
    },
    welcome: (newLogId, rooms) => {
      logId = newLogId;
      return rooms.map(welcomeRoom).filter((reset) => reset !== undefined);
    },
    take: ({ roomId, seq }) => {
      const position = positions.get(roomId);
      if (position !== undefined && seq <= position) return 'known';
      if (position !== undefined && seq > position + 1) return 'gap';
      // Deleted first, so that the map stays in the order of the newest events.
      positions.delete(roomId);
      positions.set(roomId, seq);
      return 'next';
    },
    all: () => (logId === undefined ? undefined : { logId, rooms: Object.fromEntries(positions) }),
    adopt: (from) => {
      const isOtherLog = logId !== undefined && logId !== from.logId;
      logId = from.logId;
      const missed = Object.entries(from.rooms).filter(([roomId, seq]) => {
        const position = positions.get(roomId);
        return position !== undefined && (isOtherLog || position < seq);
      });
      for (const [roomId, seq] of Object.entries(from.rooms))
        if (isOtherLog || (positions.get(roomId) ?? -1) < seq) positions.set(roomId, seq);
      return missed.map(([roomId, seq]) => ({ roomId, seq }));
    },
    reset: ({ roomId, seq }) => void positions.set(roomId, seq),
    leave: (roomId) => void positions.delete(roomId),
    clear: () => {
      positions.clear();
      logId = undefined;
    },
  };
}
