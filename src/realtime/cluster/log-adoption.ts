/**
 * Decides after a restart of Postgres whether the log is still the one that clients know.
 *
 * A crash loses nothing that was committed, but a data directory that was restored from a snapshot looks exactly like one
 * after a crash: same system identifier, same timeline. Only what is remembered outside of it can tell them apart. So each
 * new run of the server (`pg_postmaster_start_time`) is adopted before anything is appended in it:
 *
 * - Every instance that lived through the restart looks for what it remembers. Something missing: the log gets a new id.
 * - Otherwise it confirms, and waits for the others that may know more, at most `restartWaitMs`.
 * - For instances that are gone, what they left outside of Postgres is looked for (log-memories.ts).
 * - All heard, and at least one of them knew the log before: it keeps its id. Else nobody can tell, and it gets a new one,
 *   which costs clients one `room.reset` per room.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { LogMemories } from './log-memories.ts';
import type { LogMemory, LogWitnesses } from './log-witnesses.ts';

const askEveryMs = 100;

export interface Adoption {
  /** Of the database, for memories that others left. */
  readonly database: string;
  /** The run of the server that is to be adopted. */
  readonly server: string;
  /** `log_identity.log_id` as it stands in the database. */
  readonly logId: string;
  /** What this instance remembers; undefined for one that starts. */
  readonly own: LogMemory | undefined;
}

/** Resolves when the run was adopted, under the old id or a new one, by this instance or another; or when it is over. */
export type AdoptServer = (adoption: Adoption) => Promise<void>;

export function createAdoptServer({
  witnesses,
  memories,
  logger,
  settings,
}: {
  witnesses: LogWitnesses;
  memories: LogMemories;
  logger: Logger;
  settings: { readonly restartWaitMs: number };
}): AdoptServer {
  async function renew({ logId, server }: Adoption, reason: string): Promise<void> {
    if (await witnesses.renew({ from: logId, to: randomUUID(), server }))
      logger.error(`${reason}; the log gets a new id`);
  }

  /** Speaks for instances that are gone. @returns whether something is missing that one of them remembered */
  async function inherit({ database, server, own }: Adoption, which: 'gone' | 'all'): Promise<boolean> {
    for (const { memory, isGone } of await memories.recall(database)) {
      if (memory.witness === own?.witness || (which === 'gone' && !isGone)) continue;
      if (await witnesses.isLost(memory)) return true;
      await witnesses.confirm(memory.witness, server);
    }
    return false;
  }

  return async (adoption) => {
    const { server, own } = adoption;
    if (own) {
      if (await witnesses.isLost(own))
        return renew(adoption, 'the database went back to an earlier state: commits of this instance are missing');
      await witnesses.confirm(own.witness, server);
    }
    const loss = 'the database went back to an earlier state: commits of an earlier instance are missing';
    if (await inherit(adoption, 'gone')) return renew(adoption, loss);
    const untilMs = performance.now() + settings.restartWaitMs;
    let heard = await witnesses.testimony(server);
    while (!heard.adopted && heard.waiting > 0 && performance.now() < untilMs) {
      await new Promise((wake) => setTimeout(wake, askEveryMs));
      heard = await witnesses.testimony(server);
    }
    if (heard.adopted) return undefined;
    if (heard.waiting > 0 || !heard.vouched) {
      if (await inherit(adoption, 'all')) return renew(adoption, loss);
      heard = await witnesses.testimony(server);
    }
    if (heard.adopted) return undefined;
    if (heard.waiting === 0 && heard.vouched) return witnesses.adopt(server);
    return renew(adoption, 'the database was restarted and nobody can tell whether it lost something');
  };
}
