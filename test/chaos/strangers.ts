/**
 * A crowd that sends all at once, and then nothing for longer than instances cache profiles. A third of the messages is flagged for
 * moderators.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { callOnce } from '../../src/client/calls/rest.ts';
import { ClientError } from '../../src/client/parley-client.ts';
import type { Login } from '../../src/client/types.ts';
import { isDefinite } from './chaos-client.ts';
import type { SendRecord } from './history-checker.ts';
import { untilDone } from './patience.ts';

/** A word that a rule flags. */
export const flaggedWord = 'chaosflagged';

export interface Strangers {
  readonly userIds: readonly string[];
  readonly sends: readonly SendRecord[];
  /** Sends to the room until stopped. */
  readonly talk: (roomId: string, isBusy: () => boolean) => Promise<void>;
}

const count = 40;
const signUpsAtOnce = 8;
const perBurst = 6;
/** Longer than profiles are cached. */
const betweenBurstsMs = 2500;

export async function startStrangers(url: string, seed: number): Promise<Strangers> {
  const people: Login[] = [];
  while (people.length < count) {
    const some = Array.from({ length: signUpsAtOnce }, (_, at) =>
      untilDone(() =>
        callOnce<Login>(url, {
          method: 'POST',
          path: '/v1/auth/guest',
          body: { displayName: `Stranger ${seed} ${people.length + at}` },
        }),
      ),
    );
    people.push(...(await Promise.all(some)));
  }
  const sends: SendRecord[] = [];
  let order = 0;

  async function say(roomId: string, { user, accessToken }: Login): Promise<void> {
    const mine = order++;
    const clientId = `stranger-${mine}`;
    const text = mine % 3 === 0 ? `${flaggedWord} number ${mine}` : `stranger says ${mine}`;
    const record = { userId: user.id, roomId, clientId, text, order: mine, startedMs: performance.now(), acks: [] };
    try {
      const path = `/v1/rooms/${roomId}/messages`;
      const { id: messageId, seq } = await callOnce<{ id: string; seq: number }>(url, {
        method: 'POST',
        path,
        body: { clientId, text },
        token: accessToken,
      });
      const ackedMs = performance.now();
      // Many at once over several connections: without an order.
      sends.push({ ...record, order: seq, ackedMs, acks: [{ messageId, seq, atMs: ackedMs }] });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      const refusal = isDefinite(error) ? { refused: error.code, refusedMs: performance.now() } : {};
      sends.push({ ...record, ...refusal });
    }
  }

  return {
    userIds: people.map(({ user }) => user.id),
    sends,
    talk: async (roomId, isBusy) => {
      while (isBusy()) {
        const burst = people.flatMap((person) => Array.from({ length: perBurst }, () => say(roomId, person)));
        await Promise.all(burst);
        await pause(betweenBurstsMs);
      }
    },
  };
}
