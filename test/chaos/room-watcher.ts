/** Watches a public room without being a member, and reopens it after the connection or the room was lost. */
import { setTimeout as pause } from 'node:timers/promises';
import { openSocket, type TestUser } from '../harness/test-client.ts';
import { eventId } from './chaos-client.ts';
import type { ReaderRecord, SeenEvent } from './history-checker.ts';

export interface RoomWatcher {
  readonly reader: () => Omit<ReaderRecord, 'entitled'>;
  readonly stop: () => Promise<void>;
}

export function startRoomWatcher(url: string, user: TestUser, roomId: string): RoomWatcher {
  const runs: { after: number; events: SeenEvent[]; atMs: number }[] = [];
  let stopped = false;

  async function watchOnce(): Promise<void> {
    const socket = await openSocket(url);
    try {
      const welcome = await socket.ask({ type: 'hello', token: user.accessToken });
      const opened = welcome.type === 'welcome' ? await socket.ask({ type: 'room.open', roomId }) : welcome;
      if (opened.type !== 'ack') return;
      const run = { after: opened.seq!, events: [] as SeenEvent[], atMs: performance.now() };
      runs.push(run);
      const silentSince = performance.now();
      while (!stopped && socket.socket.readyState === socket.socket.OPEN && performance.now() - silentSince < 20_000) {
        await pause(50);
        if (socket.frames.some((frame) => frame.type === 'room.left')) break;
      }
      run.events.push(
        ...socket.events(roomId).map(({ seq, type, at, data }) => ({
          seq: seq!,
          type,
          id: eventId(type, at as string, data as never),
        })),
      );
    } finally {
      socket.socket.terminate();
    }
  }

  async function watch(): Promise<void> {
    while (!stopped) {
      await watchOnce().catch(() => undefined);
      await pause(300);
    }
  }
  const watching = watch();

  return {
    reader: () => ({ reader: `watcher ${user.username}`, roomId, runs, gone: true }),
    stop: async () => {
      stopped = true;
      await watching;
    },
  };
}
