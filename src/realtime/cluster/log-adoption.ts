/**
 * Decides after a restart of Postgres whether the log is still the one that clients know. See docs/internals/restarts-and-restores.md.
 *
 * A crash loses nothing that was committed. But a data directory that was restored from a snapshot looks exactly like one after a
 * crash: same system identifier, same timeline. Only memory outside of it can tell them apart. So each new run of the server
 * (`pg_postmaster_start_time`) is adopted before anything is appended in it:
 *
 * - Every instance that survived the restart checks what it remembers. If something is missing, the log gets a new id.
 * - Otherwise it confirms, and waits at most `restartWaitMs` for other instances that may know more.
 * - For instances that are gone, it checks what they left outside of Postgres (log-memories.ts).
 * - If all were heard and at least one of them knew the log before, the log keeps its id. Otherwise it gets a new one, which costs each
 *   client one `room.reset` per room.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { LogMemories } from './log-memories.ts';
import type { LogMemory, LogWitnesses } from './log-witnesses.ts';

const askEveryMs = 100;

export interface Adoption {
  /** The database, to find the memories that others left of it. */
  readonly database: string;
  /** The run of the server to adopt. */
  readonly server: string;
  /** `log_identity.log_id` in the database. */
  readonly logId: string;
  /** What this instance remembers; undefined while it starts. */
  readonly own: LogMemory | undefined;
}

/** Resolves when the run was adopted, under the old id or a new one, by this instance or another; or when the run has ended. */
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

  /** Testifies for instances that are gone. @returns whether something is missing that one of them remembered */
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
    return renew(adoption, 'the database was restarted and no instance can tell whether it lost something');
  };
}
