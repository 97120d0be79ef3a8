/** Many guests with plain sockets, for runs that count events and their times of arrival. */
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { callOnce } from '../../src/client/calls/rest.ts';
import { backoffMs } from '../../src/client/link/backoff.ts';
import { ParleyError } from '../../src/client/parley-error.ts';
import type { Login } from '../../src/client/types.ts';

export interface Guest {
  readonly userId: string;
  readonly token: string;
  socket: WebSocket | undefined;
  /** The seq reached in the one room that it reads. */
  roomId: string;
  position: number;
  logId: string;
  /** Events whose seq did not follow the previous one. */
  gaps: number;
  /** Whether its resume was completely answered, or not needed. */
  live: boolean;
  /** Close code of the last socket. */
  closedWith: number | undefined;
}

export interface CrowdOptions {
  /** Called with each event and its time of arrival. */
  readonly onEvent?: (
    guest: Guest,
    frame: { seq: number; data?: { message?: { text: string } } },
    nowMs: number,
  ) => void;
}

/** @param at once how many at a time */
export async function signUpGuests(url: string, count: number, atOnce = 50): Promise<Guest[]> {
  const guests: Guest[] = [];
  async function work(): Promise<void> {
    while (guests.length < count) {
      const place = guests.push(undefined as never) - 1;
      const login = await insist(() =>
        callOnce<Login>(url, { method: 'POST', path: '/v1/auth/guest', body: { displayName: `Guest ${place}` } }),
      );
      guests[place] = {
        userId: login.user.id,
        token: login.accessToken,
        socket: undefined,
        roomId: '',
        position: 0,
        logId: '',
        gaps: 0,
        live: false,
        closedWith: undefined,
      };
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work));
  return guests;
}

/** Repeats the call with the same key until the outcome is definite. */
async function insist<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ParleyError) || !error.retryable || attempt === 20) throw error;
      await pause(backoffMs(Math.min(attempt, 3), error.retryAfterMs ?? 0));
    }
  }
}

/** Creates a private room of these guests, owned by the first. */
export async function makeRoom(url: string, guests: readonly Guest[]): Promise<string> {
  const [owner, ...others] = guests;
  const { id } = await insist(() =>
    callOnce<{ id: string }>(url, {
      method: 'POST',
      path: '/v1/rooms',
      body: { name: 'Crowd', visibility: 'private', memberIds: others.map(({ userId }) => userId) },
      token: owner!.token,
      key: `room-of-${owner!.userId}`,
    }),
  );
  for (const guest of guests) guest.roomId = id;
  return id;
}

export async function say(url: string, guest: Guest, text: string, clientId: string): Promise<number> {
  const { seq } = await insist(() =>
    callOnce<{ seq: number }>(url, {
      method: 'POST',
      path: `/v1/rooms/${guest.roomId}/messages`,
      body: { clientId, text },
      token: guest.token,
    }),
  );
  return seq;
}

/** Connects once, with a resume if the guest has a position. Resolves when the socket is open or refused. */
export function connectGuest(url: string, guest: Guest, { onEvent }: CrowdOptions = {}): Promise<void> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/ws`, 'parley.v1', { perMessageDeflate: false });
  guest.socket = socket;
  guest.live = false;
  guest.closedWith = undefined;
  const resume = guest.logId ? { logId: guest.logId, rooms: { [guest.roomId]: guest.position } } : undefined;
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as {
      type: string;
      seq: number;
      roomId?: string;
      logId: string;
      rooms: { id: string; seq: number }[];
    };
    if (frame.type === 'welcome') {
      guest.logId = frame.logId;
      if (resume) return;
      guest.position = frame.rooms.find(({ id }) => id === guest.roomId)!.seq;
      guest.live = true;
    } else if (frame.type === 'resumed') guest.live = true;
    else if (frame.roomId === guest.roomId && frame.seq !== undefined) {
      if (frame.type !== 'room.reset' && frame.seq !== guest.position + 1) guest.gaps += 1;
      guest.position = frame.seq;
      onEvent?.(guest, frame, performance.now());
    }
  });
  return new Promise((resolve) => {
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'hello', id: 'h', token: guest.token, ...(resume ? { resume } : {}) }));
      resolve();
    });
    socket.on('error', () => resolve());
    socket.on('close', (code) => {
      guest.live = false;
      guest.closedWith = code;
      resolve();
    });
  });
}

export async function until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
  const untilMs = performance.now() + timeoutMs;
  while (!holds() && performance.now() < untilMs) await pause(20);
  return holds();
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
