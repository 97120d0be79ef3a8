/** How far this client has read each room's log, and from where the next connection resumes. */
import type { RoomEvent, WelcomeRoom } from './types.ts';

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
    reset: ({ roomId, seq }) => void positions.set(roomId, seq),
    leave: (roomId) => void positions.delete(roomId),
    clear: () => {
      positions.clear();
      logId = undefined;
    },
  };
}
