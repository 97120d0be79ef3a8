/** A sender over REST that distinguishes the three outcomes. A definite refusal is not always repeated. */
import { setTimeout as pause } from 'node:timers/promises';
import { callOnce } from '../../src/client/calls/rest.ts';
import { ClientError } from '../../src/client/parley-client.ts';
import type { Login } from '../../src/client/types.ts';
import { isDefinite } from './chaos-client.ts';
import type { SendRecord } from './history-checker.ts';
import { untilDone } from './patience.ts';

export interface RestSender {
  readonly userId: string;
  readonly name: string;
  /** Sends one message, and repeats it while its outcome is unknown. */
  readonly say: (roomId: string) => Promise<void>;
  readonly sends: readonly SendRecord[];
}

/** Longer than any fault of a run. */
const triesMax = 60;

export async function startRestSender(url: string, name: string): Promise<RestSender> {
  const account = { username: name, email: `${name}@example.org`, password: `password of ${name}` };
  const login = await untilDone(() =>
    callOnce<Login>(url, { method: 'POST', path: '/v1/auth/register', body: account }),
  );
  const sends: SendRecord[] = [];
  let order = 0;

  async function say(roomId: string): Promise<void> {
    const mine = order++;
    const clientId = `${name}-${mine}`;
    const text = `${name} writes ${mine}`;
    const record = { userId: login.user.id, roomId, clientId, text, order: mine, startedMs: performance.now() };
    const acks: { messageId: string; seq: number; atMs: number }[] = [];
    const givesUp = Math.random() < 0.5;
    for (let attempt = 0; attempt < triesMax; attempt++) {
      try {
        acks.push(await sendOnce(roomId, { clientId, text }));
        // Sometimes an answered message is sent again: the answer must be the same.
        if (acks.length > 1 || Math.random() < 0.9) break;
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        const unsure = acks.length > 0 || !isDefinite(error);
        if (!unsure && (givesUp || !error.retryable)) {
          // An earlier attempt without an answer may have been stored: the refusal is about the last one only.
          const refusal = { refused: error.code, refusedMs: performance.now() };
          sends.push({ ...record, acks, ...(attempt === 0 ? refusal : {}) });
          return;
        }
        await pause(200 + Math.random() * 300);
      }
    }
    sends.push({ ...record, acks, ...(acks.length > 0 ? { ackedMs: performance.now() } : {}) });
  }

  async function sendOnce(roomId: string, body: { clientId: string; text: string }) {
    const message = await callOnce<{ id: string; seq: number }>(url, {
      method: 'POST',
      path: `/v1/rooms/${roomId}/messages`,
      body,
      token: login.accessToken,
    });
    return { messageId: message.id, seq: message.seq, atMs: performance.now() };
  }

  return { userId: login.user.id, name, say, sends };
}
